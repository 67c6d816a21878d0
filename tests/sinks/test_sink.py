"""The sinks themselves, under smtplib and raw clients: they do what they are told, and see what was done."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest

from tests.accounts.sources.certificates import Authority
from tests.sinks.offer import Offer, encrypting
from tests.sinks.record import Tls
from tests.sinks.script import (
    DROP,
    GOODBYE,
    HANG,
    RESET,
    Act,
    Plan,
    Point,
    Say,
    Wait,
    endless,
    greylisting,
    many_lines,
    tarpit,
)
from tests.sinks.sink import Sink, bound, never_answering, on_one_port
from tests.system.clients import Client

PATIENCE = 10.0
ANN, JOE, BOB = "ann@here.example", "joe@there.example", "bob@there.example"
LETTER = b"X-Load: one\r\nSubject: x\r\n\r\n.dot\r\n..\r\nHello\r\n"


@contextlib.contextmanager
def client(sink: Sink, address: str = "127.0.0.1") -> Iterator[smtplib.SMTP]:
    with contextlib.closing(smtplib.SMTP(address, sink.port, "client.example", PATIENCE)) as running:
        yield running


@contextlib.contextmanager
def raw(sink: Sink) -> Iterator[Client]:
    with Client(socket.create_connection(("127.0.0.1", sink.port), PATIENCE)) as running:
        yield running


def begun(running: Client, *recipients: str, hello: bytes = b"EHLO client.example") -> None:
    assert running.reply().startswith(b"220")
    running.say(hello, b"250")
    running.say(b"MAIL FROM:<%s>" % ANN.encode(), b"250")
    for recipient in recipients or (JOE,):
        running.say(b"RCPT TO:<%s>" % recipient.encode(), b"250")


def stuffed(message: bytes) -> bytes:
    return message.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def test_a_message_as_it_came() -> None:
    with Sink() as sink, client(sink) as running:
        options = ("BODY=8BITMIME", "RET=HDRS")
        assert running.sendmail(ANN, [JOE, BOB], LETTER, options, ("NOTIFY=NEVER",)) == {}
        running.quit()
        sink.record.until_over()
    [message] = sink.record.messages
    assert (message.sender, message.body, message.name) == (ANN, LETTER, "one")
    assert message.parameters == (f"size={len(LETTER)}", "BODY=8BITMIME", "RET=HDRS")
    assert message.taken_for == (JOE, BOB)
    assert {each.parameters for each in message.recipients} == {("NOTIFY=NEVER",)}
    assert (message.replies, message.answered, message.chunked) == ((250,), True, False)
    [session] = sink.record.sessions
    assert (session.peer, session.here, session.tls) == ("127.0.0.1", "127.0.0.1", None)
    assert (session.hello, session.ended, session.pipelined) == ("EHLO client.example", "quit", 0)
    assert session.commands[-1] == "quit"
    assert sink.record.copies() == {("one", JOE): 1, ("one", BOB): 1}
    assert sink.record.faults == ()


@pytest.mark.parametrize("pieces", [1, 7, 10_000])
@pytest.mark.parametrize("body", [b"", b".\r\n", b".a\r\n..\r\n\r\n.\r\n", LETTER, b"x" * 400_000 + b"\r\n"])
def test_bodies_in_pieces(body: bytes, pieces: int) -> None:
    wire = (b"." if body.startswith(b".") else b"") + stuffed(body) + b"QUIT\r\n"
    with Sink() as sink, raw(sink) as running:
        begun(running)
        running.say(b"DATA", b"354")
        size = max(1, len(wire) // pieces) if len(body) > 1000 else pieces
        for at in range(0, len(wire), size):
            running.send(wire[at : at + size])
        assert running.reply().startswith(b"250")
        assert running.reply().startswith(b"221")
        [message] = sink.record.messages
    assert message.body == body
    assert sink.record.faults == ()


def test_chunks() -> None:
    with Sink() as sink, raw(sink) as running:
        begun(running)
        running.send(b"BDAT 10\r\n" + LETTER[:10] + b"BDAT 0\r\n")
        running.send(b"BDAT %d LAST\r\n" % (len(LETTER) - 10) + LETTER[10:] + b"QUIT\r\n")
        assert [running.reply()[:3] for _ in range(4)] == [b"250", b"250", b"250", b"221"]
        [message] = sink.record.messages
    assert (message.body, message.chunked) == (LETTER, True)
    assert sink.record.faults == ()


def test_what_comes_to_nothing() -> None:
    with Sink({"RCPT": {BOB: "550 5.1.1 No"}}) as sink, raw(sink) as running:
        begun(running)
        assert running.say(b"RCPT TO:<%s>" % BOB.encode()).startswith(b"550 5.1.1")
        running.say(b"RSET", b"250")
        running.say(b"MAIL FROM:<>", b"250")
        running.say(b"RCPT TO:<%s>" % JOE.encode(), b"250")
        running.say(b"DATA", b"354")
        running.send(b"half a mess")
        running.half_close()
        sink.record.until_over()
    reset, broken = sink.record.transactions
    assert [(each.address, each.code, each.taken) for each in reset.recipients] == [
        (JOE, 250, False),
        (BOB, 550, False),
    ]
    assert (reset.reached, broken.reached, broken.body) == ("MAIL", "DATA", b"half a mess")
    assert sink.record.messages == ()
    assert sink.record.sessions[0].ended == "client"


@pytest.mark.parametrize(
    ("table", "offer", "expected"),
    [
        ({"EHLO": "502 5.5.1 No"}, Offer(), (b"502", b"250", b"250", b"250", b"354", b"250")),
        ({"MAIL": "421 4.3.2 Later"}, Offer(), (b"250", b"250", b"421", b"503", b"503", b"")),
        ({"RCPT": "452 4.2.2 Full"}, Offer(), (b"250", b"250", b"250", b"452", b"503", b"")),
        ({"DATA": "451 4.3.0 No"}, Offer(), (b"250", b"250", b"250", b"250", b"451", b"")),
        ({"END": "552 5.2.2 No"}, Offer(), (b"250", b"250", b"250", b"250", b"354", b"552")),
        ({}, Offer(size=10), (b"250", b"250", b"250", b"250", b"354", b"552")),
        ({}, Offer(logins={"joe": "secret"}), (b"250", b"250", b"530", b"503", b"503", b"")),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_replies(table: dict[Point, Plan], offer: Offer, expected: tuple[bytes, ...]) -> None:
    with Sink(table, offer) as sink, raw(sink) as running:
        assert running.reply().startswith(b"220")
        commands = (b"EHLO x", b"HELO x", b"MAIL FROM:<a@b>", b"RCPT TO:<c@d>", b"DATA")
        said = [running.say(command)[:3] for command in commands]
        if said[-1] == b"354":
            running.send(LETTER + b".\r\n")
            said.append(running.reply()[:3])
        assert said == [each for each in expected if each]
        assert [message.replies for message in sink.record.messages] == [(250,)] * (expected[-1] == b"250")


def test_size_is_known_at_mail() -> None:
    with Sink(offer=Offer(size=10)) as sink, raw(sink) as running:
        running.reply()
        running.say(b"EHLO x", b"250")
        assert running.say(b"MAIL FROM:<a@b> SIZE=11").startswith(b"552 5.3.4")
        assert running.say(b"MAIL FROM:<a@b> SIZE=10").startswith(b"250")


LEAVING: tuple[Act, ...] = (DROP, RESET, GOODBYE)


@pytest.mark.parametrize("act", LEAVING, ids=["drop", "reset", "421"])
@pytest.mark.parametrize(
    "point", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "END", "AFTER", "RSET", "NOOP", "QUIT"]
)
def test_the_session_ends_anywhere(point: Point, act: Act) -> None:
    """The first time; then all goes well."""
    with Sink({point: [act]}) as sink:
        # A reset may come before connect(2) has returned.
        with contextlib.suppress(AssertionError, OSError), raw(sink) as running:
            begun(running)
            running.say(b"RSET", b"250")
            running.say(b"NOOP", b"250")
            running.say(b"MAIL FROM:<%s>" % ANN.encode(), b"250")
            running.say(b"RCPT TO:<%s>" % JOE.encode(), b"250")
            running.say(b"DATA", b"354")
            running.send(LETTER[:20])
            running.send(stuffed(LETTER[20:]))
            running.say(b"", b"250")
            running.say(b"QUIT", b"221")
        sink.record.until_over()
        [session] = sink.record.sessions
        assert session.ended == "sink" or session.why
        with client(sink) as running_well:
            running_well.sendmail(ANN, [JOE], LETTER)
        sink.record.until_over()
        first = sink.record.messages[0]
        unknown = point == "END" and act != GOODBYE
        assert len(sink.record.messages) == (2 if unknown or point in {"AFTER", "QUIT"} else 1)
        if unknown:
            assert (first.taken_for, first.answered, first.replies) == ((JOE,), False, ())


def test_hanging_ends_when_the_client_leaves() -> None:
    with Sink({"MAIL": HANG}) as sink, raw(sink) as running:
        running.reply()
        running.say(b"EHLO x", b"250")
        running.send(b"MAIL FROM:<a@b>\r\n")
        sink.record.until(lambda record: record.sessions[0].commands[1:])
        running.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            running.line()
        running.close()
        sink.record.until_over()


def test_hanging_and_open_sessions_end_with_the_sink() -> None:
    with Sink({"CONNECT": [HANG]}) as sink, raw(sink) as first, raw(sink) as second:
        assert second.reply().startswith(b"220")
        began = time.monotonic()
        sink.stop()
        assert (first.rest(), second.rest()) == (b"", b"")
        assert time.monotonic() - began < 5
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", sink.port), PATIENCE)
        with sink, client(sink) as again:  # on the same port
            again.sendmail(ANN, [JOE], LETTER)
    assert len(sink.record.messages) == 1


def test_waiting_for_the_test() -> None:
    gate = threading.Event()
    with Sink({"END": [Wait(gate)]}) as sink, raw(sink) as running:
        begun(running)
        running.say(b"DATA", b"354")
        running.send(LETTER + b".\r\n")
        [message] = sink.record.until_taken(1)
        assert (message.replies, message.answered) == ((250,), False), "it is taken, and nobody knows"
        gate.set()
        assert running.reply().startswith(b"250")
        sink.record.until(lambda record: record.messages[0].answered)


def test_a_reply_octet_by_octet() -> None:
    with Sink({"CONNECT": tarpit("220 slow", 0.002)}) as sink, raw(sink) as running:
        pieces: list[bytes] = []
        while not b"".join(pieces).endswith(b"\n"):
            pieces.append(running.socket.recv(100))
        assert b"".join(pieces) == b"220 slow\r\n"
        assert len(pieces) > 1


def test_replies_without_measure() -> None:
    table: dict[Point, Plan] = {"EHLO": many_lines(250, 5000), "MAIL": endless(250, 1 << 20)}
    with Sink(table) as sink, raw(sink) as running:
        running.reply()
        running.send(b"EHLO x\r\n")
        assert len([running.line() for _ in range(5000)]) == 5000
        running.send(b"MAIL FROM:<a@b>\r\n")
        assert len(running.rest()) == (1 << 20) + 4


def test_replies_that_come_early() -> None:
    with Sink({"MAIL": Say(b"250 a\r\n250 b\r\n354 c\r\n")}) as sink, raw(sink) as running:
        running.reply()
        running.say(b"EHLO x", b"250")
        running.send(b"MAIL FROM:<a@b>\r\n")
        assert [running.reply() for _ in range(3)] == [b"250 a", b"250 b", b"354 c"]


def test_greylisting() -> None:
    with Sink({"RCPT": greylisting()}) as sink, client(sink) as running:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            running.sendmail(ANN, [JOE], LETTER)
        assert running.sendmail(ANN, [JOE], LETTER) == {}


def test_lmtp_answers_for_each() -> None:
    table: dict[Point, Plan] = {"END": {BOB: "452 4.2.2 Full"}, "RCPT": {ANN: "550 5.1.1 No"}}
    with Sink(table, Offer(lmtp=True)) as sink, raw(sink) as running:
        running.reply()
        assert running.say(b"EHLO x").startswith(b"502")
        running.say(b"LHLO x", b"250")
        running.send(b"MAIL FROM:<a@b>\r\n")
        running.send(b"".join(b"RCPT TO:<%s>\r\n" % each.encode() for each in (JOE, ANN, BOB)) + b"DATA\r\n")
        assert [running.reply()[:3] for _ in range(5)] == [b"250", b"250", b"550", b"250", b"354"]
        running.send(stuffed(LETTER))
        assert [running.reply()[:3] for _ in range(2)] == [b"250", b"452"]
        [message] = sink.record.messages
    assert (message.taken_for, message.replies) == ((JOE,), (250, 452))
    assert message.session.pipelined == 3
    assert sink.record.faults == ()


# TLS and logins


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.file))


def test_starttls(authority: Authority) -> None:
    offer = encrypting(authority.sign("mx.there.example", "127.0.0.1"), require_tls=True)
    with Sink(offer=offer) as sink, client(sink) as running:
        running.ehlo()
        assert running.has_extn("starttls")
        assert not running.has_extn("requiretls")
        running._host = "mx.there.example"  # type: ignore[attr-defined]
        running.starttls(context=trusting(authority))
        running.ehlo()
        assert not running.has_extn("starttls")
        assert running.has_extn("requiretls")
        running.sendmail(ANN, [JOE], LETTER, ("REQUIRETLS",))
        running.quit()
    [message] = sink.record.messages
    tls = message.session.tls
    assert tls == Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384", "mx.there.example")
    assert sink.record.faults == ()


def test_after_starttls_one_says_ehlo_again(authority: Authority) -> None:
    with Sink(offer=encrypting(authority.sign("127.0.0.1"))) as sink, raw(sink) as running:
        running.reply()
        running.say(b"EHLO x", b"250")
        running.say(b"STARTTLS", b"220")
        running.socket = trusting(authority).wrap_socket(running.socket, server_hostname="127.0.0.1")
        assert running.say(b"MAIL FROM:<a@b>").startswith(b"503")
    assert sink.record.faults == ("MAIL in the wrong place: FROM:<a@b>",)


@pytest.mark.parametrize(
    "act", [DROP, RESET, Say(b"nonsense instead of a handshake\r\n")], ids=["drop", "reset", "say"]
)
def test_a_handshake_that_fails(authority: Authority, act: Act) -> None:
    with Sink({"TLS": [act]}, encrypting(authority.sign("127.0.0.1"))) as sink:
        with raw(sink) as running:
            running.reply()
            running.say(b"EHLO x", b"250")
            running.send(b"STARTTLS\r\n")
            if isinstance(act, Say):
                assert running.line().startswith(b"220")
                with pytest.raises(ssl.SSLError):
                    trusting(authority).wrap_socket(running.socket, server_hostname="127.0.0.1")
            sink.record.until_over()
        with client(sink) as running:
            running.starttls(context=trusting(authority))
            running.sendmail(ANN, [JOE], LETTER)
    assert [bool(message.session.tls) for message in sink.record.messages] == [True]


def test_tls_from_the_beginning_and_logins(authority: Authority) -> None:
    offer = encrypting(authority.sign("127.0.0.1"), implicit=True, logins={"joe": "secret"})
    with Sink(offer=offer) as sink:
        context = trusting(authority)
        with smtplib.SMTP_SSL(
            "127.0.0.1", sink.port, "client.example", timeout=PATIENCE, context=context
        ) as running:
            with pytest.raises(smtplib.SMTPSenderRefused):
                running.sendmail(ANN, [JOE], LETTER)
            with pytest.raises(smtplib.SMTPAuthenticationError):
                running.login("joe", "wrong")
            for way in (running.auth_plain, running.auth_login):
                name = "PLAIN" if way == running.auth_plain else "LOGIN"
                running.user, running.password = "joe", "secret"
                assert running.auth(name, way)[0] == 235
            running.sendmail(ANN, [JOE], LETTER)
    [message] = sink.record.messages
    assert message.session.login == "joe"
    assert not any("secret" in each for each in message.session.commands)


def test_logins_are_not_offered_in_clear(authority: Authority) -> None:
    offer = encrypting(authority.sign("127.0.0.1"), logins={"joe": "secret"})
    with Sink(offer=offer) as sink, client(sink) as running:
        running.ehlo()
        assert not running.has_extn("auth")
        assert running.docmd("AUTH", "PLAIN AGpvZQBzZWNyZXQ=")[0] == 504


# Faults of clients


def test_faults_are_seen() -> None:
    with Sink(offer=Offer(extensions=("8BITMIME",), size=None)) as sink, raw(sink) as running:
        running.reply()
        running.say(b"EHLO x", b"250")
        running.send(b"MAIL FROM:<\xc3\xbc@b> SIZE=1\r\nRCPT TO:<c@d> NOTIFY=NEVER\r\n")
        running.reply()
        running.reply()
        running.say(b"MAIL FROM:<a@b>", b"503")
        running.say(b"MAIL FROM: <a@b>", b"501")
        running.say(b"DATA", b"354")
        running.send(b"\xc3\xbc\n.\r\n\r\n.\r\n")
        assert running.reply().startswith(b"250")
    assert sink.record.faults == (
        "pipelining behind MAIL, which was not offered",
        "SIZE=1, which was not offered",
        "UTF-8 without SMTPUTF8: FROM:<ü@b> SIZE=1",
        "NOTIFY=NEVER, which was not offered",
        "MAIL in the wrong place: FROM:<a@b>",
        "MAIL FROM: <a@b>",
        "bare CR or LF in the content",
        "8-bit content without BODY=8BITMIME",
    )


# Places


def test_several_hosts_on_one_port() -> None:
    first, second = Sink(addresses=("127.0.0.2",)), Sink({"CONNECT": DROP}, addresses=("127.0.0.3", "::1"))
    with on_one_port(first, second) as port:
        assert (first.port, second.port) == (port, port)
        with client(first, "127.0.0.2") as running:
            running.sendmail(ANN, [JOE], LETTER)
        for address in second.addresses:
            with pytest.raises(smtplib.SMTPServerDisconnected):
                smtplib.SMTP(address, port, timeout=PATIENCE)
        second.record.until_over()
    assert [session.here for session in first.record.sessions] == ["127.0.0.2"]
    assert [session.here for session in second.record.sessions] == ["127.0.0.3", "::1"]


def test_a_port_is_taken() -> None:
    with Sink() as sink, pytest.raises(OSError, match="in use"):
        bound(("127.0.0.1",), sink.port)


def test_a_host_that_never_answers() -> None:
    with never_answering() as port, pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", port), 0.05)


def test_two_thousand_messages() -> None:
    """That takes a second or so; what is given away here makes many tests slow."""
    count, width = 2000, 8
    request = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"

    def work() -> None:
        with raw(sink) as running:
            running.reply()
            running.say(b"EHLO x", b"250")
            for number in range(count // width):
                running.send(request)
                assert [running.reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
                running.send(b"X-Load: %d\r\n\r\n%s.\r\n" % (number, b"A line of text\r\n" * 250))
                assert running.reply().startswith(b"250")
            running.say(b"QUIT", b"221")

    with Sink() as sink:
        began = time.monotonic()
        threads = [threading.Thread(target=work) for _ in range(width)]
        for thread in threads:
            thread.start()
        assert len(sink.record.until_taken(count)) == count
        for thread in threads:
            thread.join()
        sink.record.until_over()
        assert time.monotonic() - began < 10
    assert set(sink.record.copies().values()) == {width}
    assert sink.record.faults == ()
