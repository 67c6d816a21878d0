"""Handing a message to our own server, by SMTP or LMTP, without a queue of our own.

All recipients have to be taken before the message begins to flow, else it is handed over to nobody: whoever
called hears that nothing was delivered, and can say so to the sender.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Final, Literal

import attrs

from mailsuite.cli.message_stream import dot_stuffed
from mailsuite.cli.sysexits import (
    Exit,
    MailFailed,
    exit_of_message,
    exit_of_recipient,
    exit_of_sender,
    worst,
)
from mailsuite.cli.terminal import clean
from mailsuite.model.address import Address

Protocol = Literal["smtp", "lmtp"]

ANSWER_TIMEOUT: Final = 300.0
"""Seconds for an answer (RFC 5321 section 4.5.3.2)."""
END_TIMEOUT: Final = 600.0
"""Seconds for the answer to the message."""
MAX_LINE_OCTETS: Final = 4096
"""Of a line of an answer; our own server's have 512 at most."""
MAX_LINES: Final = 100

_LINE = re.compile(rb"([2-5][0-9]{2})([ -])(?:([245]\.[0-9]{1,3}\.[0-9]{1,3}) )?(.*)")
_XTEXT = re.compile(r"[^!-*,-<>-~]")
"""What xtext does not show as it is (RFC 3461 section 4)."""


@attrs.frozen
class Answer:
    """A reply of the server."""

    code: int
    enhanced: str
    text: str
    lines: tuple[str, ...] = ()
    """All of it, without codes."""

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.enhanced, self.text)))


@attrs.frozen
class Envelope:
    """Who sends to whom, and what the sender wants to hear of it (RFC 3461). ``sender`` None is ``<>``."""

    sender: Address | None
    recipients: tuple[Address, ...]
    body: str = "8BITMIME"
    notify: str = ""
    """``NEVER``, or ``SUCCESS``, ``FAILURE`` and ``DELAY`` with commas between them."""
    returned: str = ""
    """``FULL`` or ``HDRS``."""
    id: str = ""


def _nobody(line: str) -> None:
    """Listens to nothing."""


