"""From a way to a session: what hosts say before mail is, TLS, logins, and who waits for how long."""

from __future__ import annotations

import base64
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.python.failure import Failure

from mailsuite.model import reply as replies
from mailsuite.model.outbound import Fate
from mailsuite.relay.opening import OPENING_SECONDS, Opening
from mailsuite.relay.session import RelaySession
from mailsuite.relay.tls import Level, TlsPolicy
from mailsuite.resolver.question import Type
from tests.relay.stage import ENCRYPT, LOGIN, MAY, NONE, Server, StageCase

Found = Deferred[RelaySession | None]
IMPLICIT = TlsPolicy(Level.ENCRYPT, implicit=True)


class OpeningCase(StageCase):
    def begin(self, tls: TlsPolicy = MAY, login: Any = None) -> tuple[Opening, Found, Server]:
        """Up to the connection with the first host."""
        opening = self.opening(tls, login)
        found = self.next(opening)
        return opening, found, self.accept()

    def second(self, server: Server) -> Server:
        """The connection that comes when the one before is gone."""
        self.turn()
        return self.accept()

    def session(self, found: Found) -> RelaySession:
        session = self.successResultOf(found)
        assert session is not None
        return session

    def none_left(self, found: Found) -> None:
        """The second host is not there."""
        self.turn()
        (attempt,) = self.reactor.tcpClients
        attempt[2].clientConnectionFailed(None, _refused())
        self.assertIsNone(self.successResultOf(found))


class Words(OpeningCase):
    def test_a_session_that_takes_mail(self) -> None:
        _, found, server = self.begin()
        self.assertEqual(server.say("220 mx"), b"EHLO mail.example.net\r\n")
        server.offer("SIZE")
        self.assertEqual(self.session(found).host, "mx1.example.org [192.0.2.1]")

    def test_the_next_host_where_one_sends_us_away(self) -> None:
        opening, found, server = self.begin()
        server.say("554 5.3.2 Not here")
        server = self.second(server)
        server.greet()
        self.assertEqual(self.session(found).host, "mx2.example.org [192.0.2.2]")
        self.assertEqual(opening.troubles[0].host, "mx1.example.org [192.0.2.1]")

    def test_all_send_us_away_for_ever(self) -> None:
        opening, found, server = self.begin()
        server.say("554 5.3.2 Not here")
        self.second(server).say("521 5.3.2 Nor here")
        self.turn()
        self.assertIsNone(self.successResultOf(found))
        self.assertEqual((opening.verdict.fate, opening.verdict.reply.code), (Fate.FAILED, 521))

    def test_one_of_them_for_now(self) -> None:
        opening, found, server = self.begin()
        server.say("421 4.3.2 Later")
        self.second(server).say("521 5.3.2 Not here")
        self.turn()
        self.assertIsNone(self.successResultOf(found))
        self.assertEqual(opening.verdict.fate, Fate.DEFERRED)

    def test_no_host_at_all(self) -> None:
        self.names.set("example.org", Type.MX, (0, ""))
        opening = self.opening()
        self.assertIsNone(self.successResultOf(self.next(opening)))
        self.assertEqual(opening.verdict.reply, replies.NULL_MX)

    def test_nonsense(self) -> None:
        opening, found, server = self.begin()
        server.say("HTTP/1.1 400 Bad Request")
        self.none_left(found)
        self.assertEqual(opening.troubles[0].reply, replies.NEXT_HOP_ASTRAY)
        self.assertEqual(opening.troubles[0].host, "")
        self.assertTrue(any("relay.violation" in line for line in self.lines))

    def test_a_long_reply_is_short_in_the_log(self) -> None:
        _, _, server = self.begin()
        server.say("554 " + "x" * 2000)
        self.turn()
        (line,) = (line for line in self.lines if "relay.turned_away" in line)
        self.assertLess(len(line), 500)

    def test_who_is_cancelled_leaves_nothing_behind(self) -> None:
        _, found, server = self.begin()
        server.say("220 mx")
        found.cancel()
        self.failureResultOf(found, CancelledError)
        self.assertTrue(server.wire.disconnecting)
        self.turn()
        self.assertEqual(self.left(), [])

    def test_who_is_cancelled_while_names_are_looked_up(self) -> None:
        self.names.silence("mx1.example.org", Type.A)
        found = self.next(self.opening())
        found.cancel()
        self.failureResultOf(found, CancelledError)


