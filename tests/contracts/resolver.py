"""What every IResolver promises. Each implementation subclasses the contract beside SynchronousTestCase."""

from __future__ import annotations

from ipaddress import ip_address

from twisted.internet.defer import CancelledError, Deferred
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IResolver
from mailsuite.model.dns import Answer, Association
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DNS_UNAVAILABLE

FOUR = ip_address("192.0.2.1")
SIX = ip_address("2001:db8::1")
NOWHERE = Answer(exists=False)
NOTHING = Answer()


class ResolverContract:
    """Subclasses make a resolver that knows

    - host.test: A 192.0.2.1, AAAA 2001:db8::1; four.test: A 192.0.2.1 alone
    - the address 192.0.2.1: host.test, four.test
    - mail.test: MX 20 B.test, 10 a.test; null.test: MX 0 .; TXT of mail.test "v=x y"
    - _25._tcp.host.test: TLSA 3 1 1 and 32 octets ab
    - broken.test: A cannot be known, AAAA 2001:db8::1; lost.test: nothing can be known
    - silent.test: TXT comes never, so that it is waited for until the resolver gives up.
    """

    def make_resolver(self):
        raise NotImplementedError

    def settle(self):
        """Let the time pass that an answer takes."""

    def give_up(self):
        """Let the time pass after which an answer comes no more."""
        raise NotImplementedError

    def setUp(self):
        self.resolver = self.make_resolver()

    def ask(self, method, *arguments):
        asking = Deferred.fromCoroutine(getattr(self.resolver, method)(*arguments))
        self.settle()
        return asking

    def found(self, method, *arguments):
        return self.successResultOf(self.ask(method, *arguments))

    def test_is_a_resolver(self):
        verifyObject(IResolver, self.resolver)

    def test_addresses(self):
        self.assertEqual(self.found("addresses", "host.test"), Answer((SIX, FOUR)))
        self.assertEqual(self.found("addresses", "host.test", 4), Answer((FOUR,)))
        self.assertEqual(self.found("addresses", "host.test", 6), Answer((SIX,)))
        self.assertEqual(self.found("addresses", "four.test"), Answer((FOUR,)))
        self.assertEqual(self.found("addresses", "four.test", 6), NOTHING)

    def test_case_and_the_last_dot_do_not_matter(self):
        for spelled in ("HOST.test", "host.test.", "hOsT.TeSt."):
            self.assertEqual(self.found("addresses", spelled, 4), Answer((FOUR,)))

    def test_no_such_name(self):
        self.assertEqual(self.found("addresses", "none.test"), NOWHERE)
        self.assertEqual(self.found("texts", "none.test"), NOWHERE)
        self.assertEqual(self.found("names", ip_address("198.51.100.1")), NOWHERE)

    def test_no_such_records(self):
        self.assertEqual(self.found("exchanges", "host.test"), NOTHING)
        self.assertEqual(self.found("texts", "host.test"), NOTHING)
        self.assertEqual(self.found("associations", "host.test"), NOTHING)

    def test_what_can_be_no_name_does_not_exist(self):
        long = ".".join(["a" * 50] * 5)
        for text in ("", ".", "a..b", ".test", "a b.test", "a\\.b.test", "[192.0.2.1]", "höst.test", long):
            for method in ("addresses", "exchanges", "texts", "associations"):
                self.assertEqual(self.found(method, text), NOWHERE, (method, text))
        self.assertEqual(self.found("addresses", "x" * 64 + ".test", 4), NOWHERE)

    def test_names_of_an_address(self):
        self.assertEqual(self.found("names", FOUR), Answer(("host.test", "four.test")))

    def test_exchanges(self):
        self.assertEqual(self.found("exchanges", "mail.test"), Answer(((10, "a.test"), (20, "b.test"))))
        self.assertEqual(self.found("exchanges", "null.test"), Answer(((0, ""),)))

    def test_texts(self):
        self.assertEqual(self.found("texts", "mail.test"), Answer((b"v=x y",)))

    def test_associations(self):
        tlsa = Association(3, 1, 1, b"\xab" * 32)
        self.assertEqual(self.found("associations", "_25._tcp.host.test").records, (tlsa,))

    def test_one_kind_of_address_will_do(self):
        self.assertEqual(self.found("addresses", "broken.test"), Answer((SIX,)))

    def test_what_cannot_be_known(self):
        for arguments in (
            ("addresses", "broken.test", 4),
            ("addresses", "lost.test"),
            ("texts", "lost.test"),
        ):
            failure = self.failureResultOf(self.ask(*arguments), TemporaryFailure)
            self.assertEqual(failure.value.reply, DNS_UNAVAILABLE)
            self.assertIn(arguments[1], failure.value.reason)

    def test_waiting_ends(self):
        asking = self.ask("texts", "silent.test")
        self.assertNoResult(asking)
        self.give_up()
        self.failureResultOf(asking, TemporaryFailure)

    def test_whoever_is_cancelled_alone_goes(self):
        first, second = (self.ask("texts", "silent.test") for _ in range(2))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertNoResult(second)
        both = self.ask("addresses", "silent.test")
        both.cancel()
        self.failureResultOf(both, CancelledError)
        self.give_up()
        self.failureResultOf(second, TemporaryFailure)
