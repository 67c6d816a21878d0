"""A ``sendmail`` command for the programs of this machine that expect one (features row S-B05).

Who calls is what the kernel tells the server, which decides from whom a message may come. There is no queue
of its own: what the running server does not take stays with whoever called, and the exit status says so.
"""

from __future__ import annotations

import os
import pwd
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Final

import click

from mailsuite.cli.bare_names import complete
from mailsuite.cli.context import Context
from mailsuite.cli.handover import Conversation, Envelope
from mailsuite.cli.mail_doors import MailDoor, door_of
from mailsuite.cli.message_stream import (
    CHUNK_OCTETS,
    chunks_of,
    until_lone_dot,
    whole,
    with_crlf,
    without_from_line,
)
from mailsuite.cli.sendmail_header import addresses_of, read_header
from mailsuite.cli.sendmail_options import Options, read_options
from mailsuite.cli.sysexits import Exit, MailFailed, sysexits
from mailsuite.cli.terminal import clean, note
from mailsuite.model.address import Address, AddressSyntaxError

SOCKET_VARIABLE: Final = "MAILSUITE_SUBMISSION_SOCKET"
"""Names the socket where the configuration cannot be read, and it is not in its usual place."""
_NOBODY: Final = ("", "<>")


def main() -> None:
    """The console script; also as ``mailq`` and ``newaliases``."""
    with sysexits("sendmail"):
        run(Path(sys.argv[0]).name, sys.argv[1:], Context())


class _Raw(click.Command):
    """Leaves all arguments to sendmail's own reading, the ``--`` among them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args == ["--help"]:
            return super().parse_args(ctx, args)
        ctx.params["arguments"] = tuple(args)
        return []


@click.command("sendmail", cls=_Raw)
@click.argument("arguments", nargs=-1, metavar="[OPTION]... [RECIPIENT]...")
@click.pass_obj
def sendmail(context: Context, arguments: tuple[str, ...]) -> None:
    """What /usr/sbin/sendmail does elsewhere: sendmail [-t] [-i] [-f SENDER] [RECIPIENT]...

    Hands a message from standard input to the running server, through the Unix socket of a submission
    listener. Exit status: as sysexits.h has them.
    """
    with sysexits("sendmail"):
        run("sendmail", arguments, context)


def run(called: str, arguments: Sequence[str], context: Context) -> None:
    """All that the program does. Raises MailFailed, OSError."""
    options = read_options(called, arguments)
    for warning in options.warnings:
        note(f"sendmail: {clean(warning)}")
    if options.config is not None:
        context = Context(options.config)
    match options.mode:
        case "queue":
            raise MailFailed(
                Exit.UNAVAILABLE, "there is no queue here: what the server takes is delivered at once"
            )
        case "aliases":
            return  # they are no file that would have to be compiled
        case "smtp":
            with _door(context).connect() as connection:
                _pass_on(connection)
        case "deliver":
            _deliver(options, context)


def _door(context: Context) -> MailDoor:
    named = os.environ.get(SOCKET_VARIABLE)
    return door_of(context, "submission", Path(named) if named else None)


def _deliver(options: Options, context: Context) -> None:
    if not options.recipients and not options.from_header:
        raise MailFailed(Exit.USAGE, "no recipient is named, neither here nor, with -t, by the header")
    typed = chunks_of(sys.stdin.buffer)
    with whole(without_from_line(until_lone_dot(typed) if options.dot_ends else typed)) as message:
        listener = note if options.verbose else _nobody
        with Conversation(_door(context).connect(), "smtp", listener) as conversation:
            _hand_over(options, message, conversation)


def _hand_over(options: Options, message: Iterator[bytes], conversation: Conversation) -> None:
    domain = conversation.host
    header, body = read_header(message)
    header = header.completed(domain)
    named = [each for text in options.recipients for each in addresses_of(complete(text, domain))]
    named += header.recipients() if options.from_header else ()
    if not named:
        raise MailFailed(Exit.USAGE, "the header names nobody")
    sender = _sender(options.sender, domain)
    if options.full_name and sender is not None:
        header = header.with_author(options.full_name, sender)
    envelope = Envelope(
        sender, tuple(dict.fromkeys(named)), options.body, options.notify, options.returned, options.id
    )
    conversation.hand_over(envelope, with_crlf(chain((header.without_bcc().octets(),), body)))


def _nobody(line: str) -> None:
    """Listens to nothing."""


def _sender(named: str | None, domain: str) -> Address | None:
    """Whom -f names, ``<>`` among them; else whoever calls. Raises MailFailed."""
    if named in _NOBODY:
        return None
    if named is not None:
        found = addresses_of(complete(named, domain))
        if len(found) != 1:
            raise MailFailed(Exit.USAGE, f"-f {clean(named)}: this is not one address")
        return found[0]
    try:
        return Address.of(pwd.getpwuid(os.geteuid()).pw_name, domain)
    except (KeyError, AddressSyntaxError) as error:
        raise MailFailed(Exit.NOPERM, "the system does not know who calls; name a sender with -f") from error


def _pass_on(connection: socket.socket) -> None:
    """Let the server talk with whoever is at standard input and output, until it has said goodbye. Who types
    ends lines by LF."""
    connection.settimeout(None)
    threading.Thread(target=_say, args=(connection,), daemon=True).start()
    while data := connection.recv(CHUNK_OCTETS):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def _say(connection: socket.socket) -> None:
    """All from standard input, then its end."""
    with suppress(OSError):  # the server has gone: whoever reads what it says will notice
        for chunk in with_crlf(chunks_of(sys.stdin.buffer)):
            connection.sendall(chunk)
        connection.shutdown(socket.SHUT_WR)
