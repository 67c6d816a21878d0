"""Letters handed in by any door, whole or in pieces, and what of them lies in the maildrops."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterable, Iterator

from tests.system.clients import Client, Refused, connect
from tests.system.harness import Server, password_of

JOE, ANN, BOB = "joe@example.test", "ann@example.test", "bob@example.test"
STRANGER = "sender@elsewhere.example"
OK, TAKEN = b"250 2.1.5 ", b"250 2.0.0 "
CLIENT = b"client.example"
"""What a client calls itself."""

Octets = str | bytes
"""Text goes as UTF-8."""


def octets(text: Octets) -> bytes:
    return text.encode() if isinstance(text, str) else text


# Sessions


def start_tls(server: Server, client: Client, hello: bytes = b"EHLO") -> Client:
    """TLS where it begins on command, and the greeting behind it."""
    client.say(b"STARTTLS", b"220")
    return secure(server, client, hello)


def secure(server: Server, client: Client, hello: bytes = b"EHLO", name: bytes = CLIENT) -> Client:
    client.socket = server.tls().wrap_socket(client.socket, server_hostname="127.0.0.1")
    client.say(hello + b" " + name, b"250")
    return client


@contextlib.contextmanager
def submitting(
    server: Server,
    account: str = JOE,
    listener: str = "submissions",
    password: str = "",
    name: bytes = CLIENT,
) -> Iterator[Client]:
    """Logged in under TLS that began with the connection."""
    with connect(server, listener) as client:
        client.socket = server.tls().wrap_socket(client.socket, server_hostname="127.0.0.1")
        if not client.reply().startswith(b"220 "):
            raise Refused("no greeting")
        client.say(b"EHLO " + name, b"250")
        log_in(client, account, password)
        yield client


def log_in(client: Client, account: str, password: str = "") -> None:
    claim = f"\0{account}\0{password or password_of(account)}"
    client.say(b"AUTH PLAIN " + base64.b64encode(claim.encode()), b"235")


# Letters


def stuffed(message: bytes) -> bytes:
    """As it goes over the wire, without the final dot."""
    return re.sub(rb"^\.", b"..", message, flags=re.MULTILINE)


def rcpt(client: Client, *recipients: Octets) -> list[bytes]:
    """The answers, cut behind their codes."""
    return [client.say(b"RCPT TO:<" + octets(each) + b">")[:10] for each in recipients]


def envelope(client: Client, *recipients: Octets, sender: Octets = STRANGER, words: bytes = b"") -> None:
    """MAIL and RCPT, all of them taken."""
    client.say(b"MAIL FROM:<" + octets(sender) + b">" + words, b"250")
    answers = rcpt(client, *recipients)
    if set(answers) != {OK}:
        raise Refused(repr(answers))


def data(client: Client, message: bytes) -> bytes:
    """By DATA; the answer to its end."""
    client.say(b"DATA", b"354")
    client.send(stuffed(message) + b".\r\n")
    return client.reply()


def bdat(client: Client, *chunks: bytes) -> bytes:
    """By BDAT, all chunks pipelined; the answer to the last one."""
    last = len(chunks) - 1
    for number, chunk in enumerate(chunks):
        client.send(b"BDAT %d%s\r\n" % (len(chunk), b" LAST" * (number == last)) + chunk)
    answers = [client.reply() for _ in chunks]
    if any(not answer.startswith(b"250") for answer in answers[:-1]):
        raise Refused(repr(answers))
    return answers[-1]


def hand_in(
    client: Client, message: bytes, *recipients: Octets, sender: Octets = STRANGER, words: bytes = b""
) -> bytes:
    """A whole transaction, whose recipients are all taken; the answer to its end."""
    envelope(client, *recipients, sender=sender, words=words)
    return data(client, message)


# Maildrops


def kept(server: Server, account: str = JOE) -> list[bytes]:
    """All messages, as their files have them."""
    files = (file for name in ("new", "cur") for file in (server.maildir(account) / name).glob("*"))
    return [file.read_bytes() for file in files]


def with_text(server: Server, account: str, text: bytes) -> list[bytes]:
    """Those with *text* somewhere in them."""
    return [message for message in kept(server, account) if text in message]


def the_one(server: Server, account: str, text: bytes) -> bytes:
    """The only one with *text* in it."""
    (message,) = with_text(server, account, text)
    return message


def reached(server: Server, text: bytes, *accounts: str) -> dict[str, int]:
    """How many messages with *text* each of *accounts* has that has any."""
    counts = {account: len(with_text(server, account, text)) for account in accounts or (JOE, ANN, BOB)}
    return {account: count for account, count in counts.items() if count}


def files(server: Server, accounts: Iterable[str] = (JOE, ANN, BOB)) -> set[str]:
    """Every file in these maildrops, of messages that are not whole, too."""
    found = (path for account in accounts for path in server.maildir(account).glob("*/*") if path.is_file())
    return {str(path) for path in found}


# Headers


def fields(message: bytes) -> list[tuple[str, bytes]]:
    """Name, in lower case, and unfolded value of each field. Whatever else stands there is refused."""
    found: list[tuple[str, bytes]] = []
    header = message.partition(b"\r\n\r\n")[0].removesuffix(b"\r\n")
    for field in re.split(rb"\r\n(?![ \t])", header):
        name, colon, value = field.partition(b":")
        if not colon or not re.fullmatch(rb"[!-9;-~]+[ \t]*", name) or re.search(rb"[\r\n]", unfolded(value)):
            raise Refused(f"no field: {field!r}")
        found.append((name.decode().rstrip().lower(), unfolded(value).strip()))
    return found


def unfolded(value: bytes) -> bytes:
    return re.sub(rb"\r\n[ \t]+", b" ", value)


def values(message: bytes, name: str) -> list[bytes]:
    """Of all fields of that name."""
    return [value for each, value in fields(message) if each == name.lower()]
