"""``mailsuite reload``: the running server checks its configuration, then applies what changed."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import Any, Final

import click

from mailsuite.cli.context import Context, ProblemsFound
from mailsuite.cli.control import Document, Refused, resource
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.terminal import clean, count_text, print_json

HTTP_PROBLEMS: Final = 422
APPLIED: Final = {
    "live": "applied",
    "new sessions": "applied; sessions that were open before stay as they are",
    "restart": "takes effect at the next start",
}


@click.command("reload")
@click.option(
    "--force", is_flag=True, help="Also where the new configuration keeps out the address that you come from."
)
@json_option
@quiet_option
@click.pass_obj
def reload(context: Context, force: bool, as_json: bool, quiet: bool) -> None:
    """Let the running server read its configuration again.

    Sessions go on; only who could not log in again as they did, because an account or a device is gone or may
    do less, is logged out. A service that was stopped stays so.

    Exit status 4: the configuration has errors, and the server keeps its settings.
    """
    try:
        document = context.control.post(resource("reload"), {"force": force, "from": _caller()})
    except Refused as refused:
        if refused.status == HTTP_PROBLEMS:
            raise _problems(refused.document, as_json) from refused
        raise
    if as_json:
        print_json(document)
    elif not quiet:
        _print(document)


def _caller() -> str | None:
    """Where who calls us has logged in from: the first word of SSH_CONNECTION (ssh(1))."""
    address = os.environ.get("SSH_CONNECTION", "").partition(" ")[0].partition("%")[0]
    try:
        return str(ip_address(address))
    except ValueError:
        return None


def _problems(document: Document, as_json: bool) -> ProblemsFound:
    if as_json:
        print_json(document)
    problems = [clean(str(problem)) for problem in document.get("problems", ())]
    end = f"{count_text(len(problems), 'problem')}. The running server keeps its settings."
    return ProblemsFound("\n".join((*problems, end)))


def _print(document: Document) -> None:
    changed, opened, closed = document["changed"], document["opened"], document["closed"]
    ended = document["ended"]
    if not (changed or opened or closed or ended):
        click.echo("checked, nothing changed.")
        return
    click.echo(f"checked, {count_text(len(changed), 'setting')} changed{':' if changed else '.'}")
    rows = [(clean(one["key"]), f"{_text(one['old'])} -> {_text(one['new'])}", one) for one in changed]
    key_width = max((len(key) for key, _, _ in rows), default=0)
    change_width = max((len(change) for _, change, _ in rows), default=0)
    for key, change, one in rows:
        applied = APPLIED.get(one["applied"], clean(str(one["applied"])))
        click.echo(f"  {key:<{key_width}}   {change:<{change_width}}   {applied}")
    for word, listeners in (("opened", opened), ("closed", closed)):
        for listener in listeners:
            click.echo(f"  {word} {_text(listener)}")
    click.echo(_ended_text(ended))


def _ended_text(ended: int) -> str:
    if not ended:
        return "No session was closed."
    return f"{count_text(ended, 'session')} ended: the account or the device may not log in so any more."


def _text(value: Any) -> str:
    """A setting as a person writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    if value is None or value == "":
        return '""'
    return clean(str(value))
