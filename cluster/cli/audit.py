"""`audit tail|verify`: who did what, and whether the log was touched."""

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.output import print_json, print_table, time_text
from cluster.cli.shared import JsonOption, OfflineOption, shared

if TYPE_CHECKING:
    from neuroforge.contracts.keys import AuditRecord

app = typer.Typer(help="Read and check the audit log.", no_args_is_help=True)
COLUMNS = ("SEQ", "TIME", "ACTOR", "ACTION", "TARGET", "STATUS", "REQUEST")


@app.command()
def tail(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--lines", "-n", min=1, max=10_000, help="How many records.")] = 20,
    after_seq: Annotated[int, typer.Option("--after", min=0, help="Only records after this number.")] = 0,
    is_offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the last records: who called or changed what; never any text of a request."""
    from cluster.cli.operator import open_desk

    with open_desk(shared(context), is_offline) as desk:
        records = desk.tail_audit(limit, after_seq)
    if as_json:
        print_json(records)
    else:
        print_table(COLUMNS, [_row(one) for one in records], empty="no records")


@app.command()
def verify(context: typer.Context, is_offline: OfflineOption = False, as_json: JsonOption = False) -> None:
    """Walk the hash chain; exit code 1 names the first record that does not fit."""
    from cluster.cli.operator import open_desk

    with open_desk(shared(context), is_offline) as desk:
        verdict = desk.verify_audit()
    if as_json:
        print_json(verdict)
    elif verdict.is_intact:
        head = f", head {verdict.head.seq}:{verdict.head.hash}" if verdict.head is not None else ""
        typer.echo(f"intact: {verdict.n_records} records{head}")
    else:
        typer.echo(f"broken at record {verdict.first_bad_seq}: {verdict.reason}", err=True)
    if not verdict.is_intact:
        raise typer.Exit(1)


def _row(record: "AuditRecord") -> tuple[str, ...]:
    event = record.event
    return (
        str(record.seq),
        time_text(event.at_s),
        event.actor,
        event.action,
        event.target or "-",
        str(event.status),
        event.request_id or "-",
    )
