"""`experiment ...`: models x prompts on data; starting them is one file, what they found another."""

import typer

from cluster.cli import experiment_labels, experiment_results, experiment_run

app = typer.Typer(help="Compare models and prompts on data, with statistics.", no_args_is_help=True)
experiment_run.add_commands(app)
experiment_results.add_commands(app)
app.add_typer(experiment_labels.app, name="labels")
