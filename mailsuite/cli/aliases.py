"""``mailsuite alias``: add, remove, list, show, import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mailsuite.cli.alias_desk import alias_desk
from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.control import Document
from mailsuite.cli.directory import open_directory
from mailsuite.cli.imports import Report, in_requests
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.terminal import clean, count_text, note, print_json, print_table

if TYPE_CHECKING:
    from mailsuite.accounts.aliases import ImportedAlias

MAX_FILE_OCTETS: Final = 16 << 20
"""Of the file, and of each that it includes."""
MAX_ALIASES: Final = 200
OUTCOMES: Final = ("made", "changed", "unchanged", "refused")
SHOWN: Final = 5
"""Targets that the list names."""


@click.group("alias")
def alias_group() -> None:
    """Addresses that stand for others."""


@alias_group.command("add")
@click.argument("address")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@json_option
@quiet_option
@click.pass_obj
def add(context: Context, *, address: str, targets: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Send mail for ADDRESS to each TARGET, also where it goes to others already.

    A TARGET is an account, another alias, or a name of the same domain; :discard throws mail away.
    """
    with open_directory(context, quiet) as directory:
        done, made = alias_desk(context, directory).add(address, targets)
    if as_json:
        print_json({"alias": done["alias"], "nobody": done["nobody"], "made": made})
    elif not quiet:
        click.echo(f"{_line(done['alias'])}{'' if made else '  (changed)'}")
    if not quiet:
        _note_nobody(done["nobody"])


@alias_group.command("remove")
@click.argument("address")
@click.argument("targets", nargs=-1, metavar="[TARGET...]")
@json_option
@quiet_option
@click.pass_obj
def remove(context: Context, *, address: str, targets: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Remove an alias; or, where some are named, these of its targets."""
    with open_directory(context, quiet) as directory:
        done = alias_desk(context, directory).remove(address, targets)
    if as_json:
        print_json(done)
    elif not quiet:
        left = done["alias"]
        click.echo(f"{clean(address)} removed." if left is None else f"{_line(left)}  (changed)")


@alias_group.command("list")
@click.option("--to", "target", metavar="ADDRESS", help="Those that lead there at once.")
@json_option
@quiet_option
@click.pass_obj
def list_(context: Context, target: str | None, as_json: bool, quiet: bool) -> None:
    """All aliases, those of the configuration file too. With --quiet only their addresses."""
    with open_directory(context, quiet) as directory:
        aliases = alias_desk(context, directory).aliases(target)
    if as_json:
        print_json({"aliases": aliases})
    elif quiet:
        for alias in aliases:
            click.echo(clean(alias["address"]))
    elif not aliases:
        none = "There is no alias yet." if target is None else f"No alias leads to {clean(target)}."
        note(f"{none} Make one:  mailsuite alias add sales@example.net you@example.net")
    else:
        rows = [(alias["address"], _targets_text(alias, SHOWN), alias["origin"]) for alias in aliases]
        print_table(("ALIAS", "LEADS TO", "KEPT IN"), rows)


@alias_group.command("show")
@click.argument("address")
@json_option
@click.pass_obj
def show(context: Context, address: str, as_json: bool) -> None:
    """One alias: all its targets, and the aliases that lead to it."""
    with open_directory(context) as directory:
        details = alias_desk(context, directory).alias(address)
    if as_json:
        print_json(details)
        return
    alias = details["alias"]
    click.echo(f"{'address':<12} {clean(alias['address'])}")
    for number, target in enumerate(alias["targets"] or ["nobody: mail is thrown away"]):
        nobody = "  (there is nobody of that name)" if target in details["nobody"] else ""
        click.echo(f"{'leads to' if not number else '':<12} {clean(target)}{nobody}")
    for number, other in enumerate(details["aliases"]):
        click.echo(f"{'reached by' if not number else '':<12} {clean(other)}")
    click.echo(f"{'kept in':<12} {clean(alias['origin'])}")


@alias_group.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--domain", metavar="DOMAIN", help="Of names without one; else pop3.default_domain.")
@click.option("--overwrite", is_flag=True, help="Change aliases that are there to what the file says.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@json_option
@quiet_option
@click.pass_obj
def import_(
    context: Context,
    *,
    file: Path,
    domain: str | None,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Take the aliases of a file as /etc/aliases is: of sendmail, Postfix or Exim.

    Lists that it includes are read, too. What is for a program or a file is refused, with its line. A second
    import of the same file changes nothing. FILE may be - for stdin.
    """
    from mailsuite.accounts.alias_file import AliasFile  # noqa: PLC0415 - keeps --help fast

    domain = domain or context.config.pop3.default_domain
    try:
        text = _text(file)
    except OSError as error:
        raise CommandFailed(f"{clean(str(file))}: {error.strerror or error}") from error
    aliases, results = AliasFile(domain, _text).read(text)
    with open_directory(context, quiet) as directory:
        desk = alias_desk(context, directory)
        for some in chunks(aliases):
            results += desk.take(some, overwrite=overwrite, dry_run=dry_run)
    results.sort(key=lambda result: result.line)
    Report("aliases", OUTCOMES, dry_run, as_json, quiet).tell(results, {"refused"})
    refused = sum(result.outcome == "refused" for result in results)
    if refused:
        raise CommandFailed(
            f"{count_text(refused, 'alias', 'aliases')} of {clean(str(file))} could not be taken"
        )


def _text(path: Path) -> str:
    """Raises OSError."""
    with click.open_file(str(path), "rb") as stream:
        octets = stream.read(MAX_FILE_OCTETS + 1)
    if len(octets) > MAX_FILE_OCTETS:
        raise OSError(f"longer than {MAX_FILE_OCTETS >> 20} MiB")
    return str(octets, "utf-8-sig", "replace")


def chunks(aliases: list[ImportedAlias]) -> Iterator[list[ImportedAlias]]:
    """The aliases, so many at a time as one request takes."""
    from mailsuite.accounts.aliases import alias_to_json  # noqa: PLC0415 - keeps --help fast

    return in_requests(aliases, alias_to_json, MAX_ALIASES)


def _line(alias: Document) -> str:
    return f"{clean(alias['address'])} -> {clean(_targets_text(alias, SHOWN))}"


def _targets_text(alias: Document, most: int) -> str:
    targets = alias["targets"]
    if not targets:
        return "nobody: mail is thrown away"
    more = len(targets) - most
    return ", ".join(targets[:most]) + (f" and {more} more" if more > 0 else "")


def _note_nobody(nobody: list[str]) -> None:
    for address in nobody[:SHOWN]:
        note(f"There is nobody of the name {clean(address)} yet: mail for it goes nowhere.")
