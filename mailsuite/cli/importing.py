"""``mailsuite account import``: accounts out of another server's file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import click

from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.control import resource
from mailsuite.cli.directory import Directory, OfServer, OfStore, open_directory
from mailsuite.cli.imports import Report, in_requests
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.terminal import clean, count_text

if TYPE_CHECKING:
    from mailsuite.accounts.import_file import ImportedAccount, Result

MAX_ACCOUNTS: Final = 50
"""Of one request: a few seconds of hashing at most."""
PATIENCE: Final = 120.0
"""Seconds for one request: its passwords take their turn among those of people who log in."""
OUTCOMES: Final = ("made", "changed", "unchanged", "skipped", "refused")
_FORMATS: Final = ("passwd-file", "shadow", "csv")

Advance = Callable[[int], object]


@attrs.frozen
class Wish:
    """What is to be done with the accounts."""

    overwrite: bool
    dry_run: bool


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option(
    "--format",
    "format_",
    type=click.Choice(_FORMATS),
    help="What kind of file it is; found out where nothing is said.",
)
@click.option("--domain", metavar="DOMAIN", help="Of names without one; else pop3.default_domain.")
@click.option("--overwrite", is_flag=True, help="Change accounts that are there to what the file says.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@json_option
@quiet_option
@click.pass_obj
def import_(
    context: Context,
    *,
    file: Path,
    format_: str | None,
    domain: str | None,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make the accounts of a Dovecot passwd-file, a shadow file or a CSV file.

    Passwords come along as hashes, and are hashed anew when their owners log in. A second import of the
    same file changes nothing. FILE may be - for stdin.
    """
    from mailsuite.accounts.import_file import (  # noqa: PLC0415 - keeps --help fast
        in_order,
        without_circles,
        without_forwards_within,
    )

    accounts, results = _read(file, format_, domain or context.config.pop3.default_domain)
    accounts, circles = without_circles(accounts)
    results += circles
    if dry_run:
        accounts = without_forwards_within(accounts)
    with open_directory(context, quiet) as directory, _progress(len(accounts), as_json or quiet) as advance:
        for some in chunks(in_order(accounts)):
            results += _take(directory, some, Wish(overwrite, dry_run))
            advance(len(some))
    results.sort(key=lambda result: result.line)
    told = {"refused"} if quiet else set(OUTCOMES)
    Report("accounts", OUTCOMES, dry_run, as_json, quiet).tell(results, told)
    refused = sum(result.outcome == "refused" for result in results)
    if refused:
        raise CommandFailed(f"{count_text(refused, 'line')} of {clean(str(file))} could not be taken")


def _read(file: Path, format_: str | None, domain: str) -> tuple[list[ImportedAccount], list[Result]]:
    from mailsuite.accounts.import_file import MAX_FILE_OCTETS, FileRefused  # noqa: PLC0415 - keeps --help fast
    from mailsuite.accounts.import_formats import read_file  # noqa: PLC0415

    shown = clean(str(file))
    try:
        with click.open_file(str(file), "rb") as stream:
            octets = stream.read(MAX_FILE_OCTETS + 1)
    except OSError as error:
        raise CommandFailed(f"{shown}: {error.strerror}") from error
    if len(octets) > MAX_FILE_OCTETS:
        raise CommandFailed(f"{shown}: longer than {MAX_FILE_OCTETS >> 20} MiB")
    text = octets.decode("utf-8-sig", "surrogateescape")
    try:
        return read_file(text, domain, format_)
    except FileRefused as error:
        raise CommandFailed(f"{shown}: {error}") from error


def chunks(accounts: list[ImportedAccount]) -> Iterator[list[ImportedAccount]]:
    """The accounts, so many at a time as one request takes."""
    from mailsuite.accounts.importing import account_to_json  # noqa: PLC0415 - keeps --help fast

    return in_requests(accounts, account_to_json, MAX_ACCOUNTS)


def _take(directory: Directory, accounts: list[ImportedAccount], wish: Wish) -> list[Result]:
    """Have them taken by whoever is in charge: the running server, or we ourselves."""
    from mailsuite.accounts.import_file import Result  # noqa: PLC0415 - keeps --help fast
    from mailsuite.accounts.importing import Importer, account_to_json  # noqa: PLC0415
    from mailsuite.concurrent.now import run_now  # noqa: PLC0415

    if isinstance(directory, OfServer):
        control = attrs.evolve(directory.control, timeout=PATIENCE)
        body = {"accounts": [account_to_json(account) for account in accounts], **attrs.asdict(wish)}
        answer = control.post(resource("accounts", "import"), body)
        return [Result(**result) for result in answer["results"]]
    assert isinstance(directory, OfStore)  # noqa: S101 - there is no third
    importer = Importer(directory.office.registry, wish.overwrite, wish.dry_run)
    return run_now(importer.take(accounts))


@contextmanager
def _progress(total: int, hidden: bool) -> Iterator[Advance]:
    """A bar on stderr, where that is a terminal."""
    if hidden or not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console  # noqa: PLC0415 - keeps --help fast
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda count: progress.advance(task, count)
