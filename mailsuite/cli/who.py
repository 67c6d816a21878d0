"""``mailsuite who`` and ``mailsuite kick``: the sessions of the running server."""

from __future__ import annotations

import time
from typing import Final

import click

from mailsuite.cli.context import Context
from mailsuite.cli.control import Document, Refused, resource
from mailsuite.cli.options import json_option, quiet_option, yes_option
from mailsuite.cli.status import duration_text
from mailsuite.cli.terminal import clean, confirm, count_text, note, octets_text, print_json, print_table

HTTP_NOT_FOUND: Final = 404
_COLUMNS: Final = (
    "ID",
    "SERVICE",
    "ACCOUNT",
    "DEVICE",
    "ADDRESS",
    "TLS",
    "SINCE",
    "IN",
    "OUT",
    "IDLE",
)

_IMPATIENT_COLUMNS: Final = ("ACCOUNT", "DEVICE", "ADDRESS", "REFUSED", "COMES EVERY", "LAST")


@click.command("who")
@click.argument("who", required=False, metavar="[ACCOUNT|ADDRESS|ID]")
@click.option("--service", metavar="NAME", help="Only those of smtp, submission or pop3.")
@click.option(
    "--too-often",
    is_flag=True,
    help="Instead: which programs were refused because they came again before LOGIN-DELAY was over.",
)
@json_option
@quiet_option
@click.pass_obj
def who(
    context: Context, *, who: str | None, service: str | None, too_often: bool, as_json: bool, quiet: bool
) -> None:
    """Who is connected: all sessions, or those of one account, client address or session id.

    With --quiet only their ids.
    """
    if too_often:
        if who is not None or service is not None:
            raise click.UsageError("--too-often tells of all programs, and takes nothing else")
        _show_impatient(context, as_json)
        return
    sessions = _sessions(context, who)
    if service is not None:
        sessions = [session for session in sessions if session["service"] == service]
    if as_json:
        print_json({"sessions": sessions})
    elif quiet:
        for session in sessions:
            click.echo(clean(session["id"]))
    elif sessions:
        print_table(_COLUMNS, map(_row, sessions), right=("IN", "OUT"))
    else:
        note("Nobody is here.")


def _show_impatient(context: Context, as_json: bool) -> None:
    found = list(context.control.get(resource("impatient"))["impatient"])
    if as_json:
        print_json({"impatient": found})
    elif found:
        print_table(_IMPATIENT_COLUMNS, map(_impatient_row, found), right=("REFUSED",))
    else:
        note("Nobody comes too often.")


def _impatient_row(program: Document) -> tuple[str, ...]:
    return (
        clean(program["account"]),
        clean(program["device"]) or "-",
        program["address"],
        str(program["refusals"]),
        duration_text(program["interval"]),
        f"{duration_text(program['ago'])} ago",
    )


@click.command("kick")
@click.argument("who", nargs=-1, required=True, metavar="WHO...")
@yes_option
@json_option
@quiet_option
@click.pass_obj
def kick(context: Context, who: tuple[str, ...], yes: bool, as_json: bool, quiet: bool) -> None:
    """End sessions at once: WHO is a session's id, an account (all of its sessions) or a client's address.

    What a session has marked as deleted stays. Nobody is kept from coming back.
    """
    for each in who:
        meant = _sessions(context, each)
        if not yes and meant:
            confirm(f"{clean(each)} has {count_text(len(meant), 'session')}. End {_them(meant)}?")
    ended: dict[str, Document] = {}
    missing: list[Refused] = []
    for each in who:
        ended |= {session["id"]: session for session in _ended(context, each, missing)}
    if missing and not ended:
        raise missing[0]
    for refused in missing:
        note(str(refused))
    if as_json:
        print_json({"sessions": list(ended.values())})
    elif not quiet:
        click.echo(f"{count_text(len(ended), 'session')} ended.")


def _sessions(context: Context, who: str | None) -> list[Document]:
    document = context.control.get(resource("sessions") if who is None else resource("sessions", who))
    sessions: list[Document] = document["sessions"]
    return sessions


def _ended(context: Context, who: str, missing: list[Refused]) -> list[Document]:
    """The sessions that were ended; where there was none, that is added to *missing*."""
    try:
        sessions: list[Document] = context.control.delete(resource("sessions", who))["sessions"]
    except Refused as refused:
        if refused.status != HTTP_NOT_FOUND:
            raise
        missing.append(refused)
        return []
    return sessions


def _them(sessions: list[Document]) -> str:
    return "it" if len(sessions) == 1 else "them"


def _row(session: Document) -> tuple[str, ...]:
    box = f"+{session['box']}" if session["box"] else ""
    return (
        session["id"],
        session["service"],
        f"{session['account']}{' ' + box if box else ''}" if session["account"] else "-",
        session["device"] or "-",
        session["address"],
        session["tls"].partition(" ")[0] or "-",
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(session["since"])),
        octets_text(session["octets_in"]),
        octets_text(session["octets_out"]),
        duration_text(session["idle"]),
    )
