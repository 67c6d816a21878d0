"""``mailsuite retention``: what would be deleted because it has stayed long enough."""

from __future__ import annotations

from typing import Final

import attrs
import click

from mailsuite.cli.context import Context
from mailsuite.cli.control import resource
from mailsuite.cli.directory import PATIENCE
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.terminal import clean, count_text, note, octets_text, print_json, print_table

_COLUMNS: Final = ("ACCOUNT", "MESSAGES", "SIZE")


@click.command("retention")
@click.option("--days", type=click.FloatRange(0, 36_500), default=0.0, help="In so many days from now.")
@json_option
@quiet_option
@click.pass_obj
def retention(context: Context, days: float, as_json: bool, quiet: bool) -> None:
    """What the next round of the server would delete; nothing is changed.

    That is what stayed longer than delete_after lets it, and what all devices with a view have deleted. With
    --quiet only the accounts.
    """
    control = attrs.evolve(context.control, timeout=PATIENCE)
    document = control.post(resource("retention"), {"days": days})
    accounts = document["accounts"]
    if as_json:
        print_json(document)
    elif quiet:
        for account in accounts:
            click.echo(clean(account["account"]))
    elif accounts:
        rows = [(one["account"], str(one["messages"]), octets_text(one["octets"])) for one in accounts]
        print_table(_COLUMNS, rows, right=("MESSAGES", "SIZE"))
        total = count_text(sum(one["messages"] for one in accounts), "message")
        note(f"{total} would be deleted{_when(days)}.")
    else:
        note(f"Nothing would be deleted{_when(days)}.")


def _when(days: float) -> str:
    return f" {days:g} days from now" if days else " now"
