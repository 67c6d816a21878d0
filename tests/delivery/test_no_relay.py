"""The relay matrix: every trick that ever opened a relay, on each service, with and without a login.

What comes in is what stands behind ``RCPT TO:``, read by the protocol's own grammar. It is refused there, or
routed strictly by the directory: into one of our maildrops, or nowhere (DESIGN section 2, promise 4).
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import Reply
from mailsuite.wire.smtp.commands import parse_line, parse_recipient
from mailsuite.wire.smtp.events import Recipient
from tests.delivery.case import ANN, CLAIM, EVE, JOE, Case

SYNTAX, REMOTE, UNKNOWN, LOCAL = "syntax", "remote", "unknown", "local"

TRICKS = [
    # plain
    ("<eve@example.org>", REMOTE),
    ("<EVE@EXAMPLE.ORG>", REMOTE),
    ("<joe@example.net>", LOCAL),
    ("<JOE@EXAMPLE.NET>", LOCAL),
    ('<"joe"@example.net>', LOCAL),
    ('<"\\j\\o\\e"@Example.Net>', LOCAL),
    ("<nobody@example.net>", UNKNOWN),
    # percent hack, bang paths, and their mixtures
    ("<eve%example.org@example.net>", UNKNOWN),
    ("<eve%example.org@mail.example.net>", REMOTE),
    ("<eve%example.org@[127.0.0.1]>", REMOTE),
    ("<eve%example.org%example.com@example.net>", UNKNOWN),
    ("<joe%example.net@example.org>", REMOTE),
    ("<eve%example.org>", SYNTAX),
    ("<example.org!eve@example.net>", UNKNOWN),
    ("<example.net!example.org!eve>", SYNTAX),
    ("<example.net!joe@example.org>", REMOTE),
    ("<example.org!eve%example.com@example.net>", UNKNOWN),
    # source routes: taken, ignored (RFC 5321 appendix C)
    ("<@example.net:eve@example.org>", REMOTE),
    ("<@example.net,@mail.example.net:eve@example.org>", REMOTE),
    ("<@example.org:joe@example.net>", LOCAL),
    ("<@[127.0.0.1]:eve@example.org>", SYNTAX),
    ("<@example.net:eve%example.org@example.net>", UNKNOWN),
    ("<@example.net:@example.org:eve@example.org>", SYNTAX),
    # a second @, bare and quoted
    ("<eve@example.org@example.net>", SYNTAX),
    ("<eve@example.net@example.org>", SYNTAX),
    ('<"eve@example.org"@example.net>', UNKNOWN),
    ('<"eve@example.org">', SYNTAX),
    ('<"eve"@example.org@example.net>', SYNTAX),
    ('<"joe@example.net"@example.org>', REMOTE),
    ('<"@example.net:eve@example.org"@example.net>', UNKNOWN),
    ('<"eve%example.org"@example.net>', UNKNOWN),
    ('<"example.org!eve"@example.net>', UNKNOWN),
    ('<"joe@example.net>@example.org>', SYNTAX),
    ('<eve@"example.net">', SYNTAX),
    ('<joe@"example.net">', SYNTAX),
    # quoting that must not hide a name
    ('<"joe "@example.net>', UNKNOWN),
    ('<" joe"@example.net>', UNKNOWN),
    ('<""@example.net>', SYNTAX),
    ('<"joe>"@example.net>', UNKNOWN),
    ('<"postmaster "@example.org>', REMOTE),
    ('<"../ann"@example.net>', UNKNOWN),
    ("<joe/../ann@example.net>", SYNTAX),
    ("<joe/ann@example.net>", UNKNOWN),
    ("<|/bin/sh@example.net>", UNKNOWN),
    # domains that are nearly ours, or none
    ("<joe>", SYNTAX),
    ("<joe@>", SYNTAX),
    ("<@example.net>", SYNTAX),
    ("<@>", SYNTAX),
    ("<>", SYNTAX),
    ("<joe@example.net.>", SYNTAX),
    ("<eve@example.org.>", SYNTAX),
    ("<joe@.example.net>", SYNTAX),
    ("<joe@example..net>", SYNTAX),
    ("<joe@sub.example.net>", REMOTE),
    ("<joe@net>", REMOTE),
    ("<joe@localhost>", REMOTE),
    ("<joe@mail.example.net>", REMOTE),
    ("<joe@example.net,eve@example.org>", SYNTAX),
    ("<joe@example.net;eve@example.org>", SYNTAX),
    ("<joe@example.net eve@example.org>", SYNTAX),
    ("<joe@example.net%00.example.org>", SYNTAX),
    ("<joe@example.net:25>", SYNTAX),
    ("<joe@#3221225985>", SYNTAX),
    ("<joe@3221225985>", REMOTE),
    # address literals
    ("<joe@[127.0.0.1]>", REMOTE),
    ("<eve@[192.0.2.1]>", REMOTE),
    ("<joe@[IPv6:::1]>", REMOTE),
    ("<joe@[IPv6:::ffff:127.0.0.1]>", REMOTE),
    ("<joe@[example.net]>", SYNTAX),
    ("<joe@[]>", SYNTAX),
    ("<joe@127.0.0.1>", REMOTE),
    ("<postmaster@[127.0.0.1]>", REMOTE),
    # look-alikes: as letters they are no ASCII, as A-labels they are foreign domains
    ("<joe@ex\u0430mple.net>", SYNTAX),
    ("<j\u043ee@example.net>", SYNTAX),
    ("<joe@example\uff0enet>", SYNTAX),
    ("<joe\uff20example.net@example.org>", SYNTAX),
    ("<joe@xn--exmple-4nf.net>", REMOTE),
    # roles, ours and others'
    ("<postmaster>", LOCAL),
    ("<PostMaster>", LOCAL),
    ("<postmaster@example.net>", LOCAL),
    ("<abuse@example.net>", LOCAL),
    ("<postmaster@example.org>", REMOTE),
    ("<postmaster%example.org@example.net>", UNKNOWN),
    ("<@example.net:postmaster>", SYNTAX),
    # no path at all
    ("joe@example.net", SYNTAX),
    ("eve@example.org", SYNTAX),
    ("<<eve@example.org>>", SYNTAX),
    ("<eve@example.org", SYNTAX),
]


def read(text: str) -> Address | None:
    """The recipient in *text*, None where the protocol refuses it."""
    line = f"RCPT TO:{text}\r\n".encode()
    try:
        return parse_recipient(parse_line(line).argument)
    except PermanentFailure:
        return None


class Matrix(Case):
    """One cell of the matrix: a service, with a login or without, and what its client may hear."""

    login = False
    sender = EVE
    remote = replies.RELAYING_DENIED
    unknown = replies.UNKNOWN_RECIPIENT
    local = replies.RECIPIENT_OK

    def setUp(self) -> None:
        super().setUp()
        if self.login:
            self.assertTrue(self.now(self.reception.authenticate(CLAIM))[0].is_positive)

    def try_each(self) -> None:
        expected: dict[str, Reply | None] = {
            SYNTAX: None,
            REMOTE: self.remote,
            UNKNOWN: self.unknown,
            LOCAL: self.local,
        }
        self.mail(self.sender)
        for text, outcome in TRICKS:
            address = read(text)
            reply = None if address is None else self.recipient(address)
            self.assertEqual(reply, expected[outcome], text)

    def try_whole(self) -> None:
        """All of them in one transaction: what is delivered is one copy, to the one account meant."""
        self.try_each()
        started = self.now(self.reception.start_data())
        if self.local.is_positive:
            self.assertEqual(started, replies.START_MAIL_INPUT)
            self.assertTrue(self.end().is_positive)
            self.assertEqual([delivery.account for delivery in self.store.begun], [JOE])
            self.assertEqual((len(self.contents(JOE)), len(self.contents(ANN))), (1, 0))
        else:
            self.assertEqual(started, replies.NO_VALID_RECIPIENTS)
            self.assertEqual(self.store.begun, [])
        self.assert_nothing_open()


class MxTests(Matrix):
    def test_matrix(self) -> None:
        self.assertGreater(len(TRICKS), 80)
        self.try_whole()


class MxFromOurselvesTests(Matrix):
    """Who claims to be one of us, in the envelope, is nobody for that."""

    sender = JOE

    def test_matrix(self) -> None:
        self.try_whole()


class MxWithLoginTests(Matrix):
    login = True
    sender = JOE

    def test_matrix(self) -> None:
        self.try_whole()


class SubmissionTests(Matrix):
    """Without a login even the local recipients are refused, whatever the protocol let through."""

    service = "submission"
    local = unknown = remote = replies.AUTHENTICATION_REQUIRED

    def test_matrix(self) -> None:
        self.try_whole()


class SubmissionWithLoginTests(Matrix):
    service = "submission"
    login = True
    sender = JOE
    remote = replies.NO_REMOTE_DELIVERY

    def test_matrix(self) -> None:
        self.try_whole()


class SubmissionInAnothersNameTests(Matrix):
    service = "submission"
    login = True
    sender = ANN

    def test_matrix(self) -> None:
        self.assertEqual(self.mail(ANN), replies.SENDER_NOT_YOURS)
        self.assertEqual(self.mail(EVE), replies.SENDER_NOT_YOURS)
        self.assertEqual(self.mail(Address("joe", "[127.0.0.1]")), replies.SENDER_NOT_YOURS)


class NobodyCheckedTests(Matrix):
    """A recipient without any MAIL before, as no protocol would let through."""

    def test_remote_stays_remote(self) -> None:
        asked = Deferred.fromCoroutine(self.reception.recipient(Recipient(EVE)))
        self.assertEqual(self.successResultOf(asked), replies.RELAYING_DENIED)
