"""``mailsuite account``: add, list, show, change, password, remove."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from mailsuite.cli.context import Context
from mailsuite.cli.control import Document
from mailsuite.cli.directory import open_directory
from mailsuite.cli.options import json_option, quiet_option, yes_option
from mailsuite.cli.passwords import PasswordSource, password_options, reveal
from mailsuite.cli.terminal import clean, note, print_json, print_table

_STATES: Final = ("default", "off", "last-ip", "static")


def _notifymail_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--notifymail-port", type=click.IntRange(1, 65535), help="The port to knock at."),
        click.option("--notifymail-address", metavar="IP", help='The fixed address for "static".'),
        click.option(
            "--notifymail",
            type=click.Choice(_STATES),
            help="Tell this user of new mail (RFC 4146): as the server's default says, not at all, at the "
            "address of the last login, or at a fixed one.",
        ),
    ):
        command = option(command)
    return command


def _preference(state: str | None, address: str | None, port: int | None) -> Document | None:
    """The fields of notifymail that were given, None where none was."""
    if address is not None and state is None:
        state = "static"
    given: Document = {}
    if state is not None:
        given["state"] = None if state == "default" else state
    if address is not None:
        given["address"] = address
    if port is not None:
        given["port"] = port
    return given or None


@click.group("account")
def account_group() -> None:
    """Make, show, change and remove accounts."""


@account_group.command("add")
@click.argument("address")
@click.option("--name", default="", help="The person's name.")
@_notifymail_options
@password_options(generate=True)
@json_option
@quiet_option
@click.pass_obj
def add(
    context: Context,
    *,
    address: str,
    name: str,
    notifymail: str | None,
    notifymail_address: str | None,
    notifymail_port: int | None,
    password: PasswordSource,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make an account, and its domain where that is new. It can be used at once."""
    preference = _preference(notifymail, notifymail_address, notifymail_port)
    secret = password.read(f"Password for {clean(address)}", confirm=True)
    with open_directory(context, quiet) as directory:
        domains = {domain["name"] for domain in directory.domains()}
        account, generated = directory.add_account(address, name, reveal(secret), preference)
    _tell(account, generated, "made", as_json, quiet)
    domain = account["address"].rpartition("@")[2]
    if domain not in domains and not quiet:
        note(f"{clean(domain)} is new here: from now on its mail is ours.")


@account_group.command("list")
@json_option
@quiet_option
@click.pass_obj
def list_(context: Context, as_json: bool, quiet: bool) -> None:
    """All accounts, those of the configuration file too. With --quiet only their addresses."""
    with open_directory(context, quiet) as directory:
        accounts = directory.accounts()
    if as_json:
        print_json({"accounts": accounts})
    elif quiet:
        for account in accounts:
            click.echo(clean(account["address"]))
    elif not accounts:
        note("There is no account yet. Make one:  mailsuite account add you@example.net")
    else:
        rows = [
            (
                account["address"],
                account["name"],
                _password_text(account),
                _notifymail_text(account),
                account["origin"],
            )
            for account in accounts
        ]
        print_table(("ADDRESS", "NAME", "PASSWORD", "NOTIFYMAIL", "KEPT IN"), rows)


@account_group.command("show")
@click.argument("address")
@json_option
@click.pass_obj
def show(context: Context, address: str, as_json: bool) -> None:
    """One account."""
    with open_directory(context) as directory:
        account = directory.account(address)
    if as_json:
        print_json({"account": account})
        return
    for label, text in (
        ("address", account["address"]),
        ("name", account["name"] or "-"),
        ("password", _password_text(account)),
        ("notifymail", _notifymail_text(account)),
        ("kept in", account["origin"]),
    ):
        click.echo(f"{label:<12} {clean(text)}")


@account_group.command("change")
@click.argument("address")
@click.option("--name", help="The person's name.")
@_notifymail_options
@json_option
@quiet_option
@click.pass_obj
def change(
    context: Context,
    *,
    address: str,
    name: str | None,
    notifymail: str | None,
    notifymail_address: str | None,
    notifymail_port: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Change the name, or how the user is told of new mail."""
    preference = _preference(notifymail, notifymail_address, notifymail_port)
    if name is None and preference is None:
        raise click.UsageError("nothing to change: give --name or --notifymail")
    with open_directory(context, quiet) as directory:
        account = directory.change_account(address, name, preference)
    _tell(account, None, "changed", as_json, quiet)


@account_group.command("password")
@click.argument("address")
@password_options(generate=True)
@json_option
@quiet_option
@click.pass_obj
def password_(context: Context, address: str, password: PasswordSource, as_json: bool, quiet: bool) -> None:
    """Give an account a new password. The old one ends at once."""
    secret = password.read(f"New password for {clean(address)}", confirm=True)
    with open_directory(context, quiet) as directory:
        account, generated = directory.set_password(address, reveal(secret))
    _tell(account, generated, "has a new password", as_json, quiet)


@account_group.command("remove")
@click.argument("address")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@yes_option
@json_option
@quiet_option
@click.pass_obj
def remove(context: Context, *, address: str, dry_run: bool, yes: bool, as_json: bool, quiet: bool) -> None:
    """Remove an account. Its mail stays on the disk."""
    with open_directory(context, quiet) as directory:
        account = directory.account(address)
        name, maildrop = clean(account["address"]), _maildrop(context, account["address"])
        where = f"Its mail stays in {maildrop}"
        if not (yes or dry_run or account["origin"] == "file"):  # that one is refused, with the reason
            click.confirm(f"Remove {name}? {where}", abort=True, err=True)
        if not dry_run:
            directory.remove_account(account["address"])
    if as_json:
        print_json({"account": account, "maildrop": maildrop, "removed": not dry_run})
    elif not quiet:
        click.echo(f"{name} {'would be ' if dry_run else ''}removed. {where}")


def _maildrop(context: Context, address: str) -> str:
    from mailsuite import app  # noqa: PLC0415 - takes half a second
    from mailsuite.model.address import Address  # noqa: PLC0415

    return clean(str(app.layout(context.config).directory(Address.parse(address))))


def _tell(account: Document, generated: str | None, done: str, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json({"account": account, "generated": generated})
        return
    if not quiet:
        click.echo(f"{clean(account['address'])} {done}.")
    if generated is not None:
        click.echo(generated if quiet else f"Password, shown once:  {generated}")


def _password_text(account: Document) -> str:
    return "yes" if account["password"] else "none: nobody can log in"


def _notifymail_text(account: Document) -> str:
    wish = account["notifymail"]
    if wish["state"] is None:
        return "default"
    if wish["state"] == "static" and wish["address"]:
        return f"static {wish['address']} port {wish['port']}"
    return str(wish["state"])
