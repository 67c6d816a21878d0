"""``mailsuite service``: stop and start one service while the others run."""

from __future__ import annotations

import time
from typing import Final

import attrs
import click

from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.control import Control, Document, resource
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.status import error_text
from mailsuite.cli.terminal import clean, count_text, print_json, print_table, time_text

_COLUMNS: Final = ("SERVICE", "STATUS", "SINCE", "LISTENS ON", "SESSIONS", "LAST ERROR")
_WORDS: Final = {"smtp": "SMTP", "submission": "SMTP submission", "lmtp": "LMTP", "pop3": "POP3"}
_GRACE: Final = 30
"""Seconds that sessions may go on: DRAIN_TIMEOUT of frontends/factory.py."""
_PATIENCE: Final = 90.0
"""Seconds for sessions to go on, to say goodbye, and for the last answers to end."""
_LOOK_INTERVAL: Final = 0.2
"""Seconds between two looks whether the sessions are gone."""

_now_option = click.option("--now", is_flag=True, help="End the sessions at once.")


@click.group("service")
def service_group() -> None:
    """The services smtp, submission, lmtp and pop3: stop, start and restart each while the others run.

    What is stopped stays stopped, over reloads and restarts of the server, until it is started again.
    """


@service_group.command("list")
@json_option
@quiet_option
@click.pass_obj
def list_(context: Context, as_json: bool, quiet: bool) -> None:
    """How each service is. With --quiet only the names of those that run."""
    document = context.control.get(resource("services"))
    if as_json:
        print_json(document)
    elif quiet:
        for service in document["services"]:
            if service["state"] == "running":
                click.echo(clean(service["service"]))
    else:
        print_table(_COLUMNS, map(_row, document["services"]))


@service_group.command("stop")
@click.argument("name")
@_now_option
@json_option
@quiet_option
@click.pass_obj
def stop(context: Context, name: str, now: bool, as_json: bool, quiet: bool) -> None:
    """Take no new connections, and return when the sessions are gone.

    They go on for up to 30 seconds; then they are told, and closed. What a session has marked as deleted
    stays, unless the client ends it by QUIT.
    """
    answer = _post(context.control, name, "stop", now)
    say = not (as_json or quiet)
    if say:
        click.echo(f"{_word(name)} takes no new connections. {_going_on(answer['sessions_before'], now)}")
    service = _wait_for_the_end(context.control, name, answer["service"])
    if as_json:
        print_json({**answer, "service": service})
    elif say:
        click.echo("stopped." if service["state"] == "stopped" else f"{clean(service['state'])} again.")


@service_group.command("start")
@click.argument("name")
@json_option
@quiet_option
@click.pass_obj
def start(context: Context, name: str, as_json: bool, quiet: bool) -> None:
    """Open the listeners as they are configured."""
    answer = _post(context.control, name, "start", False)
    _show_running(name, answer, as_json, quiet)


@service_group.command("restart")
@click.argument("name")
@_now_option
@json_option
@quiet_option
@click.pass_obj
def restart(context: Context, name: str, now: bool, as_json: bool, quiet: bool) -> None:
    """Stop, let the sessions go as a stop does, and start; return when it runs again."""
    if not (as_json or quiet):
        wait = "sessions end now" if now else f"sessions go on for up to {_GRACE} s first (--now ends them)"
        click.echo(f"{_word(name)} restarts; {wait}.")
    answer = _post(context.control, name, "restart", now)
    _show_running(name, answer, as_json, quiet)


def _post(control: Control, name: str, action: str, now: bool) -> Document:
    patient = attrs.evolve(control, timeout=_PATIENCE)
    return patient.post(resource("services", name), {"action": action, "now": now})


def _wait_for_the_end(control: Control, name: str, service: Document) -> Document:
    """Until nobody of it is left."""
    deadline = time.monotonic() + _PATIENCE
    while service["state"] == "draining":
        if time.monotonic() > deadline:
            raise CommandFailed(
                f"{count_text(service['sessions'], 'session')} did not end; see mailsuite who"
            )
        time.sleep(_LOOK_INTERVAL)
        service = control.get(resource("services", name))["service"]
    return service


def _show_running(name: str, answer: Document, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json(answer)
    elif not quiet:
        click.echo(f"{_word(name)} listens on {clean(_where(answer['service']))}.")


def _going_on(sessions: int, now: bool) -> str:
    if not sessions:
        return "No session is open."
    kept = "messages marked deleted are kept if a session is cut"
    if now:
        return f"{count_text(sessions, 'session')} {'ends' if sessions == 1 else 'end'} now; {kept}."
    goes = "goes" if sessions == 1 else "go"
    return (
        f"{count_text(sessions, 'session')} {goes} on for up to {_GRACE} s "
        f"(--now ends {'it' if sessions == 1 else 'them'}); {kept}."
    )


def _row(service: Document) -> tuple[str, ...]:
    return (
        service["service"],
        service["state"],
        time_text(service["since"]),
        _where(service),
        str(service["sessions"]),
        error_text(service["last_error"]) if service["last_error"] else "-",
    )


def _where(service: Document) -> str:
    return "  ".join("  ".join(listener["addresses"]) for listener in service["listeners"]) or "-"


def _word(name: str) -> str:
    return _WORDS.get(name, clean(name))
