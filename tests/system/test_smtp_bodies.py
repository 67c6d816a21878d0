"""What lies between DATA or BDAT and the end of a message: kept octet for octet, or refused as a whole, and
nothing of it is ever a command (features rows M-03, M-06 to M-08, M-15, and reliability.md section 2)."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator

import pytest

from tests.system.clients import Client, connect, pid_of, pop3, resident_octets, retrieve_all, smtp, within
from tests.system.harness import LIMITS, LISTENERS, Server
from tests.system.letters import (
    ANN,
    BOB,
    JOE,
    TAKEN,
    bdat,
    data,
    envelope,
    fields,
    files,
    kept,
    reached,
    stuffed,
    submitting,
    the_one,
)

KIB, MIB = 1 << 10, 1 << 20
MAX_GROWTH = 24 * MIB
"""What an attack may cost in memory (reliability.md section 2)."""
SMALL = 64 * KIB
DOORS = f"""
[[listener]]
name    = "small"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
max_message = "{SMALL}B"

[[listener]]
name    = "binary"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
not_offered = []

[[listener]]
name    = "long"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
max_text_line = "1MiB"
"""
TOO_BIG, LONG_LINE, BARE, LOOP = b"552 5.3.4 ", b"500 5.6.0 ", b"550 5.5.2 ", b"554 5.4.6 "


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("bodies"), LIMITS, LISTENERS + DOORS) as running:
        yield running
        assert [line for line in running.logged().splitlines() if " error " in line] == []


@pytest.fixture(autouse=True)
def _nothing_is_injected(server: Server) -> Iterator[None]:
    """Whatever a message holds: nobody gets one that it hides, and no file is left behind."""
    yield

    def look() -> None:
        assert [name for name in files(server) if "/tmp/" in name.rpartition("/state/")[2]] == []

    within(5, look, AssertionError)
    headers = [one.partition(b"\r\n\r\n")[0] for account in (JOE, ANN, BOB) for one in kept(server, account)]
    assert [header for header in headers if b"injected" in header] == []


def in_step(client: Client) -> None:
    """The session goes on where it should be, and a message gets through."""
    client.say(b"NOOP", b"250 2.0.0 ")
    envelope(client, BOB)
    assert data(client, b"Subject: in step\r\n\r\n").startswith(TAKEN)


HIDDEN = (
    b"MAIL FROM:<injected@x.example>\r\nRCPT TO:<joe@example.test>\r\nDATA\r\nSubject: injected\r\n\r\n.\r\n"
)


# Octet for octet


def random_body(chance: random.Random) -> bytes:
    """Lines of any octets but CR and LF; dots where they matter; now and then what looks like commands."""
    alphabet = chance.choice(
        (bytes(range(32, 127)), b".", b". \t", bytes(set(range(256)) - {10, 13}), b"\0.\xff")
    )
    lines = []
    for _ in range(chance.randint(0, 40)):
        length = chance.choice((0, 1, 2, chance.randint(0, 80), chance.randint(990, 1010)))
        line = bytes(chance.choices(alphabet, k=length))
        lines.append(chance.choice((b"", b"", b".", b"..", b"From ", HIDDEN[:-5])) + line)
    return b"".join(line + b"\r\n" for line in lines)


def random_pieces(chance: random.Random, octets: bytes) -> list[bytes]:
    cuts = sorted(chance.choices(range(len(octets) + 1), k=chance.randint(0, 12)))
    return [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]


def test_random_bodies_by_every_way_and_in_any_pieces(server: Server) -> None:
    """DATA and BDAT make the same message of the same octets, in files and by POP3."""
    chance = random.Random(1870)
    with smtp(server) as client, submitting(server, listener="submissions") as other:
        for number in range(30):
            head = b"From: joe@example.test\r\nDate: x\r\nMessage-ID: <%d@x>\r\n" % number
            message = head + b"Subject: random %d.\r\n\r\n" % number + random_body(chance)
            for session, account in ((client, JOE), (other, ANN)):
                envelope(session, account, sender=JOE)
                if chance.random() < 0.5:
                    session.say(b"DATA", b"354")
                    for piece in random_pieces(chance, stuffed(message) + b".\r\n"):
                        session.send(piece)
                    assert session.reply().startswith(TAKEN)
                else:
                    assert bdat(session, *random_pieces(chance, message)).startswith(TAKEN)
                found = the_one(server, account, b"\r\nSubject: random %d.\r\n" % number)
                assert found.endswith(b" +0000\r\n" + message), (number, account)
        in_step(client)
    for account in (JOE, ANN):
        with pop3(server, account) as session:
            assert sorted(retrieve_all(session).values()) == sorted(kept(server, account))


@pytest.mark.parametrize("how", [data, bdat])
@pytest.mark.parametrize("listener", ["mx", "long"])
def test_lines_up_to_the_limit(server: Server, listener: str, how: object) -> None:
    """998 is the standard, 64 KiB is borne, one more is refused at the end; a stuffed dot counts as well."""
    assert callable(how)
    most = MIB if listener == "long" else 64 * KIB
    mark = f"Subject: lines {listener} {how.__name__}\r\n\r\n".encode()
    with smtp(server, listener) as client:
        whole = mark + b"".join(b"x" * octets + b"\r\n" for octets in (998, 1000, most - 1, most))
        envelope(client, JOE)
        assert how(client, whole).startswith(TAKEN)
        assert the_one(server, JOE, mark).endswith(whole)
        for line in (b"x" * (most + 1), b"." * (most + 1), b"y" * (3 * most)):
            for message in (
                mark + line + b"\r\n",
                mark + line,
                line + b"\r\n\r\n",
                mark + line + b"\r\n" + HIDDEN,
            ):
                envelope(client, ANN)
                wire = message if message.endswith(b"\r\n") else message + b"\r\n"
                assert how(client, wire).startswith(LONG_LINE)
        in_step(client)
    assert reached(server, mark, ANN) == {}


@pytest.mark.parametrize("octet", [b"\0", b"\x1a", b"\x1b", b"\x7f", b"\x85", b"\xff", b"\xe2\x80\xa8"])
def test_odd_octets_are_kept(server: Server, octet: bytes) -> None:
    """In the header and in the body, at the edges of lines, and between dots."""
    number = b"odd %s." % octet.hex().encode()
    message = b"Subject: %s\r\nX-Odd: a%sb\r\n\r\n" % (number, octet)
    message += octet.join([b"", b".", b"\r\n", b"\r\n.", b"\r\n", b""]) + b"\r\nend\r\n"
    for how in (data, bdat):
        with smtp(server) as client:
            envelope(client, JOE)
            assert how(client, message).startswith(TAKEN)
    first, second = (each.partition(b"Subject:")[2] for each in kept(server) if number in each)
    assert first == second == message.removeprefix(b"Subject:")


# Where a message ends

FALSE_ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
]


@pytest.mark.parametrize("end", FALSE_ENDS)
@pytest.mark.parametrize("how", ["whole", "octet by octet"])
def test_nothing_ends_a_message_in_chunks(server: Server, end: bytes, how: str) -> None:
    """Not even what would end it after DATA; and what is refused there is refused here."""
    bare = b"\n" in end.replace(b"\r\n", b"") or b"\r" in end.replace(b"\r\n", b"")
    mark = b"Subject: chunks %s %s\r\n\r\n" % (end.hex().encode(), how.encode())
    with smtp(server) as client:
        for inside in (end, b"\r\n.\r\n" + end):
            message = mark + inside + HIDDEN
            pieces = [message] if how == "whole" else [message[at : at + 1] for at in range(len(message))]
            envelope(client, ANN)
            if not bare:
                assert bdat(client, *pieces).startswith(TAKEN)
                continue
            if how == "whole":
                assert bdat(client, *pieces).startswith(BARE)
            else:  # the chunk in which it shows is refused, and those behind it
                client.send(b"".join(b"BDAT 1\r\n" + piece for piece in pieces) + b"BDAT 0 LAST\r\n")
                answers = [client.reply()[:10] for _ in range(len(pieces) + 1)]
                first = answers.index(BARE)
                assert set(answers[:first]) <= {b"250 2.0.0 "}
                assert {answer[:3] for answer in answers[first + 1 :]} <= {b"503"}
        in_step(client)
    assert len([one for one in kept(server, ANN) if mark in one]) == (0 if bare else 2)


@pytest.mark.parametrize("tail", [b"", b"\r\n", b"\r\n."])
def test_a_listener_that_takes_binary_mail(server: Server, tail: bytes) -> None:
    """RFC 3030 section 3: every octet stays, line ends or not; without BODY=BINARYMIME all is as it was."""
    body = bytes(range(256)) * 300 + b"\n.\n\r\n.\r\n\r" + HIDDEN + tail
    message = b"Subject: binary %d\r\n\r\n" % len(tail) + body
    with smtp(server, "binary") as client:
        envelope(client, ANN, words=b" BODY=BINARYMIME")
        client.say(b"DATA", b"503 5.5.1 ")
        assert bdat(client, message[:7], b"", message[7:70_001], message[70_001:]).startswith(TAKEN)
        envelope(client, ANN, words=b" BODY=8BITMIME")
        assert bdat(client, message).startswith(BARE)
        in_step(client)
    assert the_one(server, ANN, message[:20]).endswith(message)
    with smtp(server) as client:
        client.say(b"MAIL FROM:<> BODY=BINARYMIME", b"5")


# Sizes


def ehlo(server: Server, listener: str) -> dict[bytes, bytes]:
    """What a listener advertises."""
    with connect(server, listener) as client:
        client.line()
        client.send(b"EHLO client.example\r\n")
        client.reply()
        lines = [line[4:].partition(b" ") for line in client.read if line[:3] == b"250"]
    return {keyword: value for keyword, _, value in lines[1:]}


@pytest.mark.parametrize("how", [data, bdat])
def test_the_size_that_is_advertised_is_the_one_that_holds(server: Server, how: object) -> None:
    """To the octet, dots unstuffed, whatever SIZE has promised (rows M-06, S-M14)."""
    assert callable(how)
    assert ehlo(server, "small")[b"SIZE"] == b"%d" % SMALL
    assert ehlo(server, "mx")[b"SIZE"] == b"%d" % (50 * MIB)
    mark = f"Subject: size {how.__name__}\r\n\r\n".encode()
    most = (mark + (b"." * 61 + b"\r\n") * SMALL)[: SMALL - 4].rstrip(b"\r\n").ljust(
        SMALL - 2, b"x"
    ) + b"\r\n"
    assert len(most) == SMALL
    with smtp(server, "small") as client:
        for words in (b"", b" SIZE=0", b" SIZE=1", b" SIZE=%d" % SMALL):
            envelope(client, BOB, words=words)
            assert how(client, most).startswith(TAKEN), words
            envelope(client, ANN, words=words)
            assert how(client, most[:-2] + b"y\r\n").startswith(TOO_BIG), words
            in_step(client)
        for promise in (b"%d" % (SMALL + 1), b"9" * 20):
            client.say(b"MAIL FROM:<> SIZE=" + promise, TOO_BIG)
        for nonsense in (b"-1", b"1e3", b"", b"0x10", b"9" * 21, b"1 SIZE=1", b"\xd9\xa3"):
            client.say(b"MAIL FROM:<> SIZE=" + nonsense, b"501 5.5.4 ")
        in_step(client)
    assert reached(server, mark) == {BOB: 4}


@pytest.mark.parametrize("how", ["DATA", "BDAT", "one chunk without end"])
def test_too_much_is_swallowed_and_not_kept(server: Server, how: str) -> None:
    """48 MiB where 64 KiB are taken: refused at the end, the session in step, the memory as before."""
    process = pid_of(server)
    before = peak = resident_octets(process)
    piece = (b"z" * 62 + b"\r\n") * (MIB // 64)
    with smtp(server, "small") as client:
        envelope(client, JOE, ANN)
        if how == "DATA":
            client.say(b"DATA", b"354")
        if how == "one chunk without end":
            client.send(b"BDAT 18446744073709551615 LAST\r\n")
        for _ in range(48):
            if how == "BDAT":
                client.send(b"BDAT %d\r\n" % len(piece))
            client.send(piece)
            peak = max(peak, resident_octets(process))
        if how == "DATA":
            client.send(b".\r\n")
            assert client.reply().startswith(TOO_BIG)
            in_step(client)
        elif how == "BDAT":
            answers = [client.reply()[:10] for _ in range(48)]
            assert answers[0] == TOO_BIG
            assert {answer[:3] for answer in answers[1:]} <= {b"503"}
            in_step(client)
    assert peak - before < MAX_GROWTH
    assert reached(server, b"z" * 62) == {}


def test_a_message_that_is_given_up_between_chunks(server: Server) -> None:
    """By RSET, EHLO, QUIT, or a connection that is gone: nothing of it stays."""
    before = files(server)
    half = b"Subject: half\r\n\r\n" + b"half\r\n" * 60_000
    for end in (b"RSET", b"EHLO again.example", b"HELO again.example", b"QUIT", b""):
        with smtp(server) as client:
            envelope(client, JOE, ANN)
            client.send(b"BDAT %d\r\n" % len(half) + half)
            assert client.reply().startswith(TAKEN)
            if end:
                client.say(end, b"2")
            else:
                client.send(b"BDAT 1000 LAST\r\nonly this")
            if end not in {b"", b"QUIT"}:
                client.say(b"BDAT 0 LAST", b"503 5.5.1 ")

    def nothing_is_left() -> None:
        assert files(server) == before

    within(5, nothing_is_left, AssertionError)


# Headers


@pytest.mark.parametrize("how", [data, bdat])
@pytest.mark.parametrize("name", [b"Received", b"rEcEiVeD", b"Received "])
def test_a_hundred_servers_and_no_more(server: Server, name: bytes, how: object) -> None:
    """RFC 5321 section 6.3 (row M-15); those of a message within the message are its own."""
    assert callable(how)
    hop = name + b": from a.example\r\n\tby b.example; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    mark = b"Subject: %s %s\r\n\r\n" % (name.hex().encode(), how.__name__.encode())
    with smtp(server) as client:
        for hops, answer in ((25, TAKEN), (100, TAKEN), (101, LOOP), (120, LOOP), (1500, LOOP)):
            envelope(client, JOE if answer is TAKEN else ANN)
            assert how(client, hop * hops + mark + hop * 200).startswith(answer), hops
        in_step(client)
    assert [one.count(hop) for one in sorted(kept(server), key=len) if mark in one] == [225, 300]
    assert reached(server, mark, ANN) == {}


def test_a_message_that_has_been_here_before(server: Server) -> None:
    """By its Delivered-To, in any letter case; somebody else's does not matter (RFC 9228)."""
    with smtp(server) as client:
        for field, answer in (
            (b"Delivered-To: ann@example.test", LOOP),
            (b"delivered-to:   ANN@Example.Test", LOOP),
            (b"Delivered-To: bob@example.test", TAKEN),
            (b"X-Delivered-To: ann@example.test", TAKEN),
        ):
            for recipients in ((ANN,), (ANN, JOE)):
                envelope(client, *recipients)
                assert data(client, field + b"\r\nSubject: circle\r\n\r\n").startswith(answer)
    assert reached(server, b"\r\nSubject: circle\r\n", ANN) == {ANN: 4}


