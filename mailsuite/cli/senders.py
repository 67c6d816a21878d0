"""``mailsuite sender``: whom accounts and domains take no mail from, and from whom all the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import click

from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.control import Document
from mailsuite.cli.directory import Directory, open_directory
from mailsuite.cli.imports import in_requests
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.terminal import clean, count_text, note, print_json, print_table

Word = Literal["block", "accept", "forget"]

MAX_AT_ONCE: Final = 500
"""Senders in one request."""
_DONE: Final[dict[Word, str]] = {"block": "blocked", "accept": "accepted", "forget": "forgotten"}

_owner = click.argument("owner")
_senders = click.argument("senders", nargs=-1)
_file = click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Those in this file too, one on each line: a kill file of another server.",
)


@click.group("sender")
def sender_group() -> None:
    """Whom accounts and domains take no mail from.

    OWNER is an account (joe@example.net) or a domain (example.net). A sender is an address, a domain, or
    what is below one: eve@example.org, example.org, *.example.org. What an account says comes before its
    domain, and that before the listener's lists.
    """


@sender_group.command("block")
@_owner
@_senders
@_file
@json_option
@quiet_option
@click.pass_obj
def block(
    context: Context, *, owner: str, senders: tuple[str, ...], file: Path | None, as_json: bool, quiet: bool
) -> None:
    """Take no more mail from these senders."""
    _set(context, owner, (*senders, *_in(file)), "block", as_json=as_json, quiet=quiet)


@sender_group.command("accept")
@_owner
@_senders
@_file
@json_option
@quiet_option
@click.pass_obj
def accept(
    context: Context, *, owner: str, senders: tuple[str, ...], file: Path | None, as_json: bool, quiet: bool
) -> None:
    """Take mail from these senders, whoever else blocks them."""
    _set(context, owner, (*senders, *_in(file)), "accept", as_json=as_json, quiet=quiet)


@sender_group.command("forget")
@_owner
@_senders
@json_option
@quiet_option
@click.pass_obj
def forget(context: Context, *, owner: str, senders: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Say nothing of these senders any more."""
    _set(context, owner, senders, "forget", as_json=as_json, quiet=quiet)


@sender_group.command("list")
@_owner
@json_option
@quiet_option
@click.pass_obj
def list_(context: Context, owner: str, as_json: bool, quiet: bool) -> None:
    """Both lists of an account or a domain."""
    with open_directory(context, quiet) as directory:
        found = directory.account(owner) if "@" in owner else directory.domain(owner)["domain"]
    if as_json:
        print_json(_lists(found))
        return
    rows = [
        *(("block", sender) for sender in found["block_senders"]),
        *(("accept", sender) for sender in found["accept_senders"]),
    ]
    if rows:
        print_table(("", "SENDER"), rows)
    elif not quiet:
        note(f"{clean(owner)} says nothing of any sender.")


def _in(file: Path | None) -> tuple[str, ...]:
    if file is None:
        return ()
    from mailsuite.policy.sender_files import SenderListError, read_sender_file  # noqa: PLC0415 - slow

    try:
        return tuple(entry.text for entry in read_sender_file(file).entries)
    except SenderListError as error:
        raise CommandFailed(clean(str(error))) from error


def _set(
    context: Context, owner: str, senders: Sequence[str], word: Word, *, as_json: bool, quiet: bool
) -> None:
    if not senders:
        raise click.UsageError("name a sender: eve@example.org, example.org, *.example.org")
    with open_directory(context, quiet) as directory:
        for some in in_requests(senders, str, MAX_AT_ONCE):
            found = _change(directory, owner, dict.fromkeys(some, word))
    if as_json:
        print_json(_lists(found))
    elif not quiet:
        named = clean(senders[0]) if len(senders) == 1 else count_text(len(senders), "sender")
        click.echo(f"{clean(owner)}: {named} {_DONE[word]}.")


def _change(directory: Directory, owner: str, senders: Document) -> Document:
    fields = {"senders": senders}
    return directory.change_account(owner, fields) if "@" in owner else directory.change_domain(owner, fields)


def _lists(found: Document) -> Document:
    return {name: found[name] for name in ("block_senders", "accept_senders")}
