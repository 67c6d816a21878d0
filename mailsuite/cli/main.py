"""The ``mailsuite`` command: nouns, then verbs. A command's module is imported when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

import attrs
import click

from mailsuite import __version__, garbage
from mailsuite.cli.context import CommandFailed, Context


@attrs.frozen
class Place:
    """Where a command is defined, and the line of the overview."""

    module: str
    attribute: str
    summary: str
    hidden: bool = False


COMMANDS: Final = {
    "serve": Place("serve", "serve", "Run the suite in the foreground."),
    "status": Place("status", "status", "One screen: is it well?"),
    "reload": Place("reload", "reload", "Check the configuration, then apply what changed."),
    "service": Place("services", "service_group", "Start, stop and restart a service alone."),
    "who": Place("who", "who", "Who is connected."),
    "kick": Place("who", "kick", "End sessions at once."),
    "queue": Place("queue", "queue_group", "Mail that waits for other servers."),
    "account": Place("accounts", "account_group", "Make, show, change and remove accounts."),
    "alias": Place("aliases", "alias_group", "Addresses that stand for others."),
    "sender": Place("senders", "sender_group", "Whom accounts and domains take no mail from."),
    "route": Place("route", "route", "Where mail for an address goes, and why."),
    "device": Place("devices", "device_group", "Device passwords: one for each mail program."),
    "undelete": Place("deleted", "undelete", "Bring deleted mail back, or forget it for good."),
    "retention": Place("retention", "retention", "What mail would be deleted by its age."),
    "domain": Place("domains", "domain_group", "The domains whose mail is ours."),
    "auth": Place("auth", "auth_group", "Try a login without a mail program."),
    "access": Place("access", "access_group", "Who may connect, by address."),
    "ban": Place("ban", "ban_group", "Addresses that nobody talks to for a while."),
    "key": Place("keys", "key_group", "The key that recoverable secrets are sealed with."),
    "config": Place("config", "config_group", "Check, show and explain the configuration."),
    "log": Place("log", "log_group", "Watch what one mail program says."),
    "metrics": Place("metrics", "metrics", "The figures that Prometheus reads."),
    "notify": Place("notify", "notify_group", "Who is told of new mail, how, and how it went."),
    "send": Place("send", "send", "Send a message: speak SMTP by hand."),
    "fetch": Place("fetch", "fetch", "List and fetch messages: speak POP3 by hand."),
    "bench": Place("bench", "bench_group", "A source and a sink of mail, to see what a server bears."),
    "deliver": Place("deliver", "deliver", "Deliver a message from standard input, for another mail server."),
    "sendmail": Place("sendmail", "sendmail", "Hand a message in as /usr/sbin/sendmail does."),
    "password-hash": Place("password", "password_hash", "Print the hash of a password for mailsuite.toml."),
    "demo": Place("demo", "demo", "What ./run does.", hidden=True),
}


class LazyCommand(click.Command):
    """Stands for a command in the overview until it is called."""

    def __init__(self, name: str, place: Place) -> None:
        super().__init__(name, short_help=place.summary, hidden=place.hidden)
        self._place = place

    def load(self) -> click.Command:
        command: click.Command = getattr(
            import_module(f"mailsuite.cli.{self._place.module}"), self._place.attribute
        )
        return command


class LazyGroup(click.Group):
    """A group whose overview imports none of its commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, rest

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table: what is run first stands first."""
        return list(self.commands)


@click.group(
    cls=LazyGroup,
    commands={name: LazyCommand(name, place) for name, place in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The configuration; else MAILSUITE_CONFIG, else /etc/mailsuite/mailsuite.toml if it is there.",
)
@click.version_option(__version__, message="mailsuite %(version)s")
@click.pass_context
def cli(click_context: click.Context, config: Path | None) -> None:
    """A mail server: SMTP takes mail in, POP3 hands it over, NotifyMail tells that it is there.

    Exit status: 0 done, 1 failed, 2 wrong usage, 3 server not reachable, 4 a check found problems.
    """
    click_context.obj = Context(config)


def main() -> None:
    """The console script. What the system refuses, a full disk for the output say, is told in one line."""
    _fill_standard_streams()
    try:
        with garbage.of_a_program():
            cli(prog_name="mailsuite")
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        click.echo(f"mailsuite: {file}{error.strerror or error}", err=True)
        _discard_output()
        sys.exit(CommandFailed.exit_code)


def _fill_standard_streams() -> None:
    """Open the closed ones on nothing. Else the next file that is opened would be taken for one of them,
    and a log line could go into somebody's mail."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The lowest free descriptor is the one that is missing.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - stays open


def _discard_output() -> None:
    """What could not be written is not tried again at the exit."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
