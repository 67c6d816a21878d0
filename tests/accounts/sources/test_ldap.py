"""The LDAP checker against a server that says what the test wants, octet for octet, without a network."""

from __future__ import annotations

import attrs
import pytest
from ldaptor.protocols import pureber, pureldap
from OpenSSL import SSL
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailsuite.accounts.sources.ldap import REFUSALS, ByName, BySearch, LdapChecker
from mailsuite.accounts.sources.ldap_session import MAX_OCTETS, LdapSession
from mailsuite.accounts.sources.question import Question
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from tests.accounts.sources.fakes import JOE, SECRET

PEOPLE = ByName("uid={local},ou=people,dc=example,dc=net")
SEARCH = BySearch("dc=example,dc=net", "(mail={address})")


class Transport(StringTransport):
    aborted = False
    tls = None

    def abortConnection(self):
        self.aborted = True

    def startTLS(self, options):
        self.tls = options


@implementer(IStreamClientEndpoint)
class Endpoint:
    """The other end of a connection."""

    def __init__(self):
        self.transport = Transport()
        self.refuses = None
        self.protocol = None

    def connect(self, factory):
        if self.refuses is not None:
            return fail(self.refuses)
        self.transport = Transport()
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        connected = Deferred()
        connected.callback(self.protocol)
        return connected

    def asked(self):
        """What came since the last time."""
        octets, found = self.transport.value(), []
        self.transport.clear()
        while octets:
            message, length = pureber.berDecodeObject(_SERVER, octets)
            found.append(message)
            octets = octets[length:]
        return found

    def says(self, *answers, number=1):
        for answer in answers:
            self.protocol.dataReceived(pureldap.LDAPMessage(answer, id=number).toWire())

    def octets(self, octets):
        self.protocol.dataReceived(octets)

    def close(self, error=None):
        self.protocol.connectionLost(Failure(error or ConnectionDone()))


_SERVER = pureldap.LDAPBERDecoderContext_TopLevel(
    inherit=pureldap.LDAPBERDecoderContext_LDAPMessage(
        fallback=pureldap.LDAPBERDecoderContext(fallback=pureber.BERDecoderContext()),
        inherit=pureldap.LDAPBERDecoderContext(fallback=pureber.BERDecoderContext()),
    )
)


def bound(code=0):
    return pureldap.LDAPBindResponse(resultCode=code)


def entry(name):
    return pureldap.LDAPSearchResultEntry(objectName=name, attributes=[])


def done(code=0):
    return pureldap.LDAPSearchResultDone(resultCode=code)


class LdapCase(SynchronousTestCase):
    def setUp(self):
        self.server = Endpoint()
        self.checker = LdapChecker(self.server, PEOPLE, 5.0)

    def check(self, password=SECRET, address=JOE):
        question = Question(address, f"{address.local}@{address.domain}".encode(), password.encode())
        return self.checker.requestAvatarId(question)

    def is_down(self, checking, words):
        failure = self.failureResultOf(checking, TemporaryFailure).value
        self.assertIn(words, failure.detail)
        self.assertTrue(self.server.transport.aborted or self.server.transport.disconnecting)


