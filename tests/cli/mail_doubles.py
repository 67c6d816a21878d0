"""Small SMTP and POP3 servers on loopback, for the commands that speak those by hand."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import attrs

USER = "joe@example.test"
PASSWORD = "canary-3-pässwörd"


@attrs.define
class Wire:
    """One connection, line by line; goes over to TLS when asked."""

    connection: socket.socket
    buffer: bytes = b""

    def line(self) -> bytes | None:
        while b"\n" not in self.buffer:
            data = self.connection.recv(65536)
            if not data:
                return None
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def say(self, text: str | bytes) -> None:
        octets = text.encode() if isinstance(text, str) else text
        self.connection.sendall(octets if octets.endswith(b"\n") else octets + b"\r\n")

    def start_tls(self, context: ssl.SSLContext) -> None:
        self.connection = context.wrap_socket(self.connection, server_side=True)


@attrs.define
class Double:
    """What both have in common: one thread that serves one session after the other."""

    tls: ssl.SSLContext
    implicit_tls: bool = False
    replies: dict[str, str] = attrs.field(factory=dict)
    """What a command, by its first word, is answered instead of the usual."""
    seen: list[str] = attrs.field(factory=list)
    """The commands, each as it came."""
    under_tls: list[bool] = attrs.field(factory=list)
    port: int = 0

    @contextlib.contextmanager
    def serving(self, family: int = socket.AF_INET) -> Iterator[None]:
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        with socket.create_server((host, 0), family=family) as listening:
            self.port = listening.getsockname()[1]
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
            wire = Wire(connection)
            with contextlib.suppress(OSError):
                if self.implicit_tls:
                    wire.start_tls(self.tls)
                self._session(wire)
            wire.connection.close()
            connection.close()

    def _session(self, wire: Wire) -> None:
        self.greet(wire)
        while (line := wire.line()) is not None:
            text = line.decode("utf-8", "backslashreplace").removesuffix("\r\n")
            self.seen.append(text)
            word = text.split(" ")[0].upper()
            self.under_tls.append(isinstance(wire.connection, ssl.SSLSocket))
            if word in self.replies:
                wire.say(self.replies[word])
                continue
            if not self.answer(wire, word, text):
                return

    def greet(self, wire: Wire) -> None:
        wire.say(self.replies.get("GREETING", "220 mx.example.test ESMTP"))

    def answer(self, wire: Wire, word: str, text: str) -> bool:
        raise AssertionError("each double answers for itself")


@attrs.define
class SmtpDouble(Double):
    """Takes everything but recipients that begin with ``nobody``."""

    extensions: tuple[str, ...] = ("SIZE 1000000", "8BITMIME", "STARTTLS", "AUTH PLAIN LOGIN")
    messages: list[bytes] = attrs.field(factory=list)

    def answer(self, wire: Wire, word: str, text: str) -> bool:
        match word:
            case "EHLO":
                lines = ["mx.example.test", *self.extensions]
                marks = ["-"] * (len(lines) - 1) + [" "]
                wire.say("".join(f"250{mark}{line}\r\n" for mark, line in zip(marks, lines, strict=True)))
            case "STARTTLS":
                wire.say("220 go")
                wire.start_tls(self.tls)
            case "AUTH":
                self._login(wire, text)
            case "RCPT" if "<nobody" in text:
                wire.say("550 5.1.1 nobody of that name\x1b[2J")
            case "DATA":
                wire.say("354 go on")
                self._take(wire)
                wire.say("250 2.0.0 OK, queued as Q7F3K2.")
            case "QUIT":
                wire.say("221 bye")
                return False
            case _:
                wire.say("250 fine")
        return True

    def _login(self, wire: Wire, text: str) -> None:
        plain = f"\0{USER}\0{PASSWORD}"
        if text.startswith("AUTH PLAIN "):
            good = base64.b64decode(text.split(" ")[2]).decode() == plain
        else:
            wire.say("334 VXNlcm5hbWU6")
            user = base64.b64decode(wire.line() or b"").decode()
            wire.say("334 UGFzc3dvcmQ6")
            good = f"\0{user}\0" + base64.b64decode(wire.line() or b"").decode() == plain
        wire.say("235 in" if good else "535 5.7.8 no")

    def _take(self, wire: Wire) -> None:
        message = b""
        while (line := wire.line()) not in {b".\r\n", None}:
            assert line is not None
            message += line[1:] if line.startswith(b".") else line
        self.messages.append(message)


@attrs.define
class Pop3Double(Double):
    """A maildrop with some messages. ``gone`` are those that QUIT really deleted."""

    messages: list[bytes] = attrs.field(factory=list)
    offers_tls: bool = True
    gone: list[int] = attrs.field(factory=list)
    marked: list[int] = attrs.field(factory=list)
    extra: bytes = b""
    """What is said right after the answer to STLS, still in clear."""

    def greet(self, wire: Wire) -> None:
        wire.say(self.replies.get("GREETING", "+OK ready"))
        self.marked = []

    def answer(self, wire: Wire, word: str, text: str) -> bool:
        match text.split(" "):
            case ["CAPA"]:
                wire.say("+OK\r\nTOP\r\nUIDL\r\n" + ("STLS\r\n" if self.offers_tls else "") + ".\r\n")
            case ["STLS"]:
                wire.say(b"+OK go\r\n" + self.extra)
                wire.start_tls(self.tls)
            case ["PASS", *words]:
                wire.say("+OK in" if " ".join(words) == PASSWORD else "-ERR [AUTH] no\x1b[2J")
            case ["LIST"]:
                self._list(wire, [str(len(message)) for message in self.messages])
            case ["UIDL"]:
                self._list(wire, [f"uid/{number}" for number in range(1, len(self.messages) + 1)])
            case ["RETR", number]:
                self._body(wire, self.messages[int(number) - 1])
            case ["TOP", number, lines]:
                header, _, body = self.messages[int(number) - 1].partition(b"\r\n\r\n")
                rest = b"".join(body.splitlines(keepends=True)[: int(lines)])
                self._body(wire, header + b"\r\n\r\n" + rest)
            case ["DELE", number]:
                self.marked.append(int(number))
                wire.say("+OK")
            case ["QUIT"]:
                self.gone += self.marked
                wire.say("+OK bye")
                return False
            case _:
                wire.say("+OK")
        return True

    def _list(self, wire: Wire, values: list[str]) -> None:
        lines = "".join(f"{number} {value}\r\n" for number, value in enumerate(values, 1))
        wire.say(f"+OK\r\n{lines}.\r\n")

    def _body(self, wire: Wire, message: bytes) -> None:
        stuffed = message.replace(b"\r\n.", b"\r\n..")
        if message.startswith(b"."):
            stuffed = b"." + stuffed
        wire.say(b"+OK\r\n" + stuffed + b".\r\n")
