"""What is written in front of a message, and what of a stranger's words gets there, over real sockets
(features row M-14, and reliability.md section 2: CR, LF and NUL in MAIL, RCPT and EHLO)."""

from __future__ import annotations

import base64
import contextlib
import random
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.system.clients import Client, connect, smtp
from tests.system.harness import LIMITS, LISTENERS, PASSWORDS, Server
from tests.system.letters import (
    ANN,
    BOB,
    CLIENT,
    JOE,
    STRANGER,
    TAKEN,
    bdat,
    data,
    envelope,
    fields,
    hand_in,
    log_in,
    secure,
    start_tls,
    submitting,
    the_one,
    values,
    with_text,
)
from tests.system.mechanisms import authenticate

DOORS = """
[[listener]]
name    = "lmtp"
service = "lmtp"
bind    = ["127.0.0.1"]
port    = 0
tls     = "starttls"

[[listener]]
name    = "frank"
service = "submission"
bind    = ["127.0.0.1"]
port    = 0
tls     = "implicit"
hide_client = false
show_login  = true

[[listener]]
name    = "clear"
service = "submission"
bind    = ["127.0.0.1"]
port    = 0
tls     = "off"
auth    = ["scram-sha-256"]
"""
DOMAIN = 'aliases = { team = ["joe", "ann"], one = "bob" }'
HOST = b"mail.example.test"
ID = r"[0-9a-f]{16}"
UTF8 = b" SMTPUTF8"
PEER = r"(?:localhost )?\[127\.0\.0\.1\]"
"""What this machine calls its own address is its own affair."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("trace"), LIMITS, LISTENERS + DOORS, domain=DOMAIN) as running:
        yield running
        assert [line for line in running.logged().splitlines() if " error " in line] == []


def letter(text: str, *header: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in (*header, b"Subject: " + text.encode(), b"", text.encode()))


# Received


@contextlib.contextmanager
def way(server: Server, listener: str, *steps: str) -> Iterator[Client]:
    """A session by a listener: HELO, EHLO or LHLO in clear, then TLS and the same again, then a login."""
    with connect(server, listener) as client:
        hello = next(step for step in steps if step.endswith("LO")).encode()
        if "implicit" in steps:
            client.socket = server.tls().wrap_socket(client.socket, server_hostname="127.0.0.1")
        assert client.reply().startswith(b"220 ")
        client.say((b"EHLO " if hello == b"HELO" and "TLS" in steps else hello + b" ") + CLIENT, b"250")
        if "TLS" in steps:
            start_tls(server, client, hello)
        if "login" in steps:
            log_in(client, JOE)
        if "scram" in steps:
            assert authenticate(client, "SCRAM-SHA-256", JOE, PASSWORDS[JOE]).startswith(b"235")
        yield client


WAYS = [
    ("SMTP", b"", "mx", "HELO"),
    ("SMTP", b"", "mx", "HELO", "TLS"),
    ("ESMTP", b"", "mx", "EHLO"),
    ("ESMTPS", b"", "mx", "EHLO", "TLS"),
    ("ESMTPA", b"", "clear", "EHLO", "scram"),
    ("ESMTPSA", b"", "submission", "EHLO", "TLS", "login"),
    ("ESMTPSA", b"", "submissions", "EHLO", "implicit", "login"),
    ("LMTP", b"", "lmtp", "LHLO"),
    ("LMTPS", b"", "lmtp", "LHLO", "TLS"),
    ("UTF8SMTP", UTF8, "mx", "EHLO"),
    ("UTF8SMTPS", UTF8, "mx", "EHLO", "TLS"),
    ("UTF8SMTPA", UTF8, "clear", "EHLO", "scram"),
    ("UTF8SMTPSA", UTF8, "submissions", "EHLO", "implicit", "login"),
    ("UTF8LMTP", UTF8, "lmtp", "LHLO"),
    ("UTF8LMTPS", UTF8, "lmtp", "LHLO", "TLS"),
]


@pytest.mark.parametrize(("keyword", "words", "listener", "steps"), [(*w[:3], w[3:]) for w in WAYS])
def test_received(server: Server, keyword: str, words: bytes, listener: str, steps: tuple[str, ...]) -> None:
    """RFC 3848 and RFC 6531 section 4.3; TLS as both sides know it; the id of the reply; the time."""
    text = f"by {keyword} at {listener} {'-'.join(steps)}"
    with way(server, listener, *steps) as client:
        answer = hand_in(client, letter(text), ANN, sender=JOE, words=words)
        tls = ""
        if isinstance(client.socket, ssl.SSLSocket):
            tls = f"{client.socket.version()} {client.socket.cipher()[0]}"  # type: ignore[index]
    assert answer.startswith(TAKEN)
    id = answer.rpartition(b" ")[2].decode()
    assert re.fullmatch(ID, id)
    (found,) = values(the_one(server, ANN, text.encode()), "Received")
    hidden = listener.startswith(("subm", "clear"))
    who = r"hidden\.invalid" if hidden else rf"client\.example \({PEER}\)"
    secured = rf" \({re.escape(tls)}\)" if tls else ""
    assert bool(tls) == ("TLS" in steps or "implicit" in steps)
    expected = re.compile(
        rf"from {who} by mail\.example\.test \(mailsuite\) with {keyword} id {id}{secured} "
        rf"for <ann@example\.test>; (?P<date>.+)"
    )
    match = expected.fullmatch(found.decode())
    assert match, found
    age = datetime.now(UTC) - parsedate_to_datetime(match["date"])
    assert timedelta(seconds=-1) <= age <= timedelta(seconds=60)


def test_tls_that_was_not_there_at_mail_is_not_claimed(server: Server) -> None:
    """Two messages of one connection, the first in clear."""
    with smtp(server) as client:
        assert hand_in(client, letter("first in clear"), ANN).startswith(TAKEN)
        start_tls(server, client)
        assert hand_in(client, letter("then under TLS"), ANN).startswith(TAKEN)
    first, second = (the_one(server, ANN, text) for text in (b"first in clear", b"then under TLS"))
    assert b" with ESMTP id " in first
    assert b"TLS" not in first
    assert b" with ESMTPS id " in second


def test_helo_behind_ehlo_counts(server: Server) -> None:
    with smtp(server) as client:
        client.say(b"HELO second.example", b"250")
        assert hand_in(client, letter("by the second name"), ANN).startswith(TAKEN)
    (found,) = values(the_one(server, ANN, b"by the second name"), "Received")
    who = rf"from second\.example \({PEER}\) by mail\.example\.test \(mailsuite\) with SMTP id "
    assert re.match(who.encode(), found)


@pytest.mark.parametrize(
    ("recipients", "named"),
    [
        ((ANN,), b"for <ann@example.test>;"),
        (("ann+tag@example.test",), b"for <ann+tag@example.test>;"),
        (("team@example.test",), b"for <team@example.test>;"),
        ((ANN, ANN), b"for <ann@example.test>;"),
        ((ANN, BOB), b""),
        ((ANN, "team@example.test"), b""),
        ((ANN, "ann+blind@example.test"), b""),
    ],
)
@pytest.mark.parametrize("how", ["DATA", "BDAT"])
def test_for_whom(server: Server, recipients: tuple[str, ...], named: bytes, how: str) -> None:
    """Only where there is one recipient (RFC 5321 section 7.2). Nobody is told what an alias stands for."""
    text = f"for {' and '.join(recipients)} by {how}"
    with smtp(server) as client:
        envelope(client, *recipients)
        answer = data(client, letter(text)) if how == "DATA" else bdat(client, letter(text))
        assert answer.startswith(TAKEN)
    (found,) = values(the_one(server, ANN, text.encode()), "Received")
    assert named in found
    assert (b" for <" in found) == bool(named)


def test_nobody_learns_of_the_other_recipients(server: Server) -> None:
    """Not from any field of any copy: who is named blindly stays so."""
    with submitting(server, JOE) as client:
        names = (ANN, "one@example.test", "ann+secret@example.test")
        assert hand_in(client, letter("blind", b"To: " + ANN.encode()), *names, sender=JOE).startswith(TAKEN)
    for account, others in ((ANN, (b"bob", b"one@")), (BOB, (b"ann+secret", b"Delivered-To: ann"))):
        header = the_one(server, account, b"Subject: blind").partition(b"\r\n\r\n")[0]
        assert not [other for other in others if other in header]
    assert values(the_one(server, BOB, b"Subject: blind"), "X-Original-To") == [b"one@example.test"]


def test_the_fields_in_their_order(server: Server) -> None:
    with submitting(server, JOE) as client:
        message = letter("in order", b"From: joe@example.test")
        assert hand_in(client, message, "ann+x@example.test", sender=JOE).startswith(TAKEN)
    names = [name for name, _ in fields(the_one(server, ANN, b"Subject: in order"))]
    front = ["return-path", "x-original-to", "delivered-to", "authentication-results", "received"]
    assert names == [*front, "from", "subject", "date", "message-id"]


def test_who_has_logged_in_is_hidden(server: Server) -> None:
    """And so is where from; a listener may say otherwise of both."""
    for listener in ("submissions", "frank"):
        with submitting(server, JOE, listener, name=b"desk.example") as client:
            message = letter(f"from {listener}", b"From: Joe <joe+news@example.test>")
            assert hand_in(client, message, ANN, sender="joe+news@example.test").startswith(TAKEN)
    hidden, shown = (the_one(server, ANN, b"Subject: from " + name) for name in (b"submissions", b"frank"))
    for secret in (b"127.0.0.1", b"desk.example", b"joe@example.test"):
        assert secret not in hidden
        assert secret in shown
    assert values(hidden, "Authentication-Results") == [HOST + b"; auth=pass"]
    assert values(shown, "Authentication-Results") == [HOST + b"; auth=pass smtp.auth=joe@example.test"]
    assert b"(authenticated as joe@example.test)" in values(shown, "Received")[0]


@pytest.mark.parametrize("sender", ["", STRANGER, '"two words"@elsewhere.example', "x@[192.0.2.1]"])
def test_the_return_path_is_the_sender_s(server: Server, sender: str) -> None:
    text = f"from {len(sender)} octets"
    with smtp(server) as client:
        assert hand_in(client, letter(text), ANN, sender=sender).startswith(TAKEN)
    assert values(the_one(server, ANN, text.encode()), "Return-Path") == [b"<" + sender.encode() + b">"]


# What others have written

FORGED = [
    b"Authentication-Results: mail.example.test; dkim=pass header.d=bank.example",
    b"Authentication-results : MAIL.Example.TEST; spf=pass",
    b'AUTHENTICATION-RESULTS:\r\n "mail.example.test" 1; auth=pass',
    b"Authentication-Results: (a comment) mail.example.test (another); auth=pass",
    b"Authentication-Results: mail.\r\n example.test; auth=pass",
    b"Return-Path: <forged@bank.example>",
    b"return-path:<>",
    b"Return-Path\t: <forged-again@bank.example>\r\n (folded)",
]
HONEST = [
    b"Authentication-Results: mx.elsewhere.example; dkim=pass header.d=honest.example",
    b"Received: from a.example by b.example; Sat, 21 Nov 2026 10:00:00 +0000",
    b"Delivered-To: somebody@elsewhere.example",
    b"X-Original-To: somebody@elsewhere.example",
    b"DKIM-Signature: v=1; a=rsa-sha256;\r\n\tb=AbC ; h=From",
]


@pytest.mark.parametrize("how", ["DATA", "BDAT", "octet by octet"])
@pytest.mark.parametrize("listener", ["mx", "submissions", "lmtp"])
def test_forged_fields_go_and_all_others_stay(server: Server, listener: str, how: str) -> None:
    """Those under our name (RFC 8601 section 5), and the Return-Path of whoever came before (RFC 5321 section
    4.4)."""
    text = f"forged at {listener} by {how}"
    known = [
        b"From: joe@example.test",
        b"Date: Sat, 21 Nov 2026 10:00:00 +0000",
        b"Message-ID: <1@x.example>",
    ]
    mixed = [each for pair in zip(FORGED, HONEST * 2, strict=False) for each in pair]
    steps = {"mx": ("EHLO",), "lmtp": ("LHLO",), "submissions": ("EHLO", "implicit", "login")}[listener]
    message = letter(text, *mixed, *known) + FORGED[0] + b"\r\n"
    with way(server, listener, *steps) as client:
        envelope(client, ANN, sender=JOE)
        match how:
            case "DATA":
                answer = data(client, message)
            case "BDAT":
                answer = bdat(client, message[:100], b"", message[100:])
            case _:
                client.say(b"DATA", b"354")
                for octet in message:
                    client.send(bytes([octet]))
                client.send(b".\r\n")
                answer = client.reply()
    assert answer.startswith(TAKEN)
    found = the_one(server, ANN, b"Subject: " + text.encode())
    stays = [each for each in mixed if each not in FORGED]
    end = letter(text, *stays, *known) + FORGED[0] + b"\r\n"
    assert found.endswith(b";\r\n\t" + found[: -len(end)].rpartition(b"\t")[2] + end)
    assert b"bank.example" not in found.partition(b"\r\n\r\n")[0]
    assert values(found, "Return-Path") == [b"<joe@example.test>"]


# What a stranger says


def harmless(message: bytes, *names: str) -> None:
    """Nothing that was said made a field of its own, or broke one."""
    found = [name for name, _ in fields(message) if name != "authentication-results"]
    assert found == [*names, "received", "subject"]
    header = message.partition(b"\r\n\r\n")[0]
    assert max(map(len, header.split(b"\r\n"))) <= 998
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", header)
    (received,) = values(message, "Received")
    by = r"by mail\.example\.test \(mailsuite\) with [A-Z0-9]+"
    shape = rf"from [^\s()<>\",;]+ \({PEER}\) {by} id {ID} for <.+>; [A-Z][\w ,:]+ \+0000"
    assert re.fullmatch(shape, received.decode()), received


NASTY = "abcXYZ019.-_+=!#$%&'*/?^`{|}~ ()<>[]@,;:\"\\\t\x85\u2028\u202eäß漢\x00\r\n\x1b\x7f"
"""What names and addresses are made of, and what they are not."""


def test_no_name_and_no_address_breaks_the_header(server: Server) -> None:
    """Random ones, as HELO, as sender and as recipient; those that are taken end up in the trace as they are,
    and in nothing else."""
    chance = random.Random(5321)

    def some(most: int) -> bytes:
        return "".join(chance.choice(NASTY) for _ in range(chance.randint(1, most))).encode()

    taken = 0
    for number in range(150):
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(connect(server, "mx"))
            client.line()
            names = (some(9), CLIENT)  # the usual one, where the other is refused
            if not any(client.say(b"EHLO " + name).startswith(b"250") for name in names):
                continue
            quoted = some(9).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            if not client.say(b'MAIL FROM:<"%s"@elsewhere.example> SMTPUTF8' % quoted).startswith(b"250"):
                continue
            client.say(b'RCPT TO:<"ann+%s"@example.test>' % some(5))
            if not client.say(b"DATA").startswith(b"354"):
                continue
            text = b"nasty %d." % number
            client.send(b"Subject: %s\r\n\r\n.\r\n" % text)
            assert client.reply().startswith(TAKEN)
            harmless(the_one(server, ANN, text), "return-path", "x-original-to", "delivered-to")
            taken += 1
    assert taken > 15, "else nothing is tried"


@pytest.mark.parametrize("name", [b"a" * 255, b"[127.0.0.1]", b"x]y[", b"a:b", b"-", b"{}|~"])
def test_a_strange_helo(server: Server, name: bytes) -> None:
    text = b"strange %d" % len(with_text(server, BOB, b"strange"))
    with connect(server, "mx") as client:
        client.line()
        client.say(b"EHLO " + name)
        client.say(b"EHLO " + name, b"250") if b"127" not in name else client.say(
            b"EHLO client.example", b"250"
        )
        assert hand_in(client, letter(text.decode()), BOB).startswith(TAKEN)
    harmless(the_one(server, BOB, text), "return-path", "delivered-to")


@pytest.mark.parametrize(
    "name",
    [
        "joe@example.test\r\nX-Injected: yes",
        "joe@example.test\n",
        "joe@example.test\0",
        "joe\0@example.test",
        "joe@example.test)\r\n",
        "joe@example.test (x)",
    ],
)
def test_no_login_name_gets_further(server: Server, name: str) -> None:
    """By any mechanism; and the session is nobody's afterwards."""
    for mechanism in ("PLAIN", "LOGIN", "SCRAM-SHA-256"):
        with connect(server, "frank") as client:
            client.socket = server.tls().wrap_socket(client.socket, server_hostname="127.0.0.1")
            client.reply()
            client.say(b"EHLO client.example", b"250")
            answer = authenticate(client, mechanism, name, PASSWORDS[JOE])
            assert answer[:3] in {b"535", b"501"}, answer
            client.say(b"MAIL FROM:<joe@example.test>", b"530 5.7.0 ")