class BindTests(LdapCase):
    def test_provides_the_interface(self):
        verifyObject(ICredentialsChecker, self.checker)

    def test_yes(self):
        checking = self.check()
        [message] = self.server.asked()
        self.assertEqual(message.value.dn, b"uid=joe,ou=people,dc=example,dc=net")
        self.assertEqual(message.value.auth, SECRET.encode())
        self.assertEqual(message.value.version, 3)
        self.server.says(bound())
        self.assertEqual(self.successResultOf(checking), b"joe@example.net")
        self.assertIsInstance(self.server.asked()[0].value, pureldap.LDAPUnbindRequest)
        self.assertTrue(self.server.transport.disconnecting)

    def test_no(self):
        for code in sorted(REFUSALS):
            checking = self.check()
            self.server.says(bound(code))
            self.failureResultOf(checking, UnauthorizedLogin)

    def test_anything_else_says_something_of_the_server(self):
        for code in (1, 2, 3, 7, 8, 10, 13, 14, 34, 50, 51, 52, 80, 4711):
            checking = self.check()
            self.server.says(bound(code))
            self.is_down(checking, f"bind: result {code}")

    def test_an_empty_password_is_never_sent(self):
        self.failureResultOf(self.check(""), UnauthorizedLogin)
        self.assertIsNone(self.server.protocol)
        session = LdapSession()
        session.makeConnection(Transport())
        for name, password in ((b"", b"x"), (b"x", b"")):
            self.failureResultOf(Deferred.fromCoroutine(session.bind(name, password)), ValueError)
        self.assertEqual(session.transport.value(), b"")

    def test_a_name_is_one_value(self):
        for local in ("joe,ou=admins", "*)(uid=*", "joe+x=y", '"', "#1", " joe", "j\\,o", "{domain}"):
            self.check(address=Address(local, "example.net"))
            name = self.server.asked()[0].value.dn.decode()
            value = name.removesuffix(",ou=people,dc=example,dc=net").removeprefix("uid=")
            self.assertNotRegex(value, r'[,+"<>;=#*() ]|\\(?![0-9a-f]{2})')

    def test_answers_in_pieces(self):
        checking = self.check()
        for octet in pureldap.LDAPMessage(bound(), id=1).toWire():
            self.assertNoResult(checking)
            self.server.octets(bytes([octet]))
        self.successResultOf(checking)

    def test_nobody_there(self):
        self.server.refuses = ConnectionRefusedError()
        self.failureResultOf(self.check(), ConnectionRefusedError)

    def test_a_connection_that_ends(self):
        for error, words in (
            (ConnectionDone(), "closed: ConnectionDone"),
            (SSL.Error([("x", "y", "certificate verify failed")]), "TLS failed: certificate verify failed"),
            (SSL.Error(), "TLS failed: the connection was closed"),
        ):
            checking = self.check()
            self.server.close(error)
            self.is_down(checking, words)

    def test_whoever_goes_away_closes_the_connection(self):
        checking = self.check()
        checking.cancel()
        self.failureResultOf(checking)
        self.assertTrue(self.server.transport.aborted)


class NonsenseTests(LdapCase):
    def down_by(self, octets, words):
        checking = self.check()
        self.server.octets(octets)
        self.is_down(checking, words)
        self.server.says(bound())
        self.assertTrue(self.server.transport.aborted)

    def test_what_is_not_ldap(self):
        for octets in (
            b"HTTP/1.0 400 Bad Request\r\n\r\n" * 9,
            b"\x30\x03\x02\x01\x01",
            b"\x30\x00",
            b"\xff\x01x",
        ):
            self.down_by(octets, "")

    def test_an_answer_without_end(self):
        self.down_by(b"\x30\x84\x7f\xff\xff\xff" + b"x" * MAX_OCTETS, f"more than {MAX_OCTETS} octets")

    def test_many_answers(self):
        self.checker = LdapChecker(self.server, SEARCH, 5.0)
        checking = self.check()
        for _ in range(2000):
            self.server.says(entry(b"uid=joe,ou=people,dc=example,dc=net"))
        self.is_down(checking, f"more than {MAX_OCTETS} octets")

    def test_an_answer_to_another_question(self):
        checking = self.check()
        self.server.says(bound(), number=2)
        self.is_down(checking, "not asked")

    def test_an_answer_of_another_kind(self):
        checking = self.check()
        self.server.says(done())
        self.is_down(checking, "something else")

    def test_the_server_stops(self):
        checking = self.check()
        self.server.says(pureldap.LDAPExtendedResponse(resultCode=52), number=0)
        self.is_down(checking, "wants to end the connection")

    def test_requests_are_no_answers(self):
        self.down_by(
            pureldap.LDAPMessage(pureldap.LDAPBindRequest(dn=b"x", auth=b"y"), id=1).toWire(), "speak LDAP"
        )


