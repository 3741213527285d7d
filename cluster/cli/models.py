"""`models ...`: the group, from the files on disk to the models in memory."""

import typer

from cluster.cli import models_add, models_assets, models_fleet

app = typer.Typer(help="Fetch, add, load and unload models.", no_args_is_help=True)
models_assets.add_commands(app)
models_add.add_commands(app)
models_fleet.add_commands(app)
