"""``mailsuite ban``: list, add, remove."""

from __future__ import annotations

from typing import Final

import click

from mailsuite.cli.context import Context
from mailsuite.cli.control import Document, resource
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.terminal import clean, note, print_json, print_table, time_text

_COLUMNS: Final = ("NETWORK", "REASON", "SINCE", "UNTIL", "TIMES", "WHY")


@click.group("ban")
def ban_group() -> None:
    """Addresses that nobody talks to for a while, on any listener."""


@ban_group.command("list")
@json_option
@quiet_option
@click.pass_obj
def list_(context: Context, as_json: bool, quiet: bool) -> None:
    """All bans that hold, the newest first. With --quiet only their networks."""
    bans = context.control.get(resource("bans"))["bans"]
    if as_json:
        print_json({"bans": bans})
    elif quiet:
        for ban in bans:
            click.echo(clean(ban["network"]))
    elif not bans:
        note("Nobody is banned.")
    else:
        print_table(_COLUMNS, map(_row, bans), right=("TIMES",))


@ban_group.command("add")
@click.argument("network")
@click.option(
    "--for",
    "duration",
    metavar="TIME",
    default="24h",
    show_default=True,
    help="How long: 30m, 2h, 7d, or until-restart.",
)
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever reads the list.")
@json_option
@quiet_option
@click.pass_obj
def add(context: Context, *, network: str, duration: str, reason: str, as_json: bool, quiet: bool) -> None:
    """Ban an address or a network. Sessions that are open go on; mailsuite kick ends them."""
    asked: Document = {"network": network, "for": duration, "detail": reason}
    ban = context.control.post(resource("bans"), asked)["ban"]
    if as_json:
        print_json({"ban": ban})
    elif not quiet:
        click.echo(f"{clean(ban['network'])} is banned until {until_text(ban)}.")


@ban_group.command("remove")
@click.argument("network")
@json_option
@quiet_option
@click.pass_obj
def remove(context: Context, *, network: str, as_json: bool, quiet: bool) -> None:
    """Lift the ban of an address or a network, and forget it: a next one begins as if it were the first."""
    ban = context.control.delete(resource("bans", network))["ban"]
    if as_json:
        print_json({"ban": ban})
    elif not quiet:
        click.echo(f"The ban of {clean(ban['network'])} ({clean(ban['reason'])}) is lifted.")


def until_text(ban: Document) -> str:
    """When a ban ends."""
    return "the restart" if ban["until"] is None else time_text(ban["until"])


def _row(ban: Document) -> tuple[str, ...]:
    since = time_text(ban["since"])
    return ban["network"], ban["reason"], since, until_text(ban), str(ban["times"]), ban["detail"] or "-"
