"""``mailsuite route``: where mail for an address goes, by which rules, and from whom it is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from mailsuite.cli.alias_desk import alias_desk, route_reason
from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.control import Document
from mailsuite.cli.directory import open_directory
from mailsuite.cli.options import address_type, json_option
from mailsuite.cli.terminal import clean, note, print_json, print_table

if TYPE_CHECKING:
    from mailsuite.model.account import IPAddress

_COLUMNS: Final = ("LISTENER", "SERVICE", "VERDICT", "ANSWER", "LOGGED IN")


@click.command("route")
@click.argument("address")
@click.option(
    "--from", "client", type=address_type, metavar="IP", help="What would a client there be answered?"
)
@click.option("--listener", metavar="NAME", default="", help="With --from: at this listener alone.")
@json_option
@click.pass_obj
def route(context: Context, *, address: str, client: IPAddress | None, listener: str, as_json: bool) -> None:
    """Where mail for ADDRESS goes: into whose maildrops, elsewhere, or nowhere, and by which steps.

    With --from also what each listener for mail would answer a client at that IP address, by its rules for
    recipients and for relaying. Whether the client may connect is another question: mailsuite access test.

    Nothing is sent, and nothing changes. Exit status 1 where an address of ours is refused; with --from,
    where no listener takes mail for ADDRESS from there without a login.
    """
    if listener and client is None:
        raise click.UsageError("--listener needs --from")
    with open_directory(context, as_json) as directory:
        document = alias_desk(context, directory).route(address, str(client or ""), listener)
    if as_json:
        print_json(document)
    else:
        _print(document)
    goes = document["kind"] in {"local", "discarded", "remote"}
    if not (goes if client is None else document["hearing"]["taken"]):
        raise SystemExit(CommandFailed.exit_code)


def _print(document: Document) -> None:
    for number, step in enumerate(document["steps"], 1):
        click.echo(f"{number:>3}  {clean(step)}")
    click.echo(f"Mail for {clean(document['address'])} {clean(route_reason(document))}.")
    if document["dead_end"] is not None and document["kind"] == "local":
        note(f"{clean(document['dead_end'])} leads to somebody who gets nothing; see above.")
    if "hearing" in document:
        _print_hearing(document["hearing"])


def _print_hearing(hearing: Document) -> None:
    click.echo(f"\nA client at {clean(hearing['client'])} is answered:")
    names = ("listener", "service", "verdict", "reply")
    rows = [(*(each[name] for name in names), each["logged_in"] or "") for each in hearing["listeners"]]
    print_table(_COLUMNS, rows)
