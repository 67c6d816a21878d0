"""Python's smtplib and poplib: every command they have."""

from __future__ import annotations

import contextlib
import poplib
import smtplib
import time
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

import pytest

from tests.interop.hall import JOERG, MAX_MESSAGE
from tests.interop.letters import PLAIN, numbered, split_trace
from tests.system.harness import PASSWORDS, PATIENCE, Server
from tests.system.sockets import SocketServer, letters

JOE, ANN, BOB = "joe@example.test", "ann@example.test", "bob@example.test"


def submission(server: Server, *, logged_in: bool = True) -> smtplib.SMTP:
    """A connection for ann, after STARTTLS."""
    client = smtplib.SMTP("127.0.0.1", server.ports["submission"], "client.example", timeout=PATIENCE)
    client.starttls(context=server.tls())
    if logged_in:
        client.login(ANN, PASSWORDS[ANN])
    return client


@contextlib.contextmanager
def clear(server: Server) -> Iterator[poplib.POP3]:
    """A session of joe's where passwords may go in clear. Ends without QUIT, unless the test has said it."""
    client = poplib.POP3("127.0.0.1", server.ports["pop3-trusted"], timeout=PATIENCE)
    with contextlib.closing(client):
        client.user(JOE)
        client.pass_(PASSWORDS[JOE])
        yield client


