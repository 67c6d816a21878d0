"""How much mail accounts have and may have, in words."""

from __future__ import annotations

from typing import Final

import click

from mailsuite.cli.context import Context
from mailsuite.cli.control import Document
from mailsuite.cli.directory import open_directory
from mailsuite.cli.terminal import clean, count_text, note, octets_text, print_json, print_table

QUOTA_HELP: Final = (
    "How much mail it may have: 2GiB, or with a number of messages 2GiB,10000; 0: no limit; default: as "
    "somebody else says."
)
MAXIMUM_HELP: Final = (
    "The largest message that is sent or taken, as 20MiB, below what others allow; default: as they say."
)
LANGUAGE_HELP: Final = (
    "The language of what the server writes to people: en or de; default: as somebody else says."
)
NEAR: Final = 80
"""Percent. Where the owner is warned first."""


def quota_text(quota: Document | None) -> str:
    """``2.0 GiB, 10000 messages``; ``no limit``; ``-`` where nothing is said."""
    if quota is None or (quota["octets"] is None and quota["messages"] is None):
        return "-"
    words = []
    if quota["octets"]:
        words.append(octets_text(quota["octets"]))
    if quota["messages"]:
        words.append(count_text(quota["messages"], "message"))
    return ", ".join(words) or "no limit"


def has_limit(quota: Document) -> bool:
    """Whether anything is limited."""
    return bool(quota["octets"] or quota["messages"])


def usage_rows(usage: Document | None) -> tuple[tuple[str, str], ...]:
    """What is in the maildrop, and apart from that what could be brought back; the server knows."""
    if usage is None:
        return ()
    mail = _mail_text(usage)
    if not usage["deleted_messages"]:
        return (("mail", mail),)
    deleted = f"{count_text(usage['deleted_messages'], 'message')}, {octets_text(usage['deleted_octets'])}"
    return ("mail", mail), ("deleted", f"{deleted}, can be brought back: mailsuite undelete")


def quota_rows(quota: Document | None, percent: int | None) -> tuple[tuple[str, str], ...]:
    """What holds, whoever says so, and how much of it is used."""
    if quota is None:
        return ()
    text = quota_text(quota)
    limited = bool(quota["octets"] or quota["messages"])
    return (("quota", f"{text} ({percent} percent used)" if limited else "no limit"),)


def limit_rows(owner: Document) -> tuple[tuple[str, str], ...]:
    """What an account or a domain says of sizes, senders and its language, as far as it says something."""
    rows = []
    if owner.get("max_message") is not None:
        rows.append(("largest", f"messages up to {octets_text(owner['max_message'])}"))
    block, accept = (len(owner.get(name, ())) for name in ("block_senders", "accept_senders"))
    if block or accept:
        rows.append(("senders", f"{block} blocked, {accept} accepted: mailsuite sender list"))
    if owner.get("language") is not None:
        rows.append(("language", owner["language"]))
    return tuple(rows)


def list_usage(context: Context, *, near_quota: bool, as_json: bool, quiet: bool) -> None:
    """All accounts with their usage, or those alone that are near their quota."""
    with open_directory(context, quiet) as directory:
        accounts = directory.usage()
    if near_quota:
        accounts = [one for one in accounts if one["percent"] >= NEAR]
    if as_json:
        print_json({"accounts": accounts})
    elif quiet:
        for one in accounts:
            click.echo(clean(one["account"]))
    elif accounts:
        columns = ("ADDRESS", "MESSAGES", "SIZE", "QUOTA", "USED", "DELETED")
        print_table(columns, map(_row, accounts), right=("MESSAGES", "SIZE", "USED", "DELETED"))
    else:
        note(
            f"No account has used {NEAR} percent of its quota." if near_quota else "There is no account yet."
        )


def _row(one: Document) -> tuple[str, ...]:
    usage, quota = one["usage"], one["quota"]
    limited = quota["octets"] or quota["messages"]
    return (
        one["account"],
        str(usage["messages"]),
        octets_text(usage["octets"]),
        quota_text(quota) if limited else "no limit",
        f"{one['percent']} %" if limited else "-",
        octets_text(usage["deleted_octets"]),
    )


def _mail_text(usage: Document) -> str:
    return f"{count_text(usage['messages'], 'message')}, {octets_text(usage['octets'])}"
