"""``mailsuite account``: add, list, show, change, disable, enable, password, remove, import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from mailsuite.cli.context import Context
from mailsuite.cli.control import Document
from mailsuite.cli.directory import Directory, open_directory
from mailsuite.cli.importing import import_
from mailsuite.cli.options import json_option, quiet_option, yes_option
from mailsuite.cli.passwords import PasswordSource, password_options, reveal
from mailsuite.cli.quotas import (
    LANGUAGE_HELP,
    MAXIMUM_HELP,
    QUOTA_HELP,
    limit_rows,
    list_usage,
    quota_rows,
    usage_rows,
)
from mailsuite.cli.terminal import (
    clean,
    confirm,
    login_text,
    note,
    print_json,
    print_table,
)

_STATES: Final = ("default", "off", "last-ip", "static")
_STRANDED: Final = "whoever sends it is told to come again later, until it goes elsewhere."
MAX_NAMED: Final = 5
"""Accounts that are told by name; of more, how many they are."""


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


account_group.add_command(import_)


@account_group.command("add")
@click.argument("address")
@click.option("--name", default="", help="The person's name.")
@_notifymail_options
@password_options(generate=True)
@click.option(
    "--no-password", is_flag=True, help="It has none: device passwords and sources alone let it in."
)
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
    no_password: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make an account, and its domain where that is new. It can be used at once."""
    preference = _preference(notifymail, notifymail_address, notifymail_port)
    fields: Document = {"address": address, "name": name, "notifymail": preference}
    if no_password:
        if password.named:
            raise click.UsageError("--no-password, or a password: one of them")
        fields |= {"password": None, "without_password": True}
    else:
        secret = password.read(f"Password for {clean(address)}", confirm=True)
        fields["password"] = reveal(secret)
    with open_directory(context, quiet) as directory:
        domains = {domain["name"] for domain in directory.domains()}
        account, generated = directory.add_account(fields)
    _tell(account, generated, "made", as_json, quiet)
    if no_password and not quiet:
        note("It has no password: a device password lets its owner in, or a source in the configuration.")
    domain = account["address"].rpartition("@")[2]
    if domain not in domains and not quiet:
        note(f"{clean(domain)} is new here: from now on its mail is ours.")


@account_group.command("list")
@click.option("--usage", is_flag=True, help="How much mail each has, and may have.")
@click.option("--near-quota", is_flag=True, help="Only those that have used 80 percent of it, or more.")
@json_option
@quiet_option
@click.pass_obj
def list_(context: Context, *, usage: bool, near_quota: bool, as_json: bool, quiet: bool) -> None:
    """All accounts, those of the configuration file too. With --quiet only their addresses."""
    if usage or near_quota:
        list_usage(context, near_quota=near_quota, as_json=as_json, quiet=quiet)
        return
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
                _state_text(account),
                _password_text(account),
                _notifymail_text(account),
                account["origin"],
            )
            for account in accounts
        ]
        print_table(("ADDRESS", "NAME", "STATE", "PASSWORD", "NOTIFYMAIL", "KEPT IN"), rows)


@account_group.command("show")
@click.argument("address")
@json_option
@click.pass_obj
def show(context: Context, address: str, as_json: bool) -> None:
    """One account: its state, its devices, and when somebody logged in last."""
    with open_directory(context) as directory:
        details = directory.details(address)
    if as_json:
        print_json(details)
        return
    account = details["account"]
    for label, text in (
        ("address", account["address"]),
        ("name", account["name"] or "-"),
        ("state", _state_text(account)),
        ("password", _password_text(account)),
        ("devices", str(details["devices"])),
        ("last login", _last_login_text(details["last_login"])),
        *usage_rows(details.get("usage")),
        *quota_rows(details.get("quota"), details.get("percent")),
        *limit_rows(account),
        ("mail stays", _stay_text(account)),
        ("notifymail", _notifymail_text(account)),
        ("kept in", account["origin"]),
    ):
        click.echo(f"{label:<12} {clean(text)}")


