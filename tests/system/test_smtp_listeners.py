"""Listeners of one service with different settings, and settings that change while sessions are open
(features rows M-11, S-M13, S-M14, S-I09): what EHLO says is what holds, and no reload costs a session."""

from __future__ import annotations

import contextlib

import attrs
import pytest

from tests.system.clients import connect, smtp
from tests.system.harness import LIMITS, Server
from tests.system.letters import (
    ANN,
    BOB,
    JOE,
    TAKEN,
    bdat,
    data,
    envelope,
    rcpt,
    reached,
    submitting,
    the_one,
)

KIB = 1 << 10
OK, UNKNOWN, DENIED = b"250 2.1.5 ", b"550 5.1.1 ", b"550 5.7.1 "


def door(name: str, *lines: str, service: str = "smtp") -> str:
    block = (f'name = "{name}"', f'service = "{service}"', 'bind = ["127.0.0.1"]', "port = 0")
    return "\n".join(("[[listener]]", *block, *lines)) + "\n"


ALWAYS = door("submissions", 'tls = "implicit"', service="submission")


@attrs.frozen
class Offer:
    """What a listener has said to a client."""

    greeting: bytes
    extensions: dict[str, str]

    @classmethod
    def of(cls, server: Server, listener: str) -> Offer:
        with connect(server, listener) as client:
            greeting = client.line()
            client.send(b"EHLO client.example\r\n")
            client.reply()
            lines = [line[4:].decode().partition(" ") for line in client.read[2:]]
        return cls(greeting, {keyword: value for keyword, _, value in lines})

    @property
    def limits(self) -> dict[str, int]:
        pairs = (each.partition("=") for each in self.extensions["LIMITS"].split())
        return {name: int(value) for name, _, value in pairs}