def test_an_authorization_identity_is_no_way_round(server: Server) -> None:
    """PLAIN's first name (RFC 4616): another account's, or one with a line end in it."""
    for other in (ANN, "joe@example.test\r\nX-Injected: yes", "*"):
        with connect(server, "frank") as client:
            client.socket = server.tls().wrap_socket(client.socket, server_hostname="127.0.0.1")
            client.reply()
            client.say(b"EHLO client.example", b"250")
            claim = f"{other}\0{JOE}\0{PASSWORDS[JOE]}"
            client.say(b"AUTH PLAIN " + base64.b64encode(claim.encode()), b"5")
            client.say(b"MAIL FROM:<joe@example.test>", b"530 5.7.0 ")


def test_the_auth_parameter_of_mail_gives_nothing(server: Server) -> None:
    """RFC 4954 section 5: it is parsed, and nobody is believed to be somebody for it."""
    with submitting(server, JOE, "frank") as client:
        words = b" AUTH=ann@example.test"
        assert hand_in(client, letter("claimed"), BOB, sender=JOE, words=words).startswith(TAKEN)
        client.say(b"MAIL FROM:<joe@example.test> AUTH=a+0D+0AX-Injected:+20yes")
    header = the_one(server, BOB, b"Subject: claimed").partition(b"\r\n\r\n")[0]
    assert b"ann@example.test" not in header
    assert b"X-Injected" not in header


def test_a_sender_beyond_ascii(server: Server) -> None:
    """The domain stands there as the domain name system has it."""
    with smtp(server) as client:
        answer = hand_in(client, letter("beyond ASCII"), ANN, sender="jörg@käse.example", words=UTF8)
        assert answer.startswith(TAKEN)
    message = the_one(server, ANN, b"Subject: beyond ASCII")
    assert values(message, "Return-Path") == ["<jörg@xn--kse-qla.example>".encode()]


def test_secure_again(server: Server) -> None:
    """What EHLO said before TLS is no part of what is written after it."""
    with connect(server, "mx") as client:
        client.line()
        client.say(b"EHLO before.example", b"250")
        client.say(b"STARTTLS", b"220")
        secure(server, client, name=b"after.example")
        assert hand_in(client, letter("after TLS"), ANN).startswith(TAKEN)
    message = the_one(server, ANN, b"Subject: after TLS")
    assert b"before.example" not in message
    assert b"from after.example " in message