@pytest.mark.parametrize(
    "header",
    [
        b"X: y\r\n" * 2001,
        b"X: " + b"y" * 60_000 + b"\r\n\t" + b"z" * 60_000 + b"\r\n" + (b" " + b"w" * 60_000 + b"\r\n") * 3,
        (b"X: " + b"y" * 900 + b"\r\n") * 300,
        b"A:\r\n" * 70_000,
        b"X:\r\n" + b" \r\n" * 100_000,
    ],
)
@pytest.mark.parametrize("end", [b"\r\nbody\r\n", b""])
def test_a_header_that_is_too_big(server: Server, header: bytes, end: bytes) -> None:
    with smtp(server) as client:
        for how in (data, bdat):
            envelope(client, ANN)
            assert how(client, header + end).startswith(TOO_BIG)
        in_step(client)
    with smtp(server) as client:
        envelope(client, JOE)
        mark = b"Subject: as big as may be %d\r\n" % len(header)
        assert data(client, mark + b"X: y\r\n" * 1999 + b"\r\nbody\r\n").startswith(TAKEN)


@pytest.mark.parametrize(
    "field", [b"X: y\r\n", b" folded\r\n", b"Received: x\r\n", b"Bcc: a@b.example,\r\n c@d.example\r\n"]
)
def test_a_header_without_end(server: Server, field: bytes) -> None:
    """32 MiB of it, and no memory; others are served meanwhile."""
    process = pid_of(server)
    before = peak = resident_octets(process)
    piece = field * (MIB // len(field))
    with submitting(server) as client:
        envelope(client, ANN, sender=JOE)
        client.say(b"DATA", b"354")
        client.send(b"Subject: endless\r\n")
        for number in range(32):
            client.send(piece)
            peak = max(peak, resident_octets(process))
            if number == 16:
                with smtp(server) as other:
                    other.say(b"NOOP", b"250")
        client.send(b".\r\n")
        assert client.reply()[:10] in {TOO_BIG, LOOP}
        client.say(b"NOOP", b"250")
    assert peak - before < MAX_GROWTH
    assert reached(server, b"Subject: endless") == {}


@pytest.mark.parametrize(
    "start",
    [
        b"just text\r\n",
        b" (a forged end of Received)\r\n",
        b"\tfolded\r\n",
        b": x\r\n",
        b"\r\n",
        b"",
        b"X Y: z\r\n",
    ],
)
@pytest.mark.parametrize("how", [data, bdat])
def test_what_is_no_header(server: Server, start: bytes, how: object) -> None:
    """Text from the first line on: all of it is kept, behind an empty line of ours, and none of it goes on
    with a field that we have written (RFC 5322 section 2.1)."""
    assert callable(how)
    message = start + f"no header {start.hex()} {how.__name__}\r\n".encode()
    with smtp(server) as client:
        envelope(client, JOE)
        assert how(client, message).startswith(TAKEN)
    found = the_one(server, JOE, message)
    ours, _, text = found.partition(b"\r\n\r\n")
    assert text == message.removeprefix(b"\r\n")
    assert fields(found)[-1][0] == "received"
    assert re.search(rb";\r\n\t[A-Z][a-z]{2}, [^\r\n]+ \+0000$", ours)


# Lines without end


@pytest.mark.parametrize("where", ["AUTH", "MAIL", "BDAT", "chunk"])
def test_a_line_without_end(server: Server, where: str) -> None:
    """32 MiB of one line: beyond its limit it is forgotten as it comes."""
    process = pid_of(server)
    before = peak = resident_octets(process)
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(submitting(server) if where == "MAIL" else smtp(server))
        starts = {"AUTH": b"AUTH PLAIN ", "MAIL": b"MAIL FROM:<", "BDAT": b"BDAT 1", "chunk": b""}
        if where == "chunk":
            envelope(client, ANN)
            client.send(b"BDAT %d LAST\r\nSubject: one line\r\n\r\n" % (32 * MIB + 22))
        with contextlib.suppress(ConnectionError):
            client.send(starts[where])
            for _ in range(32):
                client.send(b"A" * MIB)
                peak = max(peak, resident_octets(process))
            client.send(b"\r\n")
            assert client.reply()[:1] in {b"5", b""}
    assert peak - before < MAX_GROWTH
    assert reached(server, b"Subject: one line") == {}
