"""``mailsuite route``: where mail for an address goes, and by which rules."""

from __future__ import annotations

import click

from mailsuite.cli.alias_desk import alias_desk, route_reason
from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.directory import open_directory
from mailsuite.cli.options import json_option
from mailsuite.cli.terminal import clean, note, print_json


@click.command("route")
@click.argument("address")
@json_option
@click.pass_obj
def route(context: Context, address: str, as_json: bool) -> None:
    """Where mail for ADDRESS goes: into whose maildrops, elsewhere, or nowhere, and by which steps.

    Nothing is sent, and nothing changes. Exit status 1 where an address of ours is refused.
    """
    with open_directory(context, as_json) as directory:
        document = alias_desk(context, directory).route(address)
    if as_json:
        print_json(document)
    else:
        for number, step in enumerate(document["steps"], 1):
            click.echo(f"{number:>3}  {clean(step)}")
        click.echo(f"Mail for {clean(document['address'])} {clean(route_reason(document))}.")
        if document["dead_end"] is not None and document["kind"] == "local":
            note(f"{clean(document['dead_end'])} leads to somebody who gets nothing; see above.")
    if document["kind"] not in {"local", "discarded", "remote"}:
        raise SystemExit(CommandFailed.exit_code)
