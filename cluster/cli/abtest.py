"""`abtest create|list|status|stop`: models or prompts compared on live traffic."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cluster.cli.output import print_json, print_table, time_text
from cluster.cli.shared import JsonOption, shared

if TYPE_CHECKING:
    from neuroforge.contracts.live_tests import LiveTestArm, LiveTestStatus
    from neuroforge.contracts.rules import Estimate

app = typer.Typer(help="Compare models or prompts on live traffic; look as often as you like.", no_args_is_help=True)
COLUMNS = ("NAME", "STATE", "TARGET", "MODE", "METRIC", "ARMS", "UNITS", "WINNER", "CREATED")
ARM_COLUMNS = ("ARM", "MODEL", "SHARE", "REQUESTS", "FAILED", "UNITS", "MEAN", "LESS THE CONTROL")
NameArgument = Annotated[str, typer.Argument(help="Name of the test.")]


@app.command()
def create(
    context: typer.Context,
    name: NameArgument,
    target: Annotated[str, typer.Option(help="What callers put into `model`: a model's id, or auto, auto:cheap, ...")],
    arms: Annotated[
        list[str], typer.Option("--arm", metavar="NAME=MODEL", help="Two or more; the first is the control.")
    ],
    systems: Annotated[
        list[Path] | None,
        typer.Option("--system", metavar="NAME=FILE", help="System message that an arm puts before conversations."),
    ] = None,
    mode: Annotated[
        Literal["ab", "adaptive", "shadow"],
        typer.Option(help="Fixed shares; shares that move to the best arm; or answers that nobody sees."),
    ] = "ab",
    share: Annotated[float, typer.Option(help="Of the target's requests that take part.", min=0.0, max=1.0)] = 1.0,
    sticky: Annotated[Literal["session", "user", "request"], typer.Option(help="What stays with its arm.")] = "session",
    metric: Annotated[
        Literal["score", "success", "speed"], typer.Option(help="Feedback; whether an answer came; latency.")
    ] = "score",
    slow_s: Annotated[float, typer.Option(help="With metric speed: seconds that count as 0.")] = 60.0,
    alpha: Annotated[float, typer.Option(help="Chance of naming a wrong winner, over the whole test.")] = 0.05,
    max_units: Annotated[int | None, typer.Option(help="End without a winner after so many.", min=2)] = None,
    as_json: JsonOption = False,
) -> None:
    """Start a test. It ends by itself when the data names a winner; nothing is promoted by it."""
    from pydantic import ValidationError

    from neuroforge.contracts.live_tests import LiveTestSpec
    from neuroforge.errors import ConfigError

    try:
        spec = LiveTestSpec(
            name=name,
            target=target,
            arms=read_arms(arms, [str(one) for one in systems or ()]),
            mode=mode,
            share=share,
            sticky=sticky,
            metric=metric,
            slow_s=slow_s,
            alpha=alpha,
            max_units=max_units,
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        told = str(first["msg"]).removeprefix("Value error, ")
        raise ConfigError(f"{place}: {told}" if place else told) from None
    with shared(context).client() as client:
        _tell(client.create_live_test(spec), as_json)


@app.command("list")
def list_tests(context: typer.Context, as_json: JsonOption = False) -> None:
    """List all that were ever made, newest first."""
    with shared(context).client() as client:
        found = client.live_tests()
    if as_json:
        print_json(found)
    else:
        print_table(COLUMNS, [_row(one) for one in found], empty="no live tests")


@app.command()
def status(context: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Show what a test says so far."""
    with shared(context).client() as client:
        _tell(client.live_test(name), as_json)


@app.command()
def stop(context: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """End a test: its target is answered as usual again."""
    with shared(context).client() as client:
        _tell(client.stop_live_test(name), as_json)


def read_arms(arms: list[str], systems: list[str]) -> "tuple[LiveTestArm, ...]":
    """Return the arms of `name=model` words, with the system messages of `name=file` words.

    Raises:
        ConfigError: A word is not of that form, names no arm, or its file cannot be read.
    """
    from neuroforge.contracts.live_tests import LiveTestArm
    from neuroforge.errors import ConfigError

    models = dict(_split(word, "--arm") for word in arms)
    texts: dict[str, str] = {}
    for word in systems:
        name, file = _split(word, "--system")
        if name not in models:
            raise ConfigError(f"--system {word}: no arm is called {name!r}; there are {', '.join(models)}")
        try:
            texts[name] = Path(file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--system {word}: {file} cannot be read: {error}") from error
    return tuple(LiveTestArm(name=name, model_id=model, system=texts.get(name)) for name, model in models.items())


def _split(word: str, option: str) -> tuple[str, str]:
    from neuroforge.errors import ConfigError

    name, equals, value = word.partition("=")
    if not (name and equals and value):
        raise ConfigError(f"{option} {word}: give it as NAME=VALUE, for example {option} control=small")
    return name, value


def _tell(found: "LiveTestStatus", as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    spec = found.spec
    typer.echo(f"{spec.name}: {found.state}; {spec.mode} test of {spec.metric} on {spec.target}, by {spec.sticky}")
    rows = [
        (
            one.arm.name,
            one.arm.model_id,
            f"{one.weight:.0%}",
            str(one.n_requests),
            str(one.n_failures),
            str(one.n_units),
            _interval(one.estimate),
            _interval(found.differences.get(one.arm.name), sign="+"),
        )
        for one in found.arms
    ]
    print_table(ARM_COLUMNS, rows)
    typer.echo(found.sentence)


def _row(one: "LiveTestStatus") -> tuple[str, ...]:
    spec = one.spec
    return (
        spec.name,
        one.state,
        spec.target,
        spec.mode,
        spec.metric,
        " ".join(arm.arm.name for arm in one.arms),
        str(sum(arm.n_units for arm in one.arms)),
        one.winner or "-",
        time_text(one.created_at_s),
    )


def _interval(found: "Estimate | None", sign: str = "") -> str:
    if found is None:
        return "-"
    return f"{found.mean:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"
