"""The relay matrix: every trick that ever opened a relay, on each service, with and without a login, from
hosts that are listed and from others (features rows S-A13, S-B02).

What comes in is what stands behind ``RCPT TO:``, read by the protocol's own grammar. It is refused there, or
routed strictly by the directory: into one of our maildrops, or nowhere (DESIGN section 2, promise 4). Whoever
may relay reaches the plain address that they might have written at once, and by no trick any other.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import attrs
from twisted.internet.defer import Deferred

from mailsuite.config.kinds_next_hops import NO_DOMAINS, Matches
from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, Stage, StageFacts
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import Reply
from mailsuite.policy.chain import Chain
from mailsuite.policy.recipients import Recipients
from mailsuite.policy.relaying import Relaying, RelayRules
from mailsuite.policy.sender import Sender
from mailsuite.wire.smtp.commands import parse_line, parse_recipient
from mailsuite.wire.smtp.events import Recipient
from tests.delivery.case import ANN, CLAIM, EVE, JOE, Case

LISTED, UNLISTED = "192.0.2.1", "198.51.100.1"
LIST = (ip_network("192.0.2.0/28"),)

SYNTAX, REMOTE, UNKNOWN, LOCAL = "syntax", "remote", "unknown", "local"
ROUTE, NOWHERE = "route", "nowhere"
"""Also elsewhere, and refused to those who may send there: a route in the first part, no mail domain."""

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
    ("<eve%example.org@mail.example.net>", ROUTE),
    ("<eve%example.org@[127.0.0.1]>", ROUTE),
    ("<eve%example.org%example.com@example.net>", UNKNOWN),
    ("<joe%example.net@example.org>", ROUTE),
    ("<eve%example.org>", SYNTAX),
    ("<example.org!eve@example.net>", UNKNOWN),
    ("<example.net!example.org!eve>", SYNTAX),
    ("<example.net!joe@example.org>", ROUTE),
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
    ('<"joe@example.net"@example.org>', ROUTE),
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
    ("<joe@net>", NOWHERE),
    ("<joe@localhost>", NOWHERE),
    ("<joe@mail.example.net>", NOWHERE),
    ("<joe@example.net,eve@example.org>", SYNTAX),
    ("<joe@example.net;eve@example.org>", SYNTAX),
    ("<joe@example.net eve@example.org>", SYNTAX),
    ("<joe@example.net%00.example.org>", SYNTAX),
    ("<joe@example.net:25>", SYNTAX),
    ("<joe@#3221225985>", SYNTAX),
    ("<joe@3221225985>", NOWHERE),
    # address literals
    ("<joe@[127.0.0.1]>", NOWHERE),
    ("<eve@[9.9.9.9]>", REMOTE),
    ("<eve@[192.0.2.1]>", REMOTE),
    ("<eve@[192.0.2.16]>", NOWHERE),
    ("<eve@[10.0.0.1]>", NOWHERE),
    ("<eve@[169.254.169.254]>", NOWHERE),
    ("<eve@[IPv6:fd00::1]>", NOWHERE),
    ("<joe@[IPv6:::1]>", NOWHERE),
    ("<joe@[IPv6:::ffff:127.0.0.1]>", NOWHERE),
    ("<joe@[example.net]>", SYNTAX),
    ("<joe@[]>", SYNTAX),
    ("<joe@127.0.0.1>", NOWHERE),
    ("<postmaster@[127.0.0.1]>", NOWHERE),
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
    # encodings, comments, NUL
    ("<eve=40example.org@example.net>", UNKNOWN),
    ("<eve+40example.org@example.net>", UNKNOWN),
    ("<eve=40example.org>", SYNTAX),
    ("<eve%40example.org>", SYNTAX),
    ("<joe(comment)@example.net>", SYNTAX),
    ("<joe@example.net(comment)>", SYNTAX),
    ("<(eve@example.org)joe@example.net>", SYNTAX),
    ("<joe\0@example.net>", SYNTAX),
    ("<eve@example.org\0@example.net>", SYNTAX),
    ('<"eve@example.org\0"@example.net>', SYNTAX),
    ("<joe@example.net>,<eve@example.org>", SYNTAX),
    ("<joe@example.net> <eve@example.org>", SYNTAX),
    # no path at all
    ("joe@example.net", SYNTAX),
    ("eve@example.org", SYNTAX),
    ("<<eve@example.org>>", SYNTAX),
    ("<eve@example.org", SYNTAX),
]


FOREIGN = {
    Address(local, domain)
    for local, domain in (
        ("eve", "example.org"),
        ("EVE", "example.org"),
        ("joe", "sub.example.net"),
        ("postmaster ", "example.org"),
        ("postmaster", "example.org"),
        ("joe", "xn--exmple-4nf.net"),
        ("eve", "[9.9.9.9]"),
        ("eve", "[192.0.2.1]"),
    )
}
"""All that anybody reaches by these who may send to other servers: the plain addresses among them, which
are no trick, the one that a source route ends in (RFC 5321 appendix C), an address of the Internet, and the
address of a listed host."""


def read(text: str) -> Address | None:
    """The recipient in *text*, None where the protocol refuses it."""
    line = f"RCPT TO:{text}\r\n".encode()
    try:
        return parse_recipient(parse_line(line).argument, ()).address
    except PermanentFailure:
        return None


class Matrix(Case):
    """One cell of the matrix: a service, with a login or without, and what its client may hear."""

    login = False
    sender = EVE
    peer = UNLISTED
    domains = NO_DOMAINS
    remote = route = nowhere = replies.RELAYING_DENIED
    unknown = replies.UNKNOWN_RECIPIENT
    local = replies.RECIPIENT_OK

    def setUp(self) -> None:
        super().setUp()
        self.replaced(policy=self.chain(sends=False))
        self.reception.facts = attrs.evolve(self.reception.facts, peer=ip_address(self.peer))
        if self.login:
            self.assertTrue(self.now(self.reception.authenticate(CLAIM))[0].is_positive)

    def chain(self, sends: bool) -> Chain:
        relay = RelayRules("addresses", LIST, self.domains)
        rules = (Sender(relay=relay), Relaying(relay, sends, "mail.example.net"), Recipients())
        return Chain(rules, self.services.log)

    def reached(self) -> set[Address]:
        """Who elsewhere is reached by any of them, where a queue takes what policy lets pass."""
        chain, found = self.chain(sends=True), set[Address]()
        for text, _ in TRICKS:
            address = read(text)
            if address is None:
                continue
            route = self.now(self.services.router.route(address))
            facts = StageFacts(Stage.RECIPIENT, self.reception.facts, self.sender, address, route)
            if isinstance(self.now(chain.check(facts)), Accept):
                self.assertLessEqual({copy.account for copy in route.copies}, {JOE}, text)
                self.assertNotEqual(bool(route.copies), bool(route.remotes), text)
                found.update(route.remotes)
        return found

    def try_each(self) -> None:
        expected: dict[str, Reply | None] = {
            SYNTAX: None,
            REMOTE: self.remote,
            ROUTE: self.route,
            NOWHERE: self.nowhere,
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


class Allowed(Matrix):
    """Somebody who may send to other servers, and hears that nobody takes mail there yet."""

    remote = replies.NO_REMOTE_DELIVERY
    route = replies.ROUTE_IN_ADDRESS
    nowhere = replies.NO_MAIL_DOMAIN


class MxTests(Matrix):
    def test_matrix(self) -> None:
        self.assertGreater(len(TRICKS), 90)
        self.try_whole()
        self.assertEqual(self.reached(), set())


class MxFromOurselvesTests(Matrix):
    """Who claims to be one of us, in the envelope, is nobody for that."""

    sender = JOE

    def test_matrix(self) -> None:
        self.try_whole()
        self.assertEqual(self.reached(), set())


class MxWithLoginTests(Matrix):
    login = True
    sender = JOE

    def test_matrix(self) -> None:
        self.try_whole()
        self.assertEqual(self.reached(), set())


class MxListedTests(Allowed):
    peer = LISTED

    def test_matrix(self) -> None:
        self.try_whole()
        self.assertEqual(self.reached(), FOREIGN)


class MxListedWithLoginTests(Allowed):
    peer = LISTED
    login = True

    def test_matrix(self) -> None:
        self.try_whole()
        self.assertEqual(self.reached(), FOREIGN)


class MxOfOtherDomainsTests(Matrix):
    """Taking mail for one domain elsewhere opens the way to no other."""

    domains = Matches(("backup.example", "*.backup.example"))

    def test_matrix(self) -> None:
        self.try_whole()
        self.assertEqual(self.reached(), set())


class MxOfThisDomainTests(Matrix):
    """What anybody reaches in a domain that mail is taken for: plain addresses there."""

    domains = Matches(("example.org",))

    def test_matrix(self) -> None:
        self.assertEqual(self.reached(), {each for each in FOREIGN if each.domain == "example.org"})


class SubmissionOfThisDomainTests(Matrix):
    """Without a login nothing is taken there, whatever the domain; LMTP takes what is ours."""

    domains = Matches(("example.org",))

    def test_matrix(self) -> None:
        for service in ("submission", "lmtp"):
            self.reception.facts = attrs.evolve(self.reception.facts, service=service)
            self.assertEqual(self.reached(), set())


class SubmissionTests(Matrix):
    """Without a login even the local recipients are refused, whatever the protocol let through."""

    service = "submission"
    local = unknown = remote = route = nowhere = replies.AUTHENTICATION_REQUIRED

    def test_matrix(self) -> None:
        self.assertEqual(self.mail(self.sender), replies.AUTHENTICATION_REQUIRED)
        self.try_whole()
        self.assertEqual(self.reached(), set())


class SubmissionListedTests(Allowed):
    service = "submission"
    peer = LISTED

    def test_matrix(self) -> None:
        self.try_whole()
        self.assertEqual(self.reached(), FOREIGN)


class SubmissionWithLoginTests(Allowed):
    service = "submission"
    login = True
    sender = JOE

    def test_matrix(self) -> None:
        self.try_whole()
        self.assertEqual(self.reached(), FOREIGN)


class SubmissionListedWithLoginTests(SubmissionWithLoginTests):
    peer = LISTED


class LmtpTests(Matrix):
    """RFC 2033: LMTP relays for nobody, listed or not."""

    service = "lmtp"
    peer = LISTED

    def test_matrix(self) -> None:
        self.try_whole()
        self.assertEqual(self.reached(), set())


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
