"""`feedback DECISION_ID`: say how good an answer was."""

from typing import Annotated

import typer

from cluster.cli.output import print_json
from cluster.cli.shared import JsonOption, shared

MEANINGS = {
    "accepted": "the router learns from it",
    "duplicate": "said before; nothing changed",
    "replaced": "it counts instead of what was said before",
    "late": "kept for the next fit; the online estimate has moved on",
}


def feedback(
    context: typer.Context,
    decision_id: Annotated[
        str, typer.Argument(help="From the answer's header x-neuroforge-decision, up to the semicolon.")
    ],
    score: Annotated[float | None, typer.Option("--score", min=0, max=1, help="0 to 1.")] = None,
    is_good: Annotated[bool | None, typer.Option("--good/--bad", help="The same, in one word.")] = None,
    preferred: Annotated[str | None, typer.Option("--preferred", help="What the answer should have been.")] = None,
    comment: Annotated[str | None, typer.Option("--comment", help="Kept where texts are recorded.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Rate an answer: the router learns from it within a second."""
    if sum(one is not None for one in (score, is_good, preferred)) != 1:
        raise typer.BadParameter("give one of --score, --good, --bad and --preferred")
    with shared(context).client() as client:
        receipt = client.feedback(
            decision_id, score if is_good is None else is_good, preferred_answer=preferred, comment=comment
        )
    if as_json:
        print_json(receipt)
    else:
        typer.echo(f"{receipt.status}: score {receipt.score:g}; {MEANINGS[receipt.status]}")