class Time(OpeningCase):
    def test_hosts_that_keep_us_waiting_have_an_end(self) -> None:
        numbers = range(1, 10)
        self.names.set("example.org", Type.MX, *((n, f"mx{n}.example.org") for n in numbers))
        for n in numbers:
            self.names.set(f"mx{n}.example.org", Type.A, ip_address(f"192.0.2.{n}"))
        opening, found, server = self.begin()
        while not found.called:
            self.turn(301)
            server = server if found.called else self.second(server)
        self.assertIsNone(self.successResultOf(found))
        self.assertLess(self.reactor.seconds(), OPENING_SECONDS + 310)
        self.assertEqual(opening.verdict.fate, Fate.DEFERRED)

    def test_no_host_is_asked_after_that(self) -> None:
        opening, found, _ = self.begin()
        self.turn(OPENING_SECONDS)
        self.turn()
        self.assertIsNone(self.successResultOf(found))
        self.assertEqual(self.reactor.tcpClients, [])
        self.assertEqual(opening.verdict.reply, replies.NEXT_HOP_SLOW)

    def test_all_that_is_said_before_mail_has_a_limit(self) -> None:
        _, _, server = self.begin(ENCRYPT)
        self.turn(290)
        server.say("220 mx")
        self.turn(290)
        server.offer("STARTTLS")
        self.turn(290)
        server.say("220 Go ahead")
        self.turn(31)
        self.assertTrue(server.wire.disconnecting)


class Tls(OpeningCase):
    def shake(self, server: Server) -> bytes:
        server.session.handshakeCompleted()
        return server.heard()

    def test_where_it_is_offered(self) -> None:
        _, found, server = self.begin()
        self.assertEqual(server.greet("STARTTLS"), b"STARTTLS\r\n")
        server.say("220 Go ahead")
        self.assertEqual(self.shake(server), b"EHLO mail.example.net\r\n")
        server.offer("SIZE")
        self.assertIn("TLSv1.3", self.session(found).tls)

    def test_not_where_it_is_off(self) -> None:
        _, found, server = self.begin(NONE)
        server.greet("STARTTLS")
        self.assertEqual(self.session(found).tls, "")

    def test_refused_where_it_may_be(self) -> None:
        _, found, server = self.begin()
        server.greet("STARTTLS")
        server.say("454 4.7.0 Not now")
        self.assertEqual(self.session(found).tls, "")

    def test_refused_where_it_must_be(self) -> None:
        opening, found, server = self.begin(ENCRYPT)
        server.greet("STARTTLS")
        server.say("454 4.7.0 Not now")
        server.say("221 Bye")
        self.none_left(found)
        self.assertEqual(opening.troubles[0].reply, replies.NEXT_HOP_LACKS_TLS)

    def test_not_offered_where_it_must_be(self) -> None:
        opening, found, server = self.begin(ENCRYPT)
        self.assertEqual(server.greet("SIZE"), b"QUIT\r\n")
        server.say("221 Bye")
        self.none_left(found)
        self.assertEqual(opening.verdict.fate, Fate.DEFERRED)

    def test_a_handshake_that_fails_where_it_may_be(self) -> None:
        """The same host again, in the clear."""
        _, found, server = self.begin()
        server.greet("STARTTLS")
        server.say("220 Go ahead")
        server.wire.end()
        server = self.second(server)
        server.greet("STARTTLS")
        session = self.session(found)
        self.assertEqual((session.host, session.tls), ("mx1.example.org [192.0.2.1]", ""))

    def test_a_handshake_that_fails_where_it_must_be(self) -> None:
        opening, found, server = self.begin(ENCRYPT)
        server.greet("STARTTLS")
        server.say("220 Go ahead")
        server.wire.end()
        self.none_left(found)
        self.assertEqual(opening.troubles[0].reply, replies.NEXT_HOP_TLS_FAILED)

    def test_a_certificate_that_is_not_right(self) -> None:
        opening, found, server = self.begin(TlsPolicy(Level.VERIFY))
        server.greet("STARTTLS")
        server.say("220 Go ahead")
        server.wire.creator.objection = "the certificate has expired"
        server.wire.end()
        self.none_left(found)
        self.assertIn("has expired", opening.troubles[0].reply.text[0])
        self.assertEqual(opening.verdict.fate, Fate.DEFERRED)

    def test_an_authority_that_cannot_be_read(self) -> None:
        file = self.missing_file()
        file.write_text("nothing")
        opening, found, server = self.begin(TlsPolicy(Level.VERIFY, ca_file=file))
        server.greet("STARTTLS")
        server.say("220 Go ahead")
        self.none_left(found)
        self.assertEqual(opening.troubles[0].reply, replies.TLS_UNCHECKABLE)

    def test_a_connection_that_is_lost_before_the_handshake(self) -> None:
        _, _, server = self.begin()
        server.session.connectionLost()
        nobody: Any = None
        tls = Deferred.fromCoroutine(server.session.start_tls(nobody))
        self.assertFalse(self.successResultOf(tls))

    def test_what_begins_with_it(self) -> None:
        _, found, server = self.begin(IMPLICIT)
        self.assertIsNotNone(server.wire.creator)
        self.assertEqual(self.shake(server), b"")
        self.assertEqual(server.say("220 mx"), b"EHLO mail.example.net\r\n")
        server.offer("STARTTLS")
        self.assertIn("TLSv1.3", self.session(found).tls)

    def test_words_in_the_clear_before_what_begins_with_it(self) -> None:
        _, _, server = self.begin(IMPLICIT)
        self.assertEqual(server.say("220 mx"), b"")
        self.assertTrue(server.wire.disconnecting)

    def test_words_in_the_clear_behind_the_answer(self) -> None:
        opening, found, server = self.begin()
        server.greet("STARTTLS")
        server.say("220 Go ahead", "250 AUTH PLAIN")
        self.none_left(found)
        self.assertEqual(opening.troubles[0].reply, replies.NEXT_HOP_ASTRAY)