class Conversation:
    """One session with the server, from the greeting on where it is entered. All methods raise MailFailed,
    TEMPFAIL where the connection breaks."""

    def __init__(
        self, connection: socket.socket, protocol: Protocol, listener: Callable[[str], None] = _nobody
    ) -> None:
        connection.settimeout(ANSWER_TIMEOUT)
        self._connection = connection
        self._file: IO[bytes] = connection.makefile("rb")
        self._protocol = protocol
        self._listener = listener
        self._offers: dict[str, str] = {}
        self.host = ""
        """What the server calls itself."""

    def _greet(self) -> None:
        greeting = self._answer()
        if greeting.code != 220:
            self._refuse(greeting)
        self.host = greeting.text.split(" ", 1)[0]
        hello = self._ask("LHLO localhost" if self._protocol == "lmtp" else "EHLO localhost")
        if hello.code != 250:
            self._refuse(hello)
        offers = (line.partition(" ") for line in hello.lines[1:])
        self._offers = {name.upper(): arguments for name, _, arguments in offers}

    def hand_over(self, envelope: Envelope, message: Iterable[bytes]) -> Answer:
        """Give the message, whose lines end with CRLF, to all recipients; the last answer."""
        self._begin(envelope)
        answer = self._ask("DATA")
        if answer.code != 354:
            raise MailFailed(exit_of_message(answer.code, answer.enhanced), str(answer))
        for chunk in dot_stuffed(message):
            self._send(chunk)
        self._listener("C: (the message)")
        self._connection.settimeout(END_TIMEOUT)
        answers = [self._answer() for _ in (envelope.recipients if self._protocol == "lmtp" else (None,))]
        self._judge(envelope.recipients, answers)
        return answers[-1]

    def __enter__(self) -> Conversation:
        try:
            self._greet()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye, but after a failure: within a message nobody would hear it, and without its end the
        server throws away what it has of one."""
        if error is None:
            with suppress(MailFailed):  # it is done, however the server takes its leave
                self._ask("QUIT")
        self._close()

    def _close(self) -> None:
        self._file.close()
        self._connection.close()

    def _begin(self, envelope: Envelope) -> None:
        sender = "" if envelope.sender is None else str(envelope.sender)
        answer = self._ask(f"MAIL FROM:<{sender}>{self._parameters(envelope)}")
        if answer.code != 250:
            raise MailFailed(exit_of_sender(answer.code, answer.enhanced), f"sender <{sender}>: {answer}")
        notify = f" NOTIFY={envelope.notify}" if envelope.notify and "DSN" in self._offers else ""
        refused: list[tuple[Address, Answer]] = []
        for recipient in envelope.recipients:
            answer = self._ask(f"RCPT TO:<{recipient}>{notify}")
            if answer.code not in {250, 251}:
                refused.append((recipient, answer))
        if refused:
            words = [f"{recipient}: {answer}" for recipient, answer in refused]
            if len(refused) < len(envelope.recipients):
                words.append("so the message was handed over to nobody")
            raise MailFailed(
                worst(exit_of_recipient(answer.code, answer.enhanced) for _, answer in refused),
                "\n".join(words),
            )

    def _parameters(self, envelope: Envelope) -> str:
        found = []
        if "8BITMIME" in self._offers:
            found.append(f"BODY={envelope.body}")
        addresses = [*envelope.recipients, *([envelope.sender] if envelope.sender else [])]
        if "SMTPUTF8" in self._offers and not all(address.is_ascii for address in addresses):
            found.append("SMTPUTF8")
        if "DSN" in self._offers:
            found += [f"RET={envelope.returned}"] if envelope.returned else []
            found += [f"ENVID={_xtext(envelope.id)}"] if envelope.id else []
        return "".join(f" {each}" for each in found)

    def _judge(self, recipients: Sequence[Address], answers: Sequence[Answer]) -> None:
        failed = [
            (answer, f"{recipient}: {answer}" if self._protocol == "lmtp" else str(answer))
            for recipient, answer in zip(recipients, answers, strict=False)
            if answer.code >= 400
        ]
        if failed:
            status = worst(exit_of_message(answer.code, answer.enhanced) for answer, _ in failed)
            raise MailFailed(status, "\n".join(words for _, words in failed))

    def _refuse(self, answer: Answer) -> None:
        """Nothing was said of the message yet: whoever may not come in now keeps it, whatever the code, until
        somebody has mended that (Postfix: smtp_skip_5xx_greeting)."""
        raise MailFailed(Exit.TEMPFAIL, str(answer))

    def _ask(self, line: str) -> Answer:
        self._listener(f"C: {clean(line)}")
        self._send(line.encode("utf-8") + b"\r\n")
        return self._answer()

    def _send(self, octets: bytes) -> None:
        try:
            self._connection.sendall(octets)
        except OSError as error:
            raise _broken(error) from error

    def _answer(self) -> Answer:
        lines: list[str] = []
        while len(lines) < MAX_LINES:
            code, enhanced, text, is_last = self._line()
            lines.append(text)
            if is_last:
                return Answer(code, enhanced, lines[0], tuple(lines))
        raise MailFailed(Exit.TEMPFAIL, "the server answered with too many lines")

    def _line(self) -> tuple[int, str, str, bool]:
        try:
            line = self._file.readline(MAX_LINE_OCTETS)
        except OSError as error:
            raise _broken(error) from error
        found = _LINE.fullmatch(line.rstrip(b"\r\n"))
        if not line.endswith(b"\n") or found is None:
            raise MailFailed(
                Exit.TEMPFAIL, "the server ended the connection" if not line else "the server speaks no SMTP"
            )
        code, mark, enhanced, text = found.groups(default=b"")
        shown = clean(text.decode("utf-8", "backslashreplace"))
        told = " ".join(filter(None, (enhanced.decode(), shown)))
        self._listener(f"S: {code.decode()}{mark.decode()}{told}")
        return int(code), enhanced.decode("ascii"), shown, mark == b" "


def _broken(error: OSError) -> MailFailed:
    reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
    return MailFailed(Exit.TEMPFAIL, f"the connection to the server broke: {reason}")


def _xtext(text: str) -> str:
    return _XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", text)
