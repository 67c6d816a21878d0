"""``mailsuite access``: test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import click

from mailsuite.cli.ban import until_text
from mailsuite.cli.context import CommandFailed, Context, ProblemsFound
from mailsuite.cli.control import Document, NotRunning, resource
from mailsuite.cli.options import address_type, json_option, quiet_option
from mailsuite.cli.terminal import clean, note, print_json, print_table

if TYPE_CHECKING:
    from mailsuite.model.account import IPAddress

_COLUMNS: Final = ("LISTENER", "SERVICE", "VERDICT", "BECAUSE OF")


@click.group("access")
def access_group() -> None:
    """Who may connect, by address."""


@access_group.command("test")
@click.argument("address", type=address_type)
@click.option("--listener", metavar="NAME", default="", help="Ask one listener alone.")
@json_option
@quiet_option
@click.pass_obj
def test(context: Context, *, address: IPAddress, listener: str, as_json: bool, quiet: bool) -> None:
    """Tell whether an address would get in at each listener, and which line decides.

    Where no server runs, the configuration is asked, which knows of no bans.

    Exit status 0: it would, at every listener asked; 1: some listener would refuse it.
    """
    question = urlencode({"address": str(address), **({"listener": listener} if listener else {})})
    try:
        document = context.control.get(f"{resource('access')}?{question}")
    except NotRunning:
        document = _by_the_configuration(context, address, listener)
        if not quiet:
            note("No server runs: this is by the configuration alone; bans are not looked at.")
    if as_json:
        print_json(document)
    elif not quiet:
        ban = document["ban"]
        print_table(_COLUMNS, [_row(each, ban) for each in document["listeners"]])
    if not document["allowed"]:
        raise click.exceptions.Exit(CommandFailed.exit_code)


def _by_the_configuration(context: Context, address: IPAddress, listener: str) -> Document:
    from mailsuite.admin.access import access_document, unknown_listener  # noqa: PLC0415 - keeps --help fast
    from mailsuite.model.access import unmapped  # noqa: PLC0415
    from mailsuite.policy.access_files import AccessError, prepared  # noqa: PLC0415
    from mailsuite.policy.configured import access_rules  # noqa: PLC0415

    rules = access_rules(context.config)
    services = {block.name: block.service for block in context.config.listeners if block.name in rules}
    if listener and listener not in services:
        raise CommandFailed(clean(unknown_listener(listener, services)))
    wanted = {listener: services[listener]} if listener else services
    try:
        lists = prepared({name: rules[name] for name in wanted}).lists
    except AccessError as error:
        raise ProblemsFound(clean(str(error))) from error
    return access_document(unmapped(address), wanted, lists, None)


def _row(verdict: Document, ban: Document | None) -> tuple[str, ...]:
    if ban is not None:
        because = f"banned until {until_text(ban)}: {ban['reason']} ({ban['network']})"
    elif verdict["entry"] is None:
        because = f"no entry; {verdict['place']}"
    else:
        because = f"{verdict['entry']} ({verdict['place']})"
    return verdict["listener"], verdict["service"], verdict["verdict"], because