class Logins(OpeningCase):
    def log_in(self, *mechanisms: str) -> tuple[Opening, Found, Server, bytes]:
        opening, found, server = self.begin(IMPLICIT, LOGIN)
        server.session.handshakeCompleted()
        server.say("220 mx")
        return opening, found, server, server.offer(" ".join(("AUTH", *mechanisms)))

    def test_plain(self) -> None:
        _, found, server, said = self.log_in("PLAIN")
        self.assertEqual(base64.b64decode(said.split()[2]), b"\0joe\0s3cret-word")
        server.say("235 2.7.0 Welcome")
        self.assertTrue(self.session(found).usable)
        self.assertNotIn("s3cret-word", "".join(self.lines))

    def test_scram(self) -> None:
        """With our own random octets, and a key that a thread makes."""
        opening, found, server, said = self.log_in("SCRAM-SHA-256", "PLAIN")
        nonce = base64.b64decode(said.split()[2]).partition(b"r=")[2].decode()
        first = base64.b64encode(f"r={nonce}x,s=c2FsdA==,i=4096".encode()).decode()
        self.assertIn(b"p=", base64.b64decode(server.say(f"334 {first}")))
        server.say("235 Welcome")
        self.none_left(found)  # it has not proved to know us
        self.assertEqual(opening.troubles[0].reply, replies.NEXT_HOP_ASTRAY)

    def test_no(self) -> None:
        """For a wrong password no mail goes back."""
        opening, found, server, _ = self.log_in("PLAIN")
        server.say("535 5.7.8 No")
        server.say("221 Bye")
        self.none_left(found)
        self.assertEqual((opening.troubles[0].reply.code, opening.verdict.fate), (435, Fate.DEFERRED))

    def test_nothing_that_fits(self) -> None:
        opening, found, server, said = self.log_in("GSSAPI")
        self.assertEqual(said, b"QUIT\r\n")
        server.say("221 Bye")
        self.none_left(found)
        self.assertEqual(opening.troubles[0].reply, replies.NEXT_HOP_LACKS_MECHANISM)

    def test_no_password_in_the_clear(self) -> None:
        opening, found, server = self.begin(NONE, LOGIN)
        self.assertEqual(server.greet("AUTH PLAIN LOGIN"), b"QUIT\r\n")
        server.say("221 Bye")
        self.none_left(found)
        self.assertEqual(opening.verdict.fate, Fate.DEFERRED)


def _refused() -> Any:
    return Failure(ConnectionRefusedError())
