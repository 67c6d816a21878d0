"""``mailsuite deliver``: a local delivery agent. Another mail server gives a message on standard input, and
learns by the exit status what has become of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click

from mailsuite.cli.context import Context
from mailsuite.cli.handover import Conversation, Envelope
from mailsuite.cli.mail_doors import door_of
from mailsuite.cli.message_stream import chunks_of, whole, with_crlf, without_from_line
from mailsuite.cli.sysexits import Exit, MailFailed, sysexits
from mailsuite.cli.terminal import clean
from mailsuite.model.address import Address, AddressSyntaxError

_NAME: Final = "mailsuite deliver"
_NOBODY: Final = {"", "<>", "MAILER-DAEMON"}
"""How mail servers write the null sender."""


class _Agent(click.Command):
    """Ends with EX_USAGE where it is called in the wrong way."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.show()
            raise SystemExit(int(Exit.USAGE)) from error


@click.command("deliver", cls=_Agent)
@click.argument("recipients", nargs=-1, metavar="[RECIPIENT]...")
@click.option("-f", "sender", default="", metavar="SENDER", help="The envelope's sender; else nobody, <>.")
@click.option("-a", "further", multiple=True, metavar="ADDRESS", help="A recipient, too.")
@click.option(
    "--socket",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The LMTP socket of the running server; else the one of the configuration.",
)
@click.pass_obj
def deliver(
    context: Context, recipients: tuple[str, ...], sender: str, further: tuple[str, ...], socket: Path | None
) -> None:
    """Deliver a message from standard input to accounts of the running server.

    Exit status, as sysexits.h has them: 0 it is safe, 64 wrong usage, 65 the message is at fault, 67 no such
    mailbox, 69 not for this mailbox, 75 come again, 77 refused, 78 no listener for lmtp. Unless all
    recipients are taken nobody gets anything.
    """
    with sysexits(_NAME):
        named = tuple(dict.fromkeys(map(_address, (*recipients, *further))))
        if not named:
            raise MailFailed(Exit.USAGE, "no recipient is named")
        origin = None if sender in _NOBODY else _address(sender)
        door = door_of(context, "lmtp", socket)
        typed = without_from_line(chunks_of(sys.stdin.buffer))
        with whole(typed) as message, Conversation(door.connect(), "lmtp") as conversation:
            conversation.hand_over(Envelope(origin, named), with_crlf(message))


def _address(text: Any) -> Address:
    """``joe@example.net``, with or without angle brackets. Raises MailFailed."""
    inner = text[1:-1] if text.startswith("<") and text.endswith(">") else text
    try:
        return Address.parse(inner)
    except AddressSyntaxError as error:
        raise MailFailed(Exit.USAGE, f"{clean(text)} is no mail address: {error}") from error
