"""Every message of the corpus comes back as it went in, whatever way it goes; broken ones do not go in.

What is no header gets an empty line above it, so that the trace fields do not run into it; what is submitted
gets the fields that are missing (row U-04).
"""

from __future__ import annotations

import contextlib
import re
import smtplib
from collections.abc import Iterable, Iterator

import pytest

from tests.corpus.letter import filled
from tests.corpus.messages import BROKEN, MESSAGES, NULL_SENDER
from tests.corpus.text import EDGE, SPOOLED_ABOVE, dot_at
from tests.interop.letters import PLAIN, split_trace
from tests.interop.wire import CRLF, RawPop3, RawSmtp, on_the_wire, pieces
from tests.system.harness import PASSWORDS, PATIENCE, Server

JOE, ANN = "joe@example.test", "ann@example.test"

NO_HEADER = {
    "no-header",
    "one-octet",
    "one-dot",
    "begins-with-space",
    "dot-message-begins",
    "byte-order-mark",
}
ENDS_EARLY = {"header-utf-8": "X-Größe".encode(), "header-no-colon": b"this line has none"}
"""With which line the header is over, for it is no field."""
TOO_MUCH, CIRCLE, NOT_ANN = b"552 5.3.4", b"554 5.4.6", b"550 5.7.1"
REFUSED = {"header-many": TOO_MUCH, "header-like-ours": CIRCLE}
REFUSED_TO_ANN = {"header-many": TOO_MUCH, "header-twice": NOT_ANN}
ADDED = {
    "From": rb"From: ann@example\.test\r\n",
    "Date": rb"Date: [^\r\n]+ \+0000\r\n",
    "Message-ID": rb"Message-ID: <[0-9a-f]{32}@mail\.example\.test>\r\n",
}
"""What a submission gets where it has none, in this order behind its other fields (RFC 6409 section 8)."""


@contextlib.contextmanager
def maildrop(server: Server, account: str, *, tls: bool) -> Iterator[RawPop3]:
    port = server.ports["pop3s" if tls else "pop3-trusted"]
    with RawPop3.to(port, account, PASSWORDS[account], server.tls() if tls else None) as client:
        yield client


def as_delivered(message: bytes) -> bytes:
    """A message ends with a line's end, or is empty: there is no other way to say where it ends."""
    return message if not message or message.endswith(CRLF) else message + CRLF


def mended(name: str) -> bytes:
    """A message as it is stored behind the trace fields."""
    message = as_delivered(MESSAGES[name]())
    if name in NO_HEADER:
        return CRLF + message
    if name in ENDS_EARLY:
        return message.replace(CRLF + ENDS_EARLY[name], CRLF * 2 + ENDS_EARLY[name])
    if name == "begins-with-from":  # the line of a mailbox file
        return b"X-Mailbox-Line: " + message
    if name == "header-like-ours":  # Return-Path is ours to say
        return message.partition(CRLF)[2]
    return message


def without_added(stored: bytes, message: bytes) -> bytes:
    """What was sent, where *stored* is that with the fields that *message*, mended, has not."""
    header = b"" if message.startswith(CRLF) else message.partition(CRLF * 2)[0]
    missing = [field for field in ADDED if not re.search(rf"(?im)^{field}[ \t]*:".encode(), header)]
    place = min(len(header) + len(CRLF), len(message)) if header else 0
    fields = re.compile(b"".join(ADDED[field] for field in missing)).match(stored, place)
    assert fields, stored[place : place + 200]
    return stored[:place] + stored[fields.end() :]


def check(
    server: Server, account: str, message: bytes, tops: Iterable[int] = (), *, submitted: bool = False
) -> bytes:
    """The only message of *account* is this one: on the disk, and by every command, in clear and over TLS.

    Answers its trace fields. TOP is asked for the head, for five lines, and for as many as *tops* says.
    """
    [file] = (server.maildir(account) / "new").iterdir()
    stored = file.read_bytes()
    trace, rest = split_trace(stored)
    same(without_added(rest, message) if submitted else rest, message)
    dots = b"\r\n." in stored
    assert f",S={len(stored)},W={len(stored)},D={dots:d}" in file.name
    for tls in (False, True):
        with maildrop(server, account, tls=tls) as client:
            assert client.ask("STAT").split()[:3] == [b"+OK", b"1", b"%d" % len(stored)]
            assert client.sizes() == [len(stored)]
            same(client.lines("RETR 1"), stored)
            for wanted in (0, 5, *tops):
                same(client.lines(f"TOP 1 {wanted}"), top(stored, wanted))
    return trace


def same(found: bytes, wanted: bytes) -> None:
    """Compare what may be too large to be shown."""
    if found == wanted:
        return
    at = next((at for at, pair in enumerate(zip(found, wanted, strict=False)) if pair[0] != pair[1]), -1)
    around = slice(max(0, at - 40), at + 40)
    pytest.fail(
        f"{len(found)} octets instead of {len(wanted)}, the first difference is at {at}: "
        f"{found[around]!r} instead of {wanted[around]!r}"
    )


def top(message: bytes, wanted: int) -> bytes:
    """The header, the empty line, and so many lines of the body (RFC 1939 section 7)."""
    header, blank, body = message.partition(CRLF + CRLF)
    return header + blank + b"".join(line + CRLF for line in body.split(CRLF, wanted)[:-1])


