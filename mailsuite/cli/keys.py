"""``mailsuite key``: rotate, new."""

from __future__ import annotations

import click

from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.directory import open_directory, without_server
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.terminal import count_text, note, print_json


@click.group("key")
def key_group() -> None:
    """The key that device passwords, SCRAM verifiers and secrets of subscriptions are sealed with."""


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
        subscriptions = count_text(done["subscriptions"], "subscription")
        click.echo(f"There is a new key. Sealed again: {devices}, {verifiers}, {subscriptions}.")
        if done["dropped"]:
            click.echo("The old keys are gone; make a new copy of the key file, and keep it elsewhere.")
    if done["unreadable"]:
        secrets = count_text(done["unreadable"], "secret")
        note(f"{secrets} could not be opened by any key, and are of no use any more; make new ones.")
    if not done["dropped"]:
        raise CommandFailed("the old keys are kept, since secrets were changed all the while; run this again")
    if done["unreadable"]:
        raise click.exceptions.Exit(CommandFailed.exit_code)


@key_group.command("new")
@quiet_option
@click.pass_obj
def new(context: Context, quiet: bool) -> None:
    """Make a key file where it is lost, and no copy was kept.

    Whatever was sealed with the lost one stays unreadable: device passwords and subscriptions are to be made
    anew.
    A file that is there is left alone.
    """
    if context.control.is_listening():
        raise CommandFailed(
            "mailsuite is running, and has the key yet: `mailsuite key rotate` writes the file"
        )
    from mailsuite.keys import new_key  # noqa: PLC0415 - takes half a second

    with without_server(context):
        new_key(context.config)
    if not quiet:
        click.echo("There is a new key. Make a copy of the key file, and keep it elsewhere.")
        click.echo("Device passwords that were made before are lost: `mailsuite device list` says which.")
        click.echo("So are subscriptions to notices; their owners make new ones.")
