"""``mailsuite key``: rotate."""

from __future__ import annotations

import click

from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.directory import open_directory
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.terminal import count_text, note, print_json


@click.group("key")
def key_group() -> None:
    """The key that device passwords and SCRAM verifiers are sealed with."""


@key_group.command("rotate")
@json_option
@quiet_option
@click.pass_obj
def rotate(context: Context, as_json: bool, quiet: bool) -> None:
    """Make a new key, seal everything again, then forget the old one.

    Nobody notices, and whoever interrupts it has lost nothing: the next one finishes the work.
    """
    with open_directory(context, quiet) as directory:
        done = directory.rotate_keys()
    if as_json:
        print_json(done)
    elif not quiet:
        devices = count_text(done["devices"], "device password")
        verifiers = count_text(done["verifiers"], "account's SCRAM verifiers", "accounts' SCRAM verifiers")
        click.echo(f"There is a new key. Sealed again: {devices}, {verifiers}.")
        if done["dropped"]:
            click.echo("The old keys are gone; make a new copy of the key file, and keep it elsewhere.")
    if done["unreadable"]:
        secrets = count_text(done["unreadable"], "secret")
        note(f"{secrets} could not be opened by any key: nobody can log in by them; make new ones.")
    if not done["dropped"]:
        raise CommandFailed("the old keys are kept, since secrets were changed all the while; run this again")