@account_group.command("change")
@click.argument("address")
@click.option("--name", help="The person's name.")
@click.option(
    "--state",
    type=click.Choice(("enabled", "off", "forward")),
    help="off: no mail is taken, and nobody can log in; what is in the maildrop stays.",
)
@click.option("--forward", metavar="ADDR", help="Send mail on to this account of ours.")
@click.option("--keep-copy/--no-keep-copy", default=None, help="Whether forwarded mail also stays here.")
@click.option("--pop3", type=click.Choice(("allow", "deny")), help="Whether mail can be fetched by POP3.")
@click.option(
    "--delete-after",
    metavar="TIME",
    help="How long read mail stays: 30d, never, retrieval (it goes at the QUIT of who fetched it), or "
    "default (as the domain says).",
)
@click.option("--delete-unread-after", metavar="TIME", help="How long unread mail stays: 120d, or never.")
@click.option("--quota", metavar="QUOTA", help=QUOTA_HELP)
@click.option("--max-message", metavar="SIZE", help=MAXIMUM_HELP)
@click.option("--language", metavar="LANGUAGE", help=LANGUAGE_HELP)
@_notifymail_options
@json_option
@quiet_option
@click.pass_obj
def change(
    context: Context,
    /,
    *,
    address: str,
    notifymail: str | None,
    notifymail_address: str | None,
    notifymail_port: int | None,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Change the name, the state, how much mail it may have and how long that stays, or how and in which
    language the user is told of things.

    Whoever may not log in any more is logged out at once.
    """
    if given["forward"] is not None and given["state"] is None:
        given["state"] = "forward"
    given["notifymail"] = _preference(notifymail, notifymail_address, notifymail_port)
    fields = {name: value for name, value in given.items() if value is not None}
    if not fields:
        raise click.UsageError(
            "nothing to change: give --name, --state, --forward, --pop3, --delete-after, --quota, "
            "--max-message, --language or --notifymail"
        )
    with open_directory(context, quiet) as directory:
        account = directory.change_account(address, fields)
        forwarders = _stranded(directory, account)
    _tell(account, None, "changed", as_json, quiet)
    if not quiet:
        _note_stranded(account, forwarders)
        if account["state"] != "forward" and (given["forward"] or given["keep_copy"]):
            note(f"Its mail is not forwarded while its state is {account['state']}.")


def _stranded(directory: Directory, account: Document) -> list[str]:
    """Whose mail goes to an account that takes none."""
    if account["state"] != "off":
        return []
    return list(directory.details(account["address"])["forwarders"])


def _note_stranded(account: Document, forwarders: list[str]) -> None:
    if forwarders:
        note(f"{_forwarders_text(forwarders)} to {clean(account['address'])}: {_STRANDED}")


def _forwarders_text(forwarders: list[str]) -> str:
    """``ann@example.net forwards its mail``."""
    named = ", ".join(map(clean, forwarders[:MAX_NAMED]))
    if len(forwarders) > MAX_NAMED:
        named += f" and {len(forwarders) - MAX_NAMED} more"
    return f"{named} {'forwards its' if len(forwarders) == 1 else 'forward their'} mail"


@account_group.command("disable")
@click.argument("address")
@json_option
@quiet_option
@click.pass_obj
def disable(context: Context, address: str, as_json: bool, quiet: bool) -> None:
    """Take no mail and let nobody in. Sessions end at once; what is in the maildrop stays."""
    with open_directory(context, quiet) as directory:
        account = directory.change_account(address, {"state": "off"})
        forwarders = _stranded(directory, account)
    _tell(account, None, "is off: it gets no mail, and nobody can log in", as_json, quiet)
    if not quiet:
        _note_stranded(account, forwarders)


@account_group.command("enable")
@click.argument("address")
@json_option
@quiet_option
@click.pass_obj
def enable(context: Context, address: str, as_json: bool, quiet: bool) -> None:
    """Take mail for an account, and let its owner in again. Its mail stays here, also where it was forwarded
    before it was disabled."""
    with open_directory(context, quiet) as directory:
        account = directory.account(address)
        if account["state"] == "forward":
            _tell(account, None, f"is not off: {clean(_state_text(account))}", as_json, quiet)
            return
        account = directory.change_account(address, {"state": "enabled"})
    _tell(account, None, "is enabled", as_json, quiet)
    if account["forward"] is not None and not quiet:
        name, target = clean(account["address"]), clean(account["forward"])
        note(
            f"Its mail is not forwarded to {target} any more; for that:  mailsuite account change {name} "
            "--state forward"
        )


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
        details = directory.details(address)
        account, forwarders = details["account"], details["forwarders"]
        name, maildrop = clean(account["address"]), _maildrop(context, account["address"])
        where = f"Its mail stays in {maildrop}"
        stranded = f"{_forwarders_text(forwarders)} to it: {_STRANDED}" if forwarders else ""
        if not (yes or dry_run or account["origin"] == "file"):  # that one is refused, with the reason
            confirm(f"Remove {name}? {where}" + (f"\n{stranded}" if stranded else ""))
        if not dry_run:
            directory.remove_account(account["address"])
    if as_json:
        document = {"account": account, "forwarders": forwarders, "maildrop": maildrop}
        print_json({**document, "removed": not dry_run})
    elif not quiet:
        click.echo(f"{name} {'would be ' if dry_run else ''}removed. {where}")
        if stranded:
            note(stranded)


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
    return "yes" if account["password"] else "none"


def _state_text(account: Document) -> str:
    """``enabled``, ``off, POP3 denied``, ``forward to ann@example.net, with a copy here``."""
    words = str(account["state"])
    if account["state"] == "forward":
        words += f" to {account['forward']}{', with a copy here' if account['keep_copy'] else ''}"
    return words if account["pop3"] == "allow" else f"{words}, POP3 denied"


def _stay_text(account: Document) -> str:
    """``read mail 30d, unread mail for ever``."""
    read, unread = account["delete_after"], account["delete_unread_after"]
    if read is None:
        return "as its domain says"
    words = {"never": "for ever", "retrieval": "until fetched"}
    return f"read mail {words.get(read, read)}, unread mail {words.get(unread, unread)}"


def _last_login_text(login: Document | None) -> str:
    if login is None:
        return "never"
    by = "its own password" if login["device"] is None else f'device "{login["device"]}"'
    return f"{login_text(login)}, {by}"


def _notifymail_text(account: Document) -> str:
    wish = account["notifymail"]
    if wish["state"] is None:
        return "default"
    if wish["state"] == "static" and wish["address"]:
        return f"static {wish['address']} port {wish['port']}"
    return str(wish["state"])
