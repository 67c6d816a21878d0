"""A small server on a Unix socket that takes mail by SMTP and by LMTP, for the programs that hand it in."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import attrs

from tests.cli.mail_doubles import Wire


@attrs.define
class DoorDouble:
    """Takes everything but what *replies* answers otherwise, by the whole command or its first word."""

    path: Path
    greeting: str = "220 example.test ESMTP"
    extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN")
    replies: dict[str, str] = attrs.field(factory=dict)
    ends: list[str] = attrs.field(factory=list)
    """What the message is answered, once for each recipient where LMTP is spoken."""
    seen: list[str] = attrs.field(factory=list)
    messages: list[bytes] = attrs.field(factory=list)
    """Those that came to their end."""
    broken: list[bytes] = attrs.field(factory=list)
    """What came of those that did not."""
    recipients: int = 0

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(self.path))
            listening.listen()
            thread = threading.Thread(target=self._accept, args=(listening,))
            thread.start()
            try:
                yield
            finally:
                listening.shutdown(socket.SHUT_RDWR)
                thread.join()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.settimeout(20)
            with connection, contextlib.suppress(OSError):
                self._session(Wire(connection))

    def _session(self, wire: Wire) -> None:
        wire.say(self.greeting)
        while (line := wire.line()) is not None:
            text = line.decode("utf-8").removesuffix("\r\n")
            self.seen.append(text)
            verb = text.split(" ")[0].upper()
            reply = self.replies.get(text) or self.replies.get(verb)
            if reply is not None:
                if not reply:
                    return
                wire.say(reply)
            elif not self._answer(wire, verb):
                return

    def _answer(self, wire: Wire, verb: str) -> bool:
        match verb:
            case "EHLO" | "LHLO":
                self.is_lmtp, lines = verb == "LHLO", ["example.test", *self.extensions]
                marks = ["-"] * (len(lines) - 1) + [" "]
                wire.say("".join(f"250{mark}{line}\r\n" for mark, line in zip(marks, lines, strict=True)))
            case "MAIL":
                self.recipients = 0
                wire.say("250 2.1.0 fine")
            case "RCPT":
                self.recipients += 1
                wire.say("250 2.1.5 fine")
            case "DATA":
                wire.say("354 go")
                return self._message(wire)
            case "QUIT":
                wire.say("221 2.0.0 bye")
                return False
        return True

    is_lmtp: bool = attrs.field(default=False, init=False)

    def _message(self, wire: Wire) -> bool:
        message = b""
        while (line := wire.line()) != b".\r\n":
            if line is None:
                self.broken.append(message)
                return False
            message += line.removeprefix(b".")
        self.messages.append(message)
        for number in range(self.recipients if self.is_lmtp else 1):
            answer = self.ends[number] if number < len(self.ends) else "250 2.0.0 queued as 1"
            if not answer:
                return False
            wire.say(answer)
        return True
