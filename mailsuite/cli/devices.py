"""``mailsuite device``: add, list, remove."""

from __future__ import annotations

from typing import Any, Final

import click

from mailsuite.cli.context import Context
from mailsuite.cli.control import Document
from mailsuite.cli.directory import open_directory
from mailsuite.cli.options import json_option, quiet_option, yes_option
from mailsuite.cli.terminal import (
    SERVICE_WORDS,
    clean,
    confirm,
    day_text,
    login_text,
    note,
    print_json,
    print_table,
    time_text,
)

_COLUMNS: Final = ("NAME", "WORKS FOR", "FROM", "VIEW", "MADE", "LAST USE", "EXPIRES", "KEPT IN")


@click.group("device")
def device_group() -> None:
    """Device passwords: one for each mail program, which can be taken back alone."""


@device_group.command("add")
@click.argument("address")
@click.argument("name")
@click.option(
    "--apop", is_flag=True, help="It can do APOP; for this the password is kept so that we can read it."
)
@click.option("--cram-md5", is_flag=True, help="It can do CRAM-MD5; kept likewise.")
@click.option("--ntlm", is_flag=True, help="It can do NTLM; kept likewise.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(tuple(SERVICE_WORDS)),
    multiple=True,
    help="What it may be used for, as often as needed; else pop3 and submission.",
)
@click.option("--network", "networks", metavar="CIDR", multiple=True, help="From where; else from anywhere.")
@click.option(
    "--expires", metavar="YYYY-MM-DD", help="The day from whose beginning on, in UTC, it is refused."
)
@click.option(
    "--own-view",
    is_flag=True,
    help="It sees the maildrop as its own: what it deletes stays there for the other devices.",
)
@click.option(
    "--sender", metavar="ADDRESS", help="The one address it may send from; else all of the account."
)
@click.option(
    "--recipient",
    "recipients",
    metavar="ADDRESS",
    multiple=True,
    help="Whom it may send to, *@example.com for a whole domain; else anybody.",
)
@json_option
@quiet_option
@click.pass_obj
def add(
    context: Context,
    /,
    *,
    address: str,
    name: str,
    scopes: tuple[str, ...],
    networks: tuple[str, ...],
    expires: str | None,
    own_view: bool,
    sender: str | None,
    recipients: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    **mechanisms: bool,
) -> None:
    """Make a password for one mail program, and print it once."""
    wanted = [option.replace("_", "-") for option, chosen in mechanisms.items() if chosen]
    given: Document = {
        "name": name,
        "mechanisms": wanted,
        "scopes": list(scopes),
        "networks": list(networks),
        "expires": expires,
        "view": own_view,
        "sender": sender,
        "recipients": list(recipients),
    }
    with open_directory(context, quiet) as directory:
        device, password = directory.add_device(
            address, {key: given[key] for key in given if given[key] or key == "name"}
        )
    if as_json:
        print_json({"device": device, "generated": password})
    elif quiet:
        click.echo(password)
    else:
        click.echo(f"Password, shown once:  {password}        works for: {clean(_works_for(device))}")
        _note_what_is_not_offered(context, wanted)


def _note_what_is_not_offered(context: Context, wanted: list[str]) -> None:
    if not wanted:
        return
    from mailsuite.accounts.offers import MECHANISMS, offers  # noqa: PLC0415 - keeps --help fast

    offered = {
        name for service in MECHANISMS for each in offers(context.config, service) for name in each.mechanisms
    }
    for mechanism in wanted:
        if mechanism.upper() not in offered:
            setting = "pop3.apop" if mechanism == "apop" else "pop3.auth and submission.auth"
            note(f"{mechanism.upper()} is not offered by any listener yet; see {setting}.")


@device_group.command("list")
@click.argument("address", required=False)
@json_option
@quiet_option
@click.pass_obj
def list_(context: Context, address: str | None, as_json: bool, quiet: bool) -> None:
    """The devices of one account, or of all; never their passwords. With --quiet only their names."""
    with open_directory(context, quiet) as directory:
        devices = directory.devices(address)
    if as_json:
        print_json({"devices": devices})
    elif quiet:
        for device in devices:
            click.echo(clean(device["name"] if address else f"{device['account']} {device['name']}"))
    elif not devices:
        note(f"There is no device yet. Make one:  mailsuite device add {clean(address or 'ADDRESS')} NAME")
    elif address:
        print_table(_COLUMNS, map(_row, devices))
    else:
        print_table(("ACCOUNT", *_COLUMNS), [(device["account"], *_row(device)) for device in devices])


@device_group.command("remove")
@click.argument("address")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@yes_option
@json_option
@quiet_option
@click.pass_obj
def remove(
    context: Context, *, address: str, name: str, dry_run: bool, yes: bool, as_json: bool, quiet: bool
) -> None:
    """Take a device password back. Sessions that it opened end at once."""
    with open_directory(context, quiet) as directory:
        device = directory.device(address, name)
        account = clean(device["account"])
        what = f'The device "{clean(device["name"])}" of {account}'
        if not (yes or dry_run or device["origin"] == "file"):  # that one is refused, with the reason
            used = clean(login_text(device["last_use"]))
            confirm(f"{what} was used last: {used}. Remove it?")
        if not dry_run:
            directory.remove_device(device["account"], device["name"])
    if as_json:
        print_json({"device": device, "removed": not dry_run})
    elif not quiet:
        click.echo(f"{what} {'would be ' if dry_run else ''}removed.")


def _row(device: Document) -> tuple[str, ...]:
    return (
        device["name"],
        _works_for(device),
        ", ".join(device["networks"]) or "anywhere",
        device["view"],
        time_text(device["created"]) if device["created"] else "-",
        login_text(device["last_use"]),
        day_text(device["expires"]) if device["expires"] else "never",
        device["origin"],
    )


def _works_for(device: Document) -> str:
    """``POP3 (APOP, USER/PASS over TLS), SMTP submission as printer@example.net``."""
    words = ", ".join(_use(scope, device["mechanisms"]) for scope in device["scopes"])
    sender, recipients = device["sender"], device["recipients"]
    return (
        words + (f" as {sender}" if sender else "") + (f" to {', '.join(recipients)}" if recipients else "")
    )


def _use(scope: str, mechanisms: list[str]) -> str:
    words: dict[str, Any] = {"pop3": ("USER/PASS", ()), "submission": ("PLAIN", ("apop",))}
    shown, impossible = words.get(scope, ("", mechanisms))
    able = [mechanism.upper() for mechanism in mechanisms if mechanism not in impossible]
    service = SERVICE_WORDS.get(scope, scope)
    return f"{service} ({', '.join(able)}, {shown} over TLS)" if able else service