def of_size(octets: int, subject: str) -> bytes:
    """A message of exactly so many."""
    head = f"Subject: {subject}\r\n\r\n".encode()
    rest = octets - len(head) - 2
    return head + (b"x" * 62 + b"\r\n") * (rest // 64) + b"y" * (rest % 64) + b"\r\n"


def holds_what_it_says(server: Server, listener: str) -> None:
    """SIZE, RCPTMAX and MAILMAX, each to its last, and one beyond (RFC 1870, RFC 9422)."""
    offer = Offer.of(server, listener)
    size, recipients = int(offer.extensions["SIZE"]), offer.limits["RCPTMAX"]
    with smtp(server, listener) as client:
        for number in range(offer.limits["MAILMAX"]):
            client.say(b"MAIL FROM:<> SIZE=%d" % (size + 1), b"552 5.3.4 ")
            client.say(b"MAIL FROM:<> SIZE=%d" % size, b"250")
            assert rcpt(client, *[JOE] * (recipients + 1)) == [OK] * recipients + [b"452 4.5.3 "]
            message = of_size(size + number % 2, f"{listener} {number}")
            assert data(client, message).startswith(b"552 5.3.4 " if number % 2 else TAKEN)
        assert client.say(b"MAIL FROM:<>").startswith(b"421 4.7.0 ")
        assert client.rest() == b""


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Server:
    listeners = "".join(
        (
            door(
                "one", 'max_message = "8KiB"', "max_recipients = 3", "max_messages = 4", 'banner = "One here"'
            ),
            door("two", 'max_message = "16KiB"', "max_recipients = 5", "max_messages = 2", "hard_errors = 3"),
            door("bare", 'not_offered = ["smtputf8", "chunking", "dsn", "limits"]', 'tls = "off"'),
            door("kind", "bare_addresses = true", "reject_bare_newline = false"),
            door("blocks", 'block_senders = ["evil.example"]', 'accept_senders = ["good@evil.example"]'),
            ALWAYS,
        )
    )
    return Server(tmp_path_factory.mktemp("listeners"), LIMITS, listeners)


def test_each_listener_goes_by_its_own(tight: Server) -> None:
    with tight as server:
        one, two, bare = (Offer.of(server, name) for name in ("one", "two", "bare"))
        assert one.greeting == b"220 mail.example.test One here"
        assert two.greeting == b"220 mail.example.test ESMTP"
        assert (one.extensions["SIZE"], two.extensions["SIZE"]) == (str(8 * KIB), str(16 * KIB))
        assert (one.limits, two.limits) == (
            {"RCPTMAX": 3, "MAILMAX": 4},
            {"RCPTMAX": 5, "MAILMAX": 2},
        )
        assert set(one.extensions) - set(bare.extensions) == {
            *("SMTPUTF8", "CHUNKING", "DSN", "LIMITS", "STARTTLS"),
        }
        for listener in ("one", "two"):
            holds_what_it_says(server, listener)
        with smtp(server, "bare") as client:
            client.say(b"MAIL FROM:<> SMTPUTF8", b"555 5.5.4 ")
            client.say(b"MAIL FROM:<> RET=HDRS", b"555 5.5.4 ")
            client.say("MAIL FROM:<jörg@elsewhere.example>".encode(), b"553 5.6.7 ")
            client.say(b"STARTTLS", b"454 4.7.0 ")
            envelope(client, JOE)
            client.say(b"BDAT 0 LAST", b"502 5.5.1 ")
        with smtp(server, "two") as client:
            for _ in range(3):
                client.say(b"XYZZY", b"500")
            assert client.rest().startswith(b"421 4.7.0 ")
        with smtp(server, "one") as client:
            for _ in range(4):
                client.say(b"XYZZY", b"500")
            client.say(b"MAIL FROM:joe@example.test", b"501 5.5.4 ")
        with smtp(server, "kind") as client:
            client.say(b"MAIL FROM:sender@elsewhere.example", b"250")
            client.say(b"RCPT TO:ann@example.test", b"250")
            client.say(b"DATA", b"354")
            client.send(b"Subject: kindly\nX: y\r\n\nbody\r\n.\r\n")
            assert client.reply().startswith(TAKEN)
        assert the_one(server, ANN, b"kindly").endswith(b"\r\nSubject: kindly\r\nX: y\r\n\r\nbody\r\n")
        with smtp(server, "blocks") as client:
            for sender, answer in ((b"x@evil.example", DENIED), (b"good@evil.example", b"250")):
                client.say(b"MAIL FROM:<%s>" % sender, b"250")
                client.say(b"RCPT TO:<ann@example.test>", answer)
                client.say(b"RSET", b"250")
        with smtp(server, "one") as client:
            client.say(b"MAIL FROM:<x@evil.example>", b"250")
            client.say(b"RCPT TO:<ann@example.test>", b"250")


# Reload

BEFORE = door("mx", 'tls = "starttls"') + ALWAYS
CHANGED = (
    'tls = "starttls"',
    'banner = "Changed"',
    'max_message = "8KiB"',
    "max_recipients = 3",
    "max_messages = 4",
    "hard_errors = 4",
    'not_offered = ["chunking", "binarymime"]',
    'block_senders = ["evil.example"]',
)
AFTER = door("mx", *CHANGED) + ALWAYS + door("second")
DOMAIN_AFTER = 'recipient_delimiter = "-"\naliases = { sales = "bob" }\narchive_to = "archive@example.test"\n'
ARCHIVE = "archive@example.test"


def test_settings_change_under_open_sessions(own_server: Server) -> None:
    """Those that were open go by what held when they began, and finish what they had begun; what is live
    holds for them, too; and new ones go by the new."""
    server = own_server
    server.listeners = BEFORE
    server.start()
    server.control.post("/v1/accounts", {"address": ARCHIVE, "without_password": True})
    with contextlib.ExitStack() as stack:
        writing, chunking, idle = (stack.enter_context(smtp(server)) for _ in range(3))
        sending = stack.enter_context(submitting(server))
        envelope(writing, JOE, "joe+tag@example.test", sender="x@evil.example")
        writing.say(b"DATA", b"354")
        writing.send(b"Subject: over the reload\r\n\r\n" + b"x" * 70 + b"\r\n")
        envelope(chunking, JOE)
        first = b"Subject: in two parts\r\n\r\n"
        chunking.send(b"BDAT %d\r\n%s" % (len(first), first))
        assert chunking.reply().startswith(TAKEN)
        envelope(sending, ANN, sender=JOE)
        port = server.ports["mx"]

        server.listeners, server.domain = AFTER, DOMAIN_AFTER
        server.reload()

        assert server.ports["mx"] == port
        offer = Offer.of(server, "mx")
        assert offer.greeting == b"220 mail.example.test Changed"
        assert "CHUNKING" not in offer.extensions
        assert offer.limits == {"RCPTMAX": 3, "MAILMAX": 4}
        assert Offer.of(server, "second").limits["RCPTMAX"] == 100
        holds_what_it_says(server, "mx")
        with smtp(server) as fresh:
            fresh.say(b"MAIL FROM:<x@evil.example>", b"250")
            fresh.say(b"RCPT TO:<ann@example.test>", DENIED)
            for _ in range(3):
                fresh.say(b"XYZZY", b"500")
            assert fresh.rest().startswith(b"421 4.7.0 ")

        writing.send((b"y" * 62 + b"\r\n") * 1000 + b".\r\n")
        assert writing.reply().startswith(TAKEN)
        assert bdat(chunking, b"the second\r\n").startswith(TAKEN)
        assert rcpt(sending, "sales@example.test") == [OK]
        assert data(sending, b"Subject: submitted\r\n\r\n").startswith(TAKEN)
        for _ in range(10):
            idle.say(b"XYZZY", b"500")
        idle.say(b"MAIL FROM:<x@evil.example> SIZE=100000", b"250")
        names = ("sales@example.test", "joe-x@example.test", "joe+x@example.test", *[ANN] * 5)
        assert rcpt(idle, *names) == [OK, OK, UNKNOWN, *[OK] * 5]
        assert bdat(idle, b"Subject: idle before\r\n\r\n").startswith(TAKEN)

    expected = {
        b"over the reload": {JOE: 1},
        b"in two parts": {JOE: 1},
        b"submitted": {ANN: 1, BOB: 1},
        b"idle before": {JOE: 1, ANN: 1, BOB: 1},
    }
    for text, who in expected.items():
        assert reached(server, b"Subject: " + text) == who, text
    assert reached(server, b"Subject: idle before", ARCHIVE) == {ARCHIVE: 1}, (
        "the session is older than the setting"
    )
    assert reached(server, b"Subject: mx 0", JOE, ARCHIVE) == {JOE: 1, ARCHIVE: 1}
    assert [line for line in server.logged().splitlines() if " error " in line] == []


def test_a_reload_that_fails_changes_nothing_for_anybody(own_server: Server) -> None:
    server = own_server
    server.listeners = BEFORE
    server.start()
    with smtp(server) as client:
        envelope(client, JOE)
        server.listeners = AFTER + door("broken", 'relay = "anyone"')
        server.write_config()
        assert "lets the whole world send through this server" in server.cli("reload", status=4)
        assert Offer.of(server, "mx").greeting == b"220 mail.example.test ESMTP"
        assert data(client, b"Subject: all the same\r\n\r\n").startswith(TAKEN)
    assert reached(server, b"Subject: all the same") == {JOE: 1}