def until_free(server: Server) -> None:
    """Come back until the server has noticed that the session before is gone."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with clear(server) as client:
                client.quit()
                return
        except poplib.error_proto as error:
            if b"[IN-USE]" not in error.args[0] or time.monotonic() > deadline:
                raise


def test_extensions(server: Server) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=PATIENCE) as client:
        client.ehlo()
        assert client.has_extn("starttls")
        assert not client.has_extn("auth"), "nobody should be led to send a password in clear"
        client.starttls(context=server.tls())
        client.ehlo()
        assert not client.has_extn("starttls")
        assert set(client.esmtp_features["auth"].split()) >= {"PLAIN", "LOGIN"}
        assert int(client.esmtp_features["size"]) == 50 * 1024 * 1024
        assert {"pipelining", "8bitmime", "enhancedstatuscodes"} <= set(client.esmtp_features)


def test_several_recipients(server: Server) -> None:
    with submission(server) as client:
        refused = client.sendmail(ANN, [JOE, BOB, "nobody@example.test"], PLAIN, ["BODY=8BITMIME"])
    assert list(refused) == ["nobody@example.test"]
    assert refused["nobody@example.test"][0] == 550
    for account in (JOE, BOB):
        [message] = server.messages(account)
        trace, letter = split_trace(message)
        assert letter == PLAIN
        assert f"Delivered-To: {account}\r\n".encode() in trace
        assert (JOE.encode() in trace) == (account == JOE), "the other recipient is nobody's business"
    assert server.messages(ANN) == []


def test_a_message_object(server: Server) -> None:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = ANN, JOE, "Grüße"
    message["Date"], message["Message-ID"] = "Sat, 21 Nov 2026 10:00:00 +0000", "<letter@example.test>"
    message.set_content("Größe: 3 €\n.\n..\nSchluß\n", cte="8bit")
    message.add_attachment(bytes(range(256)) * 40, maintype="application", subtype="octet-stream")
    sent = message.as_bytes()
    with submission(server) as client:
        assert client.send_message(message) == {}
    [back] = server.messages()
    assert split_trace(back)[1] == sent


def test_several_messages_on_one_connection(server: Server) -> None:
    with submission(server) as client:
        for number in range(5):
            client.sendmail(ANN, [JOE], numbered(number))
            assert client.rset()[0] == client.noop()[0] == 250
    assert [split_trace(message)[1] for message in server.messages()] == [numbered(n) for n in range(5)]


def test_the_other_commands_of_smtp(server: Server) -> None:
    with server.smtp() as client:
        assert client.helo("client.example")[0] == 250
        assert client.verify(JOE)[0] == 252
        assert b"RFC 5321" in client.help()
        assert client.expn("staff")[0] in {500, 502}
        assert client.mail("sender@elsewhere.example")[0] == 250
        assert client.rcpt(JOE)[0] == 250
        assert client.rset() == (250, b"2.0.0 OK")
        code, _ = client.docmd("DATA")
        assert code == 503
        assert client.quit()[0] == 221
    assert server.messages() == []


@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login"])
def test_login(server: Server, mechanism: str) -> None:
    with submission(server, logged_in=False) as client:
        client.ehlo()
        client.user, client.password = ANN, "wrong"
        name = mechanism.removeprefix("auth_").upper()
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.auth(name, getattr(client, mechanism))
        assert refused.value.smtp_code == 535
        client.password = PASSWORDS[ANN]
        assert client.auth(name, getattr(client, mechanism))[0] == 235
        assert client.sendmail(ANN, [JOE], PLAIN) == {}


def test_nobody_sends_without_a_login(server: Server) -> None:
    with submission(server, logged_in=False) as client, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        client.sendmail(ANN, [JOE], PLAIN)
    assert refused.value.smtp_code == 530


def test_implicit_tls(server: Server) -> None:
    with smtplib.SMTP_SSL(
        "127.0.0.1", server.ports["submissions"], timeout=PATIENCE, context=server.tls()
    ) as client:
        client.login(ANN, PASSWORDS[ANN])
        client.sendmail(ANN, [JOE], PLAIN)
    [message] = server.messages()
    assert split_trace(message)[1] == PLAIN


def test_addresses_in_utf_8(hall: SocketServer) -> None:
    """send_message() says SMTPUTF8 and BODY=8BITMIME by itself."""
    message = EmailMessage(policy=SMTPUTF8)
    message["From"], message["To"], message["Subject"] = "jürgen@bücher.example", JOERG, "Grüße"
    message["Date"], message["Message-ID"] = "Sat, 21 Nov 2026 10:00:00 +0000", "<letter@example.test>"
    message.set_content("Größe\n", cte="8bit")
    with hall.smtp() as client:
        assert client.send_message(message) == {}
    [back] = letters(hall, JOERG)
    trace, letter = split_trace(back)
    assert letter == message.as_bytes()
    assert f"Return-Path: <jürgen@xn--bcher-kva.example>\r\nDelivered-To: {JOERG}\r\n".encode() in trace
    assert b" with UTF8SMTP id " in trace


def test_addresses_in_utf_8_need_the_parameter(hall: SocketServer) -> None:
    """smtplib encodes commands in ASCII without it, so this is said by hand."""
    with hall.smtp() as client:
        client.ehlo()
        client.command_encoding = "utf-8"
        assert client.docmd("MAIL", "FROM:<jürgen@elsewhere.example>")[0] == 553
        assert client.docmd("MAIL", "FROM:<x@elsewhere.example>")[0] == 250
        code, text = client.docmd("RCPT", f"TO:<{JOERG}>")
        assert (code, text[:5]) == (553, b"5.6.7")
        client.rset()
        assert client.mail("x@elsewhere.example", ["SMTPUTF8"])[0] == 250
        assert client.rcpt(JOERG)[0] == 250


@pytest.mark.parametrize("mail", [["BODY=8BITMIME"], ["SMTPUTF8"], ["BODY=8BITMIME", "SMTPUTF8", "RET=HDRS"]])
@pytest.mark.parametrize(
    "recipient", [["NOTIFY=NEVER"], ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;a+2Bb@x.example"]]
)
def test_options(hall: SocketServer, mail: list[str], recipient: list[str]) -> None:
    with hall.smtp() as client:
        assert client.sendmail("x@elsewhere.example", [JOE, BOB], PLAIN, mail, recipient) == {}
    for account in (JOE, BOB):
        [message] = letters(hall, account)
        assert split_trace(message)[1] == PLAIN


@pytest.mark.parametrize(
    ("mail", "recipient", "answer"),
    [
        (["BODY=9BIT"], [], b"5.5.4"),
        (["RET=SOME"], [], b"5.5.4"),
        ([], ["NOTIFY=NEVER,SUCCESS"], b"5.5.4"),
        ([], ["NOTIFY=FAILURE", "NOTIFY=FAILURE"], b"5.5.4"),
        ([], ["ORCPT=joe"], b"5.5.4"),
        ([], ["RET=FULL"], b"5.5.4"),
    ],
)
def test_options_that_are_none(
    hall: SocketServer, mail: list[str], recipient: list[str], answer: bytes
) -> None:
    with hall.smtp() as client, pytest.raises(smtplib.SMTPException) as refused:
        client.sendmail("x@elsewhere.example", [JOE], PLAIN, mail, recipient)
    assert answer in str(refused.value).encode()
    assert letters(hall, JOE) == []


def test_size(hall: SocketServer) -> None:
    """smtplib says SIZE by itself; what is more than announced is refused when it has come."""
    too_large = PLAIN + (b"x" * 76 + b"\r\n") * (MAX_MESSAGE // 78)
    with hall.smtp() as client:
        with pytest.raises(smtplib.SMTPSenderRefused, match=r"5\.3\.4"):
            client.sendmail("x@elsewhere.example", [JOE], too_large)
        assert client.mail("x@elsewhere.example", ["SIZE=1000"])[0] == 250
        assert client.rcpt(JOE)[0] == 250
        code, text = client.data(too_large)
        assert (code, text[:5]) == (552, b"5.3.4")
        assert client.sendmail("x@elsewhere.example", [JOE], PLAIN) == {}
    [message] = letters(hall, JOE)
    assert split_trace(message)[1] == PLAIN


def chunk(client: smtplib.SMTP, octets: bytes, last: str = "") -> tuple[int, bytes]:
    """BDAT, which smtplib does not know; the chunk goes with its command (RFC 3030 section 2)."""
    client.send(f"BDAT {len(octets)}{last}\r\n".encode() + octets)
    return client.getreply()


@pytest.mark.parametrize("octets", [1, 7, 100, 10_000])
def test_chunks(hall: SocketServer, octets: int) -> None:
    """Cut anywhere; nothing is stuffed, and a dot on a line of its own means nothing."""
    pieces = [PLAIN[at : at + octets] for at in range(0, len(PLAIN), octets)]
    with hall.smtp() as client:
        client.ehlo()
        assert client.has_extn("chunking")
        client.mail("x@elsewhere.example", ["BODY=8BITMIME"])
        client.rcpt(JOE)
        for piece in pieces[:-1]:
            assert chunk(client, piece)[0] == 250
        assert letters(hall, JOE) == []
        assert chunk(client, pieces[-1], " LAST")[1].startswith(b"2.0.0 OK, queued as ")
        assert client.docmd("BDAT", "0 LAST")[0] == 503
        client.rset()
        assert client.sendmail("x@elsewhere.example", [BOB], PLAIN) == {}
    for account in (JOE, BOB):
        [message] = letters(hall, account)
        assert split_trace(message)[1] == PLAIN


def test_chunks_that_are_given_up(hall: SocketServer) -> None:
    with hall.smtp() as client:
        client.ehlo()
        client.mail("x@elsewhere.example")
        client.rcpt(JOE)
        assert chunk(client, PLAIN[:100])[0] == 250
        assert client.docmd("DATA")[0] == 503
        assert client.rset()[0] == 250
        assert chunk(client, b"QUIT\r\n", " LAST")[0] == 503
        assert client.noop()[0] == 250
    assert letters(hall, JOE) == []


@pytest.mark.parametrize("way", ["tcp", "unix"])
def test_lmtp(hall: SocketServer, way: str) -> None:
    """smtplib hands over one message for each recipient; by hand one for all has an answer for each."""
    host, port = ("127.0.0.1", hall.ports["lmtp"]) if way == "tcp" else (str(hall.lmtp), 0)
    with contextlib.closing(smtplib.LMTP(host, port, "client.example", timeout=PATIENCE)) as client:
        refused = client.sendmail(
            "x@elsewhere.example", [JOE, "nobody@example.test"], PLAIN, ["BODY=8BITMIME"]
        )
        assert refused == {"nobody@example.test": (550, b"5.1.1 There is no mailbox of that name here")}
        client.mail("x@elsewhere.example", ["SMTPUTF8"])
        assert client.rcpt(JOERG, ["NOTIFY=NEVER"])[0] == 250
        assert client.rcpt(BOB)[0] == 250
        code, text = client.data(PLAIN)
        assert (code, client.getreply()) == (250, (250, text))
        client.quit()
    for account in (JOE, JOERG, BOB):
        [message] = letters(hall, account)
        trace, letter = split_trace(message)
        assert letter == PLAIN
        assert (b" with LMTP id " if account == JOE else b" with UTF8LMTP id ") in trace


def test_lists_of_pop3(server: Server) -> None:
    for number in range(3):
        server.deliver(numbered(number))
    with clear(server) as client:
        count, octets = client.stat()
        _, listed, _ = client.list()
        sizes = [int(line.split()[1]) for line in listed]
        assert (count, octets) == (3, sum(sizes))
        assert [client.retr(number)[2] for number in (1, 2, 3)] == sizes
        alone: object = client.list(2)
        assert alone == b"+OK 2 %d" % sizes[1]
        _, listed, _ = client.uidl()
        assert client.uidl(3).split()[1:] == listed[2].split()
        client.quit()
    with clear(server) as client:
        assert client.uidl()[1] == listed, "a unique id is for ever"


def test_messages_of_pop3(server: Server) -> None:
    server.deliver(PLAIN)
    with clear(server) as client:
        whole = b"".join(line + b"\r\n" for line in client.retr(1)[1])
        assert split_trace(whole)[1] == PLAIN
        assert len(whole) == client.stat()[1]
        header, _, text = whole.partition(b"\r\n\r\n")
        body = text.split(b"\r\n")[:-1]
        for wanted in (0, 1, 2, 100):
            _, lines, _ = client.top(1, wanted)
            assert lines == [*header.split(b"\r\n"), b"", *body[:wanted]]
        client.quit()


def test_deletion_needs_a_quit(server: Server) -> None:
    for number in range(3):
        server.deliver(numbered(number))
    with clear(server) as client:
        client.dele(1)
        client.dele(3)
        assert client.stat()[0] == 1
        with pytest.raises(poplib.error_proto):
            client.retr(1)
        client.rset()
        assert client.stat()[0] == 3
        client.dele(1)
    until_free(server)
    with clear(server) as client:
        assert client.stat()[0] == 3, "no QUIT, no deletion"
        client.dele(2)
        client.noop()
        assert client.quit().startswith(b"+OK")
    assert [split_trace(message)[1] for message in server.messages()] == [numbered(0), numbered(2)]


def test_stls(server: Server) -> None:
    server.deliver(PLAIN)
    with contextlib.closing(poplib.POP3("127.0.0.1", server.ports["pop3"], timeout=PATIENCE)) as client:
        before = client.capa()
        assert "STLS" in before
        assert "USER" not in before
        with pytest.raises(poplib.error_proto):
            client.user(JOE)
        client.stls(context=server.tls())
        after = client.capa()
        assert "STLS" not in after
        assert {"USER", "UIDL", "TOP", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE"} <= set(after)
        client.user(JOE)
        client.pass_(PASSWORDS[JOE])
        assert client.stat()[0] == 1
        client.quit()


def test_a_wrong_password(server: Server) -> None:
    client = poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], timeout=PATIENCE, context=server.tls())
    with contextlib.closing(client):
        client.user(JOE)
        with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
            client.pass_("wrong")
        client.user(JOE)
        client.pass_(PASSWORDS[JOE])
        client.quit()


def test_only_one_session_has_the_maildrop(server: Server) -> None:
    with clear(server) as first:
        with pytest.raises(poplib.error_proto, match=r"\[IN-USE\]"), clear(server):
            pass
        first.quit()
        with clear(server) as second:
            second.quit()
