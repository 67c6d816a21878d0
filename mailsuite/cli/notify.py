"""``mailsuite notify``: who is told of new mail, and a program that is told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from mailsuite.cli.notices import LOOKS
from mailsuite.cli.notices_changes import CHANGES
from mailsuite.cli.options import address_type

if TYPE_CHECKING:
    from mailsuite.model.account import IPAddress

FIRST_DESCRIPTOR = 3
"""Where handed-over sockets begin: SD_LISTEN_FDS_START of sd_listen_fds(3)."""


@click.group("notify")
def notify_group() -> None:
    """Who is told of new mail, how, and how it went."""


for command in (*LOOKS, *CHANGES):
    notify_group.add_command(command)


@notify_group.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--port", type=click.IntRange(0, 65535), default=79, show_default=True, help="0: any port that is free."
)
@click.option(
    "--bind",
    "address",
    type=address_type,
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="0.0.0.0 or :: lets mail servers elsewhere knock.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
@click.option("--once", is_flag=True, help="End after the first knock.")
@click.option("--run", "runs", is_flag=True, help="Run COMMAND at a knock instead of printing a line.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def listen(
    *, port: int, address: IPAddress, as_json: bool, once: bool, runs: bool, command: tuple[str, ...]
) -> None:
    """Wait for knocks (RFC 4146) and print a line for each, or run COMMAND.

    COMMAND is everything after the options, and runs without a shell, never twice at a time; the knock is
    a line of JSON on its standard input. A flood of knocks makes one line, or one run, in five seconds.
    """
    if runs != bool(command):
        raise click.UsageError("--run and COMMAND belong together:  --run fetchmail --check")
    if command:
        program = shutil.which(command[0])
        if program is None:
            raise click.UsageError(f"there is no program {command[0]!r}")
        command = (program, *command[1:])

    inherited = handed_over(os.environ)
    from twisted.internet.task import deferLater, react  # noqa: PLC0415 - keeps --help fast

    from mailsuite.client.listening import ListenProgram, Wishes  # noqa: PLC0415

    async def main(reactor: Any) -> None:
        await deferLater(reactor, 0)  # from here on signals end the program in order
        wishes = Wishes(address, port, command, as_json, once, inherited)
        await ListenProgram(reactor, wishes, click.echo, _complain, _now).run()

    react(main)


def handed_over(environment: Mapping[str, str]) -> tuple[int, ...]:
    """The sockets of a systemd socket unit (sd_listen_fds(3)).

    Twisted's own reader of these variables takes them out of the environment when its endpoints are imported.
    """
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return ()
    return tuple(range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count)))


def _complain(line: str) -> None:
    click.echo(line, err=True)


def _now() -> datetime:
    return datetime.now().astimezone()
