"""``mailsuite auth``: test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.control import Document
from mailsuite.cli.directory import open_directory
from mailsuite.cli.options import address_type, json_option, quiet_option
from mailsuite.cli.passwords import PasswordSource, password_options, reveal
from mailsuite.cli.terminal import clean, note, print_json

if TYPE_CHECKING:
    from mailsuite.model.account import IPAddress


@click.group("auth")
def auth_group() -> None:
    """Logins, tried without a mail program."""


@auth_group.command("test")
@click.argument("address")
@click.option(
    "--mechanism", default="", metavar="NAME", help="APOP, PLAIN, SCRAM-SHA-256 ...; else USER or PLAIN."
)
@click.option(
    "--service",
    type=click.Choice(("pop3", "submission")),
    default="pop3",
    show_default=True,
    help="Where the login would be.",
)
@click.option("--from", "peer", type=address_type, metavar="IP", help="From where it would come.")
@password_options()
@json_option
@quiet_option
@click.pass_obj
def test(
    context: Context,
    *,
    address: str,
    mechanism: str,
    service: str,
    peer: IPAddress | None,
    password: PasswordSource,
    as_json: bool,
    quiet: bool,
) -> None:
    """Tell whether a login would succeed, and which rule decides. It counts as none.

    Exit status 0: it would; 1: it would not.
    """
    login: Document = {
        "address": address,
        "password": reveal(password.read()),
        "service": service,
        "mechanism": mechanism,
        "peer": "" if peer is None else str(peer),
    }
    if not quiet and context.config.sources and not context.control.is_listening():
        note("Sources outside are asked by a running server only; a password of theirs counts as wrong here.")
    with open_directory(context, quiet) as directory:
        verdict = directory.test_login(login)
    if as_json:
        print_json(verdict)
    elif not quiet:
        _print(verdict)
    if not verdict["accepted"]:
        raise click.exceptions.Exit(CommandFailed.exit_code)


def _print(verdict: Document) -> None:
    click.echo(f"{'accepted' if verdict['accepted'] else 'refused'}: {clean(verdict['text'])}.")
    if verdict["cure"] is not None:
        label = "make one" if verdict["rule"] == "mechanism-impossible" else "this helps"
        click.echo(f"  {label}:  {clean(verdict['cure'])}")
