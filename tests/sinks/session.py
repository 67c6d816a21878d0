"""One session of a sink, in a thread of its own: SMTP or LMTP, as the script wants it."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from tests.sinks import manners
from tests.sinks.offer import Offer, asked_name
from tests.sinks.record import Ending, Recipient, Record, Session, Tls, Transaction
from tests.sinks.script import Act, Leave, Point, Say, Scene, Script, Wait
from tests.sinks.wire import Over, Wire

_PATH = re.compile(r"(?:FROM|TO):<([^>]*)>((?: \S+)*)\Z", re.IGNORECASE)


@attrs.define(eq=False)
class Dialogue:
    """Reads, answers and records until the session is over."""

    wire: Wire
    session: Session
    record: Record
    offer: Offer
    script: Script
    _begun: Transaction | None = attrs.field(default=None, init=False)
    _chunks: list[bytes] = attrs.field(factory=list, init=False)

    def run(self) -> None:
        ended: Ending = "client"
        why = ""
        try:
            if self.offer.implicit:
                self._handshake()
            self._answer("CONNECT", f"220 {self.offer.name} ESMTP", expected=2)
            while True:
                self._command()
        except Over as over:
            ended, *reason = over.args
            why = "".join(reason)
        except (OSError, ValueError) as error:  # ValueError: it was closed from outside
            why = f"{type(error).__name__}: {error}"
        finally:
            self._give_up()
            with contextlib.suppress(OSError):
                self.wire.socket.close()
            self.record.end(self.session, ended, why)

    def shut(self) -> None:
        """End it, from any thread."""
        self.wire.shut()

    def _command(self) -> None:
        line = self.wire.line()
        text = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
        word, _, rest = text.partition(" ")
        verb = word.upper()
        secret = verb == "AUTH"
        self.session.commands.append(" ".join(text.split(" ")[:2]) if secret else text)
        self.session.pipelined += bool(self.wire.unread)
        for fault in manners.of_line(line, verb):
            self.record.fault(fault)
        for fault in manners.of_order(verb, self._names(), bool(self.wire.unread)):
            self.record.fault(fault)
        self.record.changed()
        known: Mapping[str, Callable[[str], object]] = {
            ("LHLO" if self.offer.lmtp else "EHLO"): self._ehlo,
            "HELO": self._helo,
            "STARTTLS": self._starttls,
            "AUTH": self._auth,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "BDAT": self._bdat,
            "RSET": self._rset,
            "NOOP": lambda _: self._answer("NOOP", "250 2.0.0 Ok"),
            "QUIT": self._quit,
        }
        run = known.get(verb)
        if run is None:
            self.wire.send(b"502 5.5.1 What is that?\r\n")
        else:
            run(rest)

    # Acting

    def _answer(self, point: Point, usual: str, key: str = "", expected: int = 0) -> int:
        """Do what the script says, or say what is usual; the code that was said. *expected*: the first digit
        without which the session is over."""
        code = self.wire.perform(self._act(point, key), usual)
        if expected and code // 100 != expected:
            raise Over("sink")
        return code

    def _act(self, point: Point, key: str = "") -> Act | None:
        begun = self._begun
        sender, taken = (begun.sender, tuple(_accepted(begun))) if begun else ("", ())
        return self.script.act(Scene(point, key, self.session.number, sender, taken))

    # Commands

    def _names(self) -> set[str]:
        """What has been offered: nothing before EHLO, and nothing to HELO."""
        if not self.session.hello.startswith(("EHLO", "LHLO")):
            return set()
        return {word.split(" ")[0] for word in self._offered()}

    def _offered(self) -> list[str]:
        return self.offer.offered(self.session.tls is not None)

    def _ehlo(self, name: str) -> None:
        self._give_up()
        lines = [self.offer.name, *self._offered()]
        usual = "\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])
        verb: Point = "LHLO" if self.offer.lmtp else "EHLO"
        if self._answer(verb, usual, name) // 100 == 2:
            self._greeted(f"{verb} {name}")

    def _helo(self, name: str) -> None:
        self._give_up()
        if self._answer("HELO", f"250 {self.offer.name}", name) // 100 == 2:
            self._greeted(f"HELO {name}")

    def _greeted(self, hello: str) -> None:
        self.session.hello = hello
        self.record.changed()

    def _starttls(self, _: str) -> None:
        if self.offer.tls is None or self.session.tls:
            self.wire.send(b"503 5.5.1 Not now\r\n")
            return
        if self._answer("STARTTLS", "220 2.0.0 Go ahead") == 220:
            self.wire.unread = b""
            self._handshake()
            self.session.hello = ""

    def _handshake(self) -> None:
        act = self._act("TLS")
        if isinstance(act, Say):
            self.wire.more()  # what is said before the client's hello would stand in the clear behind the 220
        self.wire.perform(act)
        if isinstance(act, Say):
            raise Over("sink")
        assert self.offer.tls is not None
        wrapped = self.offer.tls.wrap_socket(
            self.wire.socket, server_side=True, do_handshake_on_connect=False
        )
        self.wire.socket = wrapped
        wrapped.do_handshake()
        cipher = wrapped.cipher()
        self.session.tls = Tls(wrapped.version() or "", cipher[0] if cipher else "", asked_name(wrapped))
        self.record.changed()

    def _auth(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        if "AUTH" not in self._names() or mechanism.upper() not in {"PLAIN", "LOGIN"}:
            self.wire.send(b"504 5.5.4 No such mechanism\r\n")
            return
        try:
            if mechanism.upper() == "PLAIN":
                _, name, password = _text(initial or self._asked("334 ")).split("\0")
            else:
                name = _text(initial or self._asked("334 VXNlcm5hbWU6"))
                password = _text(self._asked("334 UGFzc3dvcmQ6"))
        except ValueError:
            self.wire.send(b"501 5.5.2 No base64\r\n")
            return
        right = self.offer.logins.get(name) == password
        usual = "235 2.7.0 Welcome" if right else "535 5.7.8 Who are you?"
        if self._answer("AUTH", usual, name) == 235:
            self.session.login = name
            self.record.changed()

    def _asked(self, challenge: str) -> str:
        self.wire.send(challenge.encode() + b"\r\n")
        answer = self.wire.line().strip().decode()
        return "" if answer == "*" else answer

    def _mail(self, rest: str) -> None:
        found = _PATH.match(rest)
        if found is None or not rest.upper().startswith("FROM"):
            self.record.fault(f"MAIL {rest[:80]}")
            self.wire.send(b"501 5.5.4 Syntax\r\n")
            return
        if self._begun or not self.session.hello:
            self.record.fault(f"MAIL in the wrong place: {rest[:80]}")
            self.wire.send(b"503 5.5.1 Not now\r\n")
            return
        sender, parameters = found[1], tuple(found[2].split())
        self._check_words(rest, parameters, parameters)
        if self.offer.logins and not self.session.login:
            usual = "530 5.7.0 Log in first"
        elif self.offer.size is not None and _size(parameters) > self.offer.size:
            usual = "552 5.3.4 Too large"
        else:
            usual = "250 2.1.0 Ok"
        code = self._answer("MAIL", usual, sender)
        if code // 100 == 2:
            self._begun = Transaction(self.session, sender, parameters)

    def _check_words(self, line: str, parameters: Sequence[str], of_mail: Sequence[str]) -> None:
        for fault in manners.of_parameters(parameters, self._names()):
            self.record.fault(fault)
        if not line.isascii() and "SMTPUTF8" not in {word.upper() for word in of_mail}:
            self.record.fault(f"UTF-8 without SMTPUTF8: {line[:80]}")

    def _rcpt(self, rest: str) -> None:
        found = _PATH.match(rest)
        if found is None or not rest.upper().startswith("TO"):
            self.record.fault(f"RCPT {rest[:80]}")
            self.wire.send(b"501 5.5.4 Syntax\r\n")
            return
        if self._begun is None:
            self.wire.send(b"503 5.5.1 MAIL first\r\n")
            return
        address, parameters = found[1], tuple(found[2].split())
        self._check_words(rest, parameters, self._begun.parameters)
        code = self._answer("RCPT", "250 2.1.5 Ok", address)
        named = (*self._begun.recipients, Recipient(address, parameters, code))
        self._begun = attrs.evolve(self._begun, recipients=named)

    def _data(self, _: str) -> None:
        if self._begun is None or not any(_accepted(self._begun)):
            self.wire.send(b"503 5.5.1 RCPT first\r\n")
            return
        self._begun = attrs.evolve(self._begun, reached="DATA")
        if self._answer("DATA", "354 Go ahead") == 354:
            self._receive()

    def _receive(self) -> None:
        """All up to the final dot."""
        assert self._begun is not None
        tail = b"\r\n"
        end = b"\r\n.\r\n"
        data = self.wire.unread or self.wire.more()
        self._at_body()
        while True:
            seen = tail + data
            at = seen.find(end)
            if at >= 0:
                used = at + len(end) - len(tail)
                self._chunks.append(data[:used])
                self.wire.unread = data[used:]
                break
            self._chunks.append(data)
            tail = seen[-4:]
            data = self.wire.more()
        wire = b"".join(self._chunks)[:-3]
        for fault in manners.of_content(wire, self._begun.parameters, dots=True):
            self.record.fault(fault)
        lines = wire.replace(b"\r\n.", b"\r\n")
        self._finish(lines[1:] if lines.startswith(b".") else lines)

    def _at_body(self) -> None:
        """The first octets are there."""
        self.wire.perform(self._act("BODY"))

    def _bdat(self, rest: str) -> None:
        size, _, last = rest.partition(" ")
        if not size.isdigit() or last.upper() not in {"", "LAST"}:
            self.record.fault(f"BDAT {rest[:80]}")
            raise Over("sink")
        left = int(size)
        if "CHUNKING" not in self._names():
            self.record.fault("BDAT, which was not offered")
        first = not self._chunks
        chunk = []
        while left:
            data = self.wire.unread or self.wire.more()
            chunk.append(data[:left])
            self.wire.unread = data[left:]
            left -= len(chunk[-1])
        if self._begun is None or not any(_accepted(self._begun)):
            self.wire.send(b"503 5.5.1 RCPT first\r\n")
            return
        self._begun = attrs.evolve(self._begun, reached="DATA", chunked=True)
        self._chunks += chunk or [b""]
        if first:
            self._at_body()
        if not last:
            self._answer("BDAT", "250 2.0.0 Ok")
            return
        body = b"".join(self._chunks)
        for fault in manners.of_content(body, self._begun.parameters, dots=False):
            self.record.fault(fault)
        self._finish(body)

    def _finish(self, body: bytes) -> None:
        """Decide, record, and only then answer."""
        begun = self._begun
        assert begun is not None
        usual = "250 2.0.0 Taken"
        if self.offer.size is not None and len(body) > self.offer.size:
            usual = "552 5.3.4 Too large"
        keys = list(_accepted(begun)) if self.offer.lmtp else [begun.sender]
        acts = [self._act("END", key) for key in keys]
        codes = iter(
            [_decided(act, usual) for act in acts] * (1 if self.offer.lmtp else len(begun.recipients))
        )
        named = tuple(
            attrs.evolve(each, taken=next(codes) // 100 == 2) if each.code // 100 == 2 else each
            for each in begun.recipients
        )
        replies = tuple(_decided(act, usual) for act in acts if not isinstance(act, Leave))
        whole = attrs.evolve(begun, recipients=named, reached="END", body=body, replies=replies)
        place = self.record.add(whole)
        self._begun, self._chunks = None, []
        for act in acts:
            self.wire.perform(act, usual)
        self.record.answered(place)
        self.wire.perform(self._act("AFTER"))

    def _give_up(self) -> None:
        """What was begun comes to nothing."""
        if self._begun:
            self.record.add(attrs.evolve(self._begun, body=b"".join(self._chunks)))
        self._begun, self._chunks = None, []

    def _rset(self, _: str) -> None:
        self._give_up()
        self._answer("RSET", "250 2.0.0 Ok")

    def _quit(self, _: str) -> None:
        self._give_up()
        self._answer("QUIT", "221 2.0.0 Goodbye")
        raise Over("quit")


def _accepted(begun: Transaction) -> Iterator[str]:
    return (each.address for each in begun.recipients if each.code // 100 == 2)


def _decided(act: Act | str | None, usual: str) -> int:
    """Whoever says nothing after the end has taken the message: the client cannot know."""
    while isinstance(act, Wait):
        act = act.then
    if isinstance(act, Leave):
        return 250
    return (Say(act or usual) if not isinstance(act, Say) else act).code or 250


def _size(parameters: Sequence[str]) -> int:
    for word in parameters:
        name, _, value = word.partition("=")
        if name.upper() == "SIZE" and value.isdigit():
            return int(value)
    return 0


def _text(encoded: str) -> str:
    """Raises ValueError."""
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("no base64") from error
