"""``mailsuite undelete``: see what was deleted, bring it back, or forget it for good."""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import Final

import click

from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.control import Document, resource
from mailsuite.cli.options import json_option, quiet_option, yes_option
from mailsuite.cli.terminal import (
    clean,
    confirm,
    count_text,
    note,
    octets_text,
    print_json,
    print_table,
    time_text,
)

MAX_UIDLS: Final = 500
"""In one request, which holds 64 KiB; a UIDL has 70 characters at most."""
_COLUMNS: Final = ("DELETED", "SIZE", "UIDL")
_DAY_FORMATS: Final = ("%Y-%m-%d", "%Y-%m-%d %H:%M")


@click.command("undelete")
@click.argument("address")
@click.argument("uidls", nargs=-1, metavar="[UIDL]...")
@click.option("--all", "everything", is_flag=True, help="Bring back all that can be.")
@click.option(
    "--since",
    metavar="TIME",
    help='What was deleted since then: "2h", "3d" ago, "2026-11-18", "2026-11-18 09:15".',
)
@click.option("--list", "only_list", is_flag=True, help="Only say what could be brought back.")
@click.option("--purge", is_flag=True, help="Forget all of it now, for good.")
@yes_option
@json_option
@quiet_option
@click.pass_obj
def undelete(
    context: Context,
    *,
    address: str,
    uidls: tuple[str, ...],
    everything: bool,
    since: str | None,
    only_list: bool,
    purge: bool,
    yes: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Bring deleted mail back into an account's inbox, as it was. Without more than ADDRESS: list it."""
    if sum((bool(uidls), everything, since is not None, only_list, purge)) > 1:
        raise click.UsageError("UIDL, --all, --since, --list and --purge exclude each other")
    where = resource("accounts", address, "deleted")
    if purge:
        _purge(context, where, yes=yes, as_json=as_json, quiet=quiet)
    elif everything or since is not None:
        body = {"all": True} if since is None else {"since": _moment(since)}
        _tell_restored(context.control.post(where, body), as_json=as_json, quiet=quiet)
    elif uidls:
        _restore(context, where, list(dict.fromkeys(uidls)), as_json=as_json, quiet=quiet)
    else:
        _list(context.control.get(where), as_json=as_json, quiet=quiet)


def _list(document: Document, *, as_json: bool, quiet: bool) -> None:
    deleted = document["deleted"]
    if as_json:
        print_json(document)
    elif quiet:
        for message in deleted:
            click.echo(clean(message["uidl"]))
    elif deleted:
        print_table(_COLUMNS, map(_row, deleted), right=("SIZE",))
        usage = document["usage"]
        kept = count_text(usage["deleted_messages"], "deleted message")
        note(f"{kept}, {octets_text(usage['deleted_octets'])}, beside {_inbox(usage)} in the inbox.")
    else:
        note(f"Nothing that {clean(document['account'])} has deleted can be brought back.")


def _restore(context: Context, where: str, uidls: list[str], *, as_json: bool, quiet: bool) -> None:
    restored = 0
    for start in range(0, len(uidls), MAX_UIDLS):
        answer = context.control.post(where, {"uidls": uidls[start : start + MAX_UIDLS]})
        restored += answer["restored"]
    _tell_restored({**answer, "restored": restored}, as_json=as_json, quiet=quiet)
    if restored < len(uidls):
        missing = count_text(len(uidls) - restored, "message is", "messages are")
        raise CommandFailed(f"{missing} not among what {clean(answer['account'])} has deleted.")


def _tell_restored(answer: Document, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json(answer)
    elif not quiet:
        brought = count_text(answer["restored"], "message")
        click.echo(f"{brought} brought back for {clean(answer['account'])}.")


def _purge(context: Context, where: str, *, yes: bool, as_json: bool, quiet: bool) -> None:
    if not yes:
        document = context.control.get(where)
        usage = document["usage"]
        kept = count_text(usage["deleted_messages"], "deleted message")
        confirm(f"{clean(document['account'])} has {kept}. Forget them now, for good?")
    answer = context.control.delete(where)
    if as_json:
        print_json(answer)
    elif not quiet:
        click.echo(
            f"{count_text(answer['purged'], 'deleted message')} of {clean(answer['account'])} forgotten."
        )


def _row(message: Document) -> tuple[str, ...]:
    return time_text(message["at"]), octets_text(message["size"]), message["uidl"]


def _inbox(usage: Document) -> str:
    return f"{count_text(usage['messages'], 'message')}, {octets_text(usage['octets'])},"


def _moment(text: str) -> float:
    """Seconds since the epoch: a time of this place, or so long ago."""
    from mailsuite.config.kinds import BadValue  # noqa: PLC0415 - keeps --help fast
    from mailsuite.config.measures import Duration  # noqa: PLC0415

    for form in _DAY_FORMATS:
        try:
            return datetime.datetime.strptime(text, form).astimezone().timestamp()
        except ValueError:
            continue
    try:
        return time.time() - Duration().parse(text, Path())
    except BadValue as error:
        raise click.BadParameter(f"{error}, nor a day such as 2026-11-18", param_hint="'--since'") from error