class SearchTests(LdapCase):
    def setUp(self):
        super().setUp()
        self.checker = LdapChecker(self.server, SEARCH, 5.0)

    def test_the_entry_that_is_found_is_bound(self):
        checking = self.check()
        [message] = self.server.asked()
        self.assertEqual(message.value.baseObject, b"dc=example,dc=net")
        self.assertEqual(message.value.sizeLimit, 2)
        self.server.says(entry(b"cn=Joe,dc=example,dc=net"), done())
        [message] = self.server.asked()
        self.assertEqual(message.value.dn, b"cn=Joe,dc=example,dc=net")
        self.server.says(bound(), number=2)
        self.successResultOf(checking)

    def test_nobody_is_found(self):
        checking = self.check()
        self.server.says(done())
        self.failureResultOf(checking, UnauthorizedLogin)

    def test_an_entry_without_a_name_is_never_bound(self):
        checking = self.check()
        self.server.says(entry(b""), done())
        self.failureResultOf(checking, UnauthorizedLogin)
        self.assertFalse(
            [one for one in self.server.asked() if isinstance(one.value, pureldap.LDAPBindRequest)]
        )

    def test_two_are_found(self):
        for answers in ((entry(b"cn=a"), entry(b"cn=b"), done()), (entry(b"cn=a"), done(4)), (done(4),)):
            checking = self.check()
            self.server.says(*answers)
            self.is_down(checking, "more than one entry")

    def test_the_search_fails(self):
        checking = self.check()
        self.server.says(done(32))
        self.is_down(checking, "search: result 32")

    def test_as_somebody(self):
        self.checker = attrs.evolve(
            self.checker, entry=attrs.evolve(SEARCH, name="cn=mail", password="canary")
        )
        checking = self.check()
        self.assertEqual(self.server.asked()[0].value.auth, b"canary")
        self.server.says(bound())
        self.assertIsInstance(self.server.asked()[0].value, pureldap.LDAPSearchRequest)
        self.server.says(entry(b"cn=Joe"), done(), number=2)
        self.server.says(bound(49), number=3)
        self.failureResultOf(checking, UnauthorizedLogin)
        self.assertNotIn("canary", repr(self.checker))

    def test_as_somebody_who_is_not_let_in(self):
        self.checker = attrs.evolve(self.checker, entry=attrs.evolve(SEARCH, name="cn=mail", password="x"))
        checking = self.check()
        self.server.says(bound(49))
        self.is_down(checking, "search_dn is not let in: result 49")


class StartTlsTests(LdapCase):
    def setUp(self):
        super().setUp()
        self.checker = LdapChecker(self.server, PEOPLE, 5.0, start_tls="options")

    def test_no_password_goes_before_tls(self):
        checking = self.check()
        [message] = self.server.asked()
        self.assertEqual(message.value.requestName, b"1.3.6.1.4.1.1466.20037")
        self.assertIsNone(self.server.transport.tls)
        self.server.says(pureldap.LDAPExtendedResponse(resultCode=0))
        self.assertEqual(self.server.transport.tls, "options")
        self.server.says(bound(), number=2)
        self.successResultOf(checking)

    def test_a_server_that_does_not_want_it_gets_no_password(self):
        checking = self.check()
        self.server.says(pureldap.LDAPExtendedResponse(resultCode=2))
        self.is_down(checking, "does not begin TLS: result 2")
        self.assertFalse(b"canary" in self.server.transport.value())

    def test_nothing_in_the_clear_counts_behind_the_consent(self):
        checking = self.check()
        consent = pureldap.LDAPMessage(pureldap.LDAPExtendedResponse(resultCode=0), id=1).toWire()
        injected = pureldap.LDAPMessage(bound(), id=2).toWire()
        self.server.octets(consent + injected)
        self.failureResultOf(checking, TemporaryFailure)
        self.assertFalse(b"canary" in self.server.transport.value())

    def test_nor_a_piece_of_it(self):
        checking = self.check()
        consent = pureldap.LDAPMessage(pureldap.LDAPExtendedResponse(resultCode=0), id=1).toWire()
        self.server.octets(consent + b"\x30")
        self.failureResultOf(checking, TemporaryFailure)
        self.assertIsNone(self.server.transport.tls)


@pytest.mark.parametrize("octets", [b"\x30", b"\x30\x84", b""])
def test_what_may_become_an_answer_is_waited_for(octets):
    session = LdapSession()
    session.makeConnection(Transport())
    session.dataReceived(octets)
    assert not session.transport.aborted
