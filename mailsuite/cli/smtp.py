"""One SMTP transaction, as a client, with every answer kept for the person who looks on (RFC 5321)."""

from __future__ import annotations

import base64
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import Final, Literal

import attrs

from mailsuite.cli.context import CommandFailed
from mailsuite.cli.peer import CONNECT_TIMEOUT, Peer, tls_text
from mailsuite.cli.terminal import clean
from mailsuite.model.address import Address

TlsUse = Literal["off", "starttls", "required"]

_LINE_END = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT = re.compile(rb"(?m)^\.")
_QUEUE_ID = re.compile(r"\bqueued as (\S+)", re.IGNORECASE)
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_HIDDEN: Final = "(hidden)"


@attrs.frozen
class Login:
    """Who submits. The password is no part of the repr."""

    user: str
    password: str = attrs.field(repr=False)


@attrs.frozen
class Answer:
    """A reply of the server."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


@attrs.frozen
class Submission:
    """What is to be sent. ``sender`` None is the null reverse-path ``<>``."""

    sender: Address | None
    recipients: tuple[Address, ...]
    message: bytes = attrs.field(repr=False)
    """With CRLF line ends."""


@attrs.frozen
class Outcome:
    """The message was taken, for some of the recipients at least."""

    tls: str
    answer: Answer
    refused: tuple[tuple[Address, Answer], ...]
    seconds: float

    @property
    def queue_id(self) -> str | None:
        """What the server calls the message, where it says so."""
        found = _QUEUE_ID.search(self.answer.text)
        return found[1].rstrip(".") if found else None


class SmtpRefused(CommandFailed):
    """The server said no; what it said is in the message, cleaned."""


Listener = Callable[[str], None]
"""Is told each line of the dialogue; passwords are left out."""


class _Client(smtplib.SMTP):
    """smtplib's client, which tells a listener what is said."""

    def __init__(self, connection: socket.socket, listener: Listener) -> None:
        name = socket.gethostname()
        super().__init__(local_hostname=name if _HOST_NAME.fullmatch(name) else "localhost")
        self.sock = self.connection = connection
        self.tell = listener
        self.is_secret = False

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Wrap the connection; what came in before is forgotten."""
        self.sock = self.connection = context.wrap_socket(self.connection, server_hostname=host)
        self.file = None

    def putcmd(self, cmd: str, args: str = "") -> None:
        shown = cmd if cmd == "AUTH" or not self.is_secret else _HIDDEN
        self.tell(f"C: {clean(shown)} {_HIDDEN if self.is_secret and args else clean(args)}".rstrip())
        super().putcmd(cmd, args)

    def getreply(self) -> tuple[int, bytes]:
        code, text = super().getreply()
        for line in _decoded(text).split("\n"):
            self.tell(f"S: {code} {clean(line)}")
        return code, text

    def ask(self, command: str, args: str = "") -> Answer:
        return _answer(self.docmd(command, args))


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")


def _answer(reply: tuple[int, bytes]) -> Answer:
    code, text = reply
    return Answer(code, clean(_decoded(text).replace("\n", " ")))


def _expect(code: int, answer: Answer, what: str) -> Answer:
    if answer.code != code:
        raise SmtpRefused(f"{what}: {answer}")
    return answer


def wire_form(message: bytes) -> bytes:
    """*message* with every line ended by CRLF, the last one too."""
    message = _LINE_END.sub(b"\r\n", message)
    return message if message.endswith(b"\r\n") else message + b"\r\n"


def submit(
    peer: Peer,
    submission: Submission,
    use: TlsUse,
    context: ssl.SSLContext,
    *,
    login: Login | None = None,
    listener: Listener = lambda line: None,
) -> Outcome:
    """Send one message in a session of its own.

    Raises SmtpRefused where the server takes it for nobody, OSError where the connection fails.
    """
    began = time.monotonic()
    with closing(_connected(peer, context, listener)) as client:
        _expect(220, _answer(client.getreply()), "greeting")
        _hello(client)
        if not peer.implicit_tls and use != "off":
            _start_tls(client, peer, use, context)
        if login is not None:
            _authenticate(client, peer, login)
        answer, refused = _transaction(client, submission)
        seconds = time.monotonic() - began
        with suppress(OSError):  # it is done, however the server takes its leave
            client.ask("QUIT")
        return Outcome(tls_text(client.connection), answer, refused, seconds)


def _connected(peer: Peer, context: ssl.SSLContext, listener: Listener) -> _Client:
    connection = socket.create_connection((peer.host, peer.port), CONNECT_TIMEOUT)
    if peer.implicit_tls:
        connection = context.wrap_socket(connection, server_hostname=peer.host)
    return _Client(connection, listener)


def _hello(client: _Client) -> None:
    reply = _answer(client.ehlo())
    if reply.code != 250:
        _expect(250, _answer(client.helo()), "EHLO and HELO")


def _start_tls(client: _Client, peer: Peer, use: TlsUse, context: ssl.SSLContext) -> None:
    """STARTTLS (RFC 3207); what the server said before it counts no more."""
    if not client.has_extn("starttls"):
        if use == "required":
            raise SmtpRefused(
                f"{peer} does not offer STARTTLS; --tls off or --tls starttls goes on without it"
            )
        return
    _expect(220, client.ask("STARTTLS"), "STARTTLS")
    client.start_tls(context, peer.host)
    _hello(client)


def _authenticate(client: _Client, peer: Peer, login: Login) -> None:
    """SASL PLAIN (RFC 4616), or LOGIN where that is all there is."""
    if not isinstance(client.connection, ssl.SSLSocket) and not peer.is_loopback:
        raise SmtpRefused(f"{peer}: a password is not sent without TLS")
    offered = client.esmtp_features.get("auth", "").upper().split()
    user, password = (text.encode("utf-8", "surrogateescape") for text in (login.user, login.password))
    if "PLAIN" in offered:
        steps = [("AUTH", "PLAIN " + _base64(b"\0" + user + b"\0" + password))]
    elif "LOGIN" in offered:
        steps = [("AUTH", "LOGIN"), (_base64(user), ""), (_base64(password), "")]
    else:
        raise SmtpRefused(
            f"{peer} offers no way to log in that is known here ({' '.join(offered) or 'none at all'})"
        )
    client.is_secret = True
    answer = Answer(0, "")
    for command, args in steps:
        answer = client.ask(command, args)
        if answer.code != 334:
            break
    client.is_secret = False
    _expect(235, answer, "login")


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def _transaction(
    client: _Client, submission: Submission
) -> tuple[Answer, tuple[tuple[Address, Answer], ...]]:
    sender = "" if submission.sender is None else str(submission.sender)
    parameters = _parameters(client, submission.message)
    _expect(250, client.ask("MAIL", f"FROM:<{sender}>{parameters}"), f"sender <{sender}>")
    refused = _refused(client, submission.recipients)
    if len(refused) == len(submission.recipients):
        raise SmtpRefused("\n".join(f"{clean(str(recipient))}: {answer}" for recipient, answer in refused))
    _expect(354, client.ask("DATA"), "DATA")
    client.tell(f"C: (the message, {len(submission.message)} octets)")
    client.send(_LEADING_DOT.sub(b"..", submission.message) + b".\r\n")
    return _expect(250, _answer(client.getreply()), "the message was refused"), refused


def _parameters(client: _Client, message: bytes) -> str:
    """SIZE (RFC 1870) and BODY (RFC 6152), as far as the server knows them."""
    parameters = ""
    if client.has_extn("size"):
        parameters += f" SIZE={len(message)}"
    if not message.isascii():
        if not client.has_extn("8bitmime"):
            raise SmtpRefused("the message has octets above 127, and the server does not offer 8BITMIME")
        parameters += " BODY=8BITMIME"
    return parameters


def _refused(client: _Client, recipients: Sequence[Address]) -> tuple[tuple[Address, Answer], ...]:
    answers = [(recipient, client.ask("RCPT", f"TO:<{recipient}>")) for recipient in recipients]
    return tuple((recipient, answer) for recipient, answer in answers if answer.code not in {250, 251})
