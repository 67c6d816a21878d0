"""Who would be locked out by a setting, as ``mailsuite config check --what-if`` tells it."""

from __future__ import annotations

from typing import Any, Final

import click

from mailsuite.cli.control import Document
from mailsuite.cli.terminal import clean, count_text, print_table, time_text

_REASONS: Final = {
    "no-apop-device": "has no device password for APOP",
    "apop-not-used": "has a device password for APOP, and does not use it",
    "shows-password": "uses APOP, but a program of it shows a password",
    "uses-apop": "uses APOP",
}
_COLUMNS: Final = ("ACCOUNT", "WHY", "PROGRAM", "FROM", "LOGIN", "LAST TIME")


def print_foretold(document: Document) -> None:
    """First who is locked out, then who was not seen, then how many are not concerned."""
    setting = f'{document["setting"]} = "{document["value"]}"'
    locked_out, not_seen = document["locked_out"], document["not_seen"]
    if locked_out:
        would = "account would be locked out", "accounts would be locked out"
        click.echo(f"{setting}: {count_text(len(locked_out), *would)}:")
        print_table(_COLUMNS, [row for entry in locked_out for row in _rows(entry)])
    else:
        click.echo(f"{setting}: nobody who logged in these {document['days']} days would be locked out.")
    if not_seen:
        was = "account was", "accounts were"
        click.echo(f"{count_text(len(not_seen), *was)} not seen in {document['days']} days:")
        for entry in not_seen:
            click.echo(f"  {clean(entry['account'])}  {_apop_text(entry)}")
    rest = "account is", "accounts are"
    click.echo(f"{count_text(document['unaffected'], *rest)} not concerned.")
    for note in document["notes"]:
        click.echo(f"note: {clean(note)}")
    lacking = any(entry["reason"] == "no-apop-device" for entry in locked_out)
    lacking |= any(not entry["another_way"] for entry in not_seen)
    if document["value"] == "require" and lacking:
        click.echo("A device password for APOP:  mailsuite device add ADDRESS NAME --apop")


def _rows(entry: Document) -> list[tuple[str, ...]]:
    """One for each client; account and reason stand in the first."""
    first = (entry["account"], _REASONS.get(entry["reason"], entry["reason"]))
    return [
        (
            *(first if number == 0 else ("", "")),
            _program(client),
            client["peer"],
            client["mechanism"],
            time_text(client["at"]),
        )
        for number, client in enumerate(entry["clients"])
    ]


def _program(client: dict[str, Any]) -> str:
    return "own password" if client["device"] is None else str(client["device"])


def _apop_text(entry: Document) -> str:
    names = ", ".join(f'"{clean(name)}"' for name in entry["apop_devices"])
    text = f"has APOP for {names}" if names else "has no device password for APOP"
    return text if entry["another_way"] else f"{text}, and no other way in"
