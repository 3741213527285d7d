"""`router ...`: what decides `model: "auto"`; one file a command."""

import typer

from cluster.cli import router_fit, router_live, router_rules
from cluster.cli.router_explain import explain
from cluster.cli.router_label import label
from cluster.cli.router_place import place

app = typer.Typer(help="Explain, train and steer the choice of models.", no_args_is_help=True)
app.command("explain")(explain)
router_live.add_commands(app)
app.command("label")(label)
app.command("place")(place)
router_fit.add_commands(app)
app.add_typer(router_rules.app, name="rules")