@pytest.mark.parametrize("name", MESSAGES)
def test_by_a_raw_client(server: Server, name: str) -> None:
    """In clear, in pieces of odd sizes."""
    message = MESSAGES[name]()
    sender = b"" if name in NULL_SENDER else b"x@elsewhere.example"
    answer = REFUSED.get(name, b"250 2.0.0")
    with RawSmtp.to(server.ports["mx"]) as client:
        client.message(pieces(on_the_wire(message)), answer, JOE.encode(), sender)
    if name in REFUSED:
        assert not list(server.maildir(JOE).glob("new/*"))
        return
    trace = check(server, JOE, mended(name))
    assert trace.startswith(b"Return-Path: <%s>\r\n" % sender)


@pytest.mark.parametrize("name", MESSAGES)
def test_by_smtplib(server: Server, name: str) -> None:
    """Over TLS, after a login, in one piece."""
    message = MESSAGES[name]()
    port = server.ports["submissions"]
    with smtplib.SMTP_SSL("127.0.0.1", port, timeout=PATIENCE, context=server.tls()) as client:
        client.login(ANN, PASSWORDS[ANN])
        if name in REFUSED_TO_ANN:
            with pytest.raises(smtplib.SMTPDataError) as refused:
                client.sendmail(ANN, [ANN], message, ["BODY=8BITMIME"])
            code, text = refused.value.args
            assert b"%d %s" % (code, text[:5]) == REFUSED_TO_ANN[name]
            assert not list(server.maildir(ANN).glob("new/*"))
            return
        client.sendmail(ANN, [ANN], message, ["BODY=8BITMIME"])
    check(server, ANN, mended(name) or CRLF, submitted=True)  # smtplib ends even what has no line


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("in_pieces", [False, True], ids=["whole", "in pieces"])
def test_a_broken_line_end(server: Server, name: str, in_pieces: bool) -> None:
    """Refused once, as a whole; nothing of it is taken for a command, and the session goes on."""
    wire = BROKEN[name]
    wire += b"." + CRLF if wire.endswith(CRLF) else CRLF + b"." + CRLF
    with RawSmtp.to(server.ports["mx"]) as client:
        client.message(pieces(wire) if in_pieces else [wire], b"550 5.5.2", JOE.encode())
        client.message([on_the_wire(PLAIN)], b"250 2.0.0", ANN.encode())
    assert not list(server.maildir(JOE).glob("new/*"))
    check(server, ANN, PLAIN)


@pytest.mark.parametrize("line", [b"x" * 65_537, b"." * 65_536, b"y" * 5_000_000])
def test_a_line_without_end(server: Server, line: bytes) -> None:
    """Refused as a whole above 64 KiB on the wire."""
    message = PLAIN + line + CRLF + PLAIN
    with RawSmtp.to(server.ports["mx"]) as client:
        client.message(pieces(on_the_wire(message)), b"500 5.6.0", JOE.encode())
        client.message([on_the_wire(PLAIN)], b"250 2.0.0", ANN.encode())
    assert not list(server.maildir(JOE).glob("new/*"))
    check(server, ANN, PLAIN)


@pytest.fixture
def trace_octets(server: Server) -> int:
    """How many octets the server puts in front of a message of the raw client's."""
    with RawSmtp.to(server.ports["mx"]) as client:
        client.message([on_the_wire(PLAIN)], b"250", JOE.encode())
    [file] = (server.maildir(JOE) / "new").iterdir()
    trace, _ = split_trace(file.read_bytes())
    file.unlink()
    return len(trace)


@pytest.mark.parametrize("edge", [EDGE, 2 * EDGE, SPOOLED_ABOVE])
@pytest.mark.parametrize("shift", range(-4, 5))
def test_dots_at_the_edges_of_what_is_read(server: Server, trace_octets: int, edge: int, shift: int) -> None:
    message = dot_at(edge + shift - trace_octets)
    with RawSmtp.to(server.ports["mx"]) as client:
        client.message([on_the_wire(message)], b"250", JOE.encode())
    lines_before = message[: edge - trace_octets].partition(CRLF * 2)[2].count(CRLF)
    around = range(lines_before - 1, lines_before + 4)
    assert len(check(server, JOE, message, around)) == trace_octets


@pytest.mark.parametrize("octets", [SPOOLED_ABOVE - 1, SPOOLED_ABOVE, SPOOLED_ABOVE + 1])
def test_the_largest_that_waits_in_memory(server: Server, trace_octets: int, octets: int) -> None:
    message = filled(octets - trace_octets)
    with RawSmtp.to(server.ports["mx"]) as client:
        client.message(pieces(on_the_wire(message)), b"250", JOE.encode())
    check(server, JOE, message)
    [file] = (server.maildir(JOE) / "cur").iterdir()  # it was fetched
    assert file.stat().st_size == octets


def test_all_at_once(server: Server) -> None:
    """One connection in, one session out: what comes before changes nothing of what comes behind."""
    small = [name for name in MESSAGES if not name.startswith(("attachment-", "size-"))]
    small = [name for name in small if name not in REFUSED]
    with RawSmtp.to(server.ports["mx"]) as client:
        for name in small:
            client.message([on_the_wire(MESSAGES[name]())], b"250", JOE.encode(), b"x@elsewhere.example")
    for tls in (False, True):
        with maildrop(server, JOE, tls=tls) as drop:
            sizes = drop.sizes()
            drop.connection.send(b"".join(b"RETR %d\r\n" % (n + 1) for n in range(len(small))))
            for size, name in zip(sizes, small, strict=True):
                back = drop.answer()
                assert len(back) == size
                same(split_trace(back)[1], mended(name))
