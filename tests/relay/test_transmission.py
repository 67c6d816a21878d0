"""One message through one session: each recipient's fate, by what the server answers."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundRecipient
from mailsuite.model.outbound import Fate, QueuedRecipient
from mailsuite.relay.fitting import Octets
from mailsuite.relay.session import RelaySession
from mailsuite.relay.source import Source
from mailsuite.relay.transmission import Transmission
from mailsuite.wire.smtp.client.letter import Letter
from tests.relay.stage import NONE, Server, StageCase

TEXT = b"Subject: Hello\r\n\r\nHello\r\n"
NAMES = ("eve", "max", "zoe")
RECIPIENTS = tuple(
    QueuedRecipient(number, OutboundRecipient(Address(name, "example.org")))
    for number, name in enumerate(NAMES, 5)
)
LETTER = Letter(Address("joe", "example.net"), tuple(each.recipient for each in RECIPIENTS), size=len(TEXT))


class TransmissionCase(StageCase):
    server: Server
    session: RelaySession

    def ready(self, *extensions: str, lmtp: bool = False) -> None:
        """A session in the clear."""
        protocol = "lmtp" if lmtp else "smtp"
        found = self.next(self.opener.begin(self.hop(NONE, protocol=protocol), Source(), NONE))
        self.server = self.accept()
        self.server.greet(*extensions)
        session = self.successResultOf(found)
        assert session is not None
        self.session = session

    def begin(self, *extensions: str, count: int = 3, lmtp: bool = False) -> None:
        self.ready(*extensions, lmtp=lmtp)
        self.send(count, lmtp)

    def send(self, count: int = 3, lmtp: bool = False) -> None:
        self.transmission = Transmission(self.session, lmtp, 7.0)
        work = self.transmission.send(LETTER, Octets(TEXT), RECIPIENTS[:count])
        self.done: Deferred[Any] = Deferred.fromCoroutine(work)

    def fates(self) -> dict[int, tuple[Fate, int]]:
        """How it ended, for each."""
        self.successResultOf(self.done)
        return {number: (each.fate, each.reply.code) for number, each in self.transmission.outcomes.items()}

    def test_each_by_their_own_answer(self) -> None:
        self.begin("PIPELINING")
        self.assertIn(b"RCPT TO:<zoe@example.org>\r\nDATA\r\n", self.server.heard())
        body = self.server.say("250 Ok", "250 Ok", "450 Later", "550 Nobody", "354 Go ahead")
        self.assertEqual(body, TEXT + b".\r\n")
        self.server.say("250 Taken")
        taken, later, never = (Fate.RELAYED, 250), (Fate.DEFERRED, 450), (Fate.FAILED, 550)
        self.assertEqual(self.fates(), {5: taken, 6: later, 7: never})
        self.assertEqual({each.host for each in self.transmission.outcomes.values()}, {self.session.host})

    def test_the_sender_is_refused(self) -> None:
        self.begin()
        self.server.say("550 Not from you")
        self.assertEqual(set(self.fates().values()), {(Fate.FAILED, 550)})

    def test_some_are_too_many_at_a_time(self) -> None:
        """They get it by the same session, in a second transaction."""
        self.begin()
        for answer in ("250 Ok", "250 Ok"):
            self.server.say(answer)
        self.server.say("452 4.5.3 Too many")
        self.server.say("354 Go ahead")
        self.assertIn(b"MAIL", self.server.say("250 Taken"))
        for answer in ("250 Ok", "250 Ok"):
            self.server.say(answer)
        for answer in ("250 Ok", "354 Go ahead", "250 Taken"):
            self.server.say(answer)
        self.assertEqual(set(self.fates().values()), {(Fate.RELAYED, 250)})
        self.assertEqual(self.session.mails, 2)

    def test_no_room_for_the_rest(self) -> None:
        self.begin("LIMITS MAILMAX=1 RCPTMAX=1")
        for answer in ("250 Ok", "250 Ok", "354 Go ahead", "250 Taken"):
            self.server.say(answer)
        self.assertEqual(self.fates(), {5: (Fate.RELAYED, 250)})
        self.send()
        self.assertEqual(self.fates(), {})

    def test_larger_than_it_takes(self) -> None:
        self.begin("SIZE 10")
        self.assertEqual(set(self.fates().values()), {(Fate.FAILED, 552)})
        self.assertEqual({each.host for each in self.transmission.outcomes.values()}, {""})

    def test_a_server_that_leaves(self) -> None:
        self.begin()
        self.server.say("250 Ok")
        self.server.say("550 Nobody")
        self.server.say("421 Closing")
        self.assertEqual(
            self.fates(), {5: (Fate.FAILED, 550), 6: (Fate.DEFERRED, 421), 7: (Fate.DEFERRED, 421)}
        )
        self.assertEqual(self.transmission.outcomes[7].host, self.session.host)
        self.assertFalse(self.transmission.in_doubt)

    def test_a_server_that_is_gone_before_a_word(self) -> None:
        self.begin()
        self.server.wire.end()
        self.turn()
        self.assertEqual(set(self.fates().values()), {(Fate.DEFERRED, 451)})
        self.assertEqual((self.transmission.heard, self.transmission.outcomes[5].host), (False, ""))
        self.assertEqual(self.transmission.broken, replies.NEXT_HOP_LOST)

    def test_the_message_is_refused_while_it_goes(self) -> None:
        self.begin(count=1)
        self.server.say("250 Ok")
        self.server.say("250 Ok")
        self.session.pauseProducing()
        self.assertEqual(self.server.say("354 Go ahead"), TEXT)
        self.server.say("554 No more of that")
        self.assertEqual(self.fates(), {5: (Fate.FAILED, 554)})
        self.assertFalse(self.session.usable)

    def test_lmtp_has_an_answer_for_each(self) -> None:
        self.begin(count=2, lmtp=True)
        for answer in ("250 Ok", "250 Ok", "250 Ok", "354 Go ahead", "250 Stored"):
            self.server.say(answer)
        self.assertFalse(self.done.called)
        self.server.say("452 4.2.2 Full")
        self.assertEqual(self.fates(), {5: (Fate.DELIVERED, 250), 6: (Fate.DEFERRED, 452)})

    def test_whoever_breaks_off_is_in_doubt_behind_the_end_alone(self) -> None:
        for answers, doubt in ((3, True), (2, False)):
            self.begin(count=1)
            for answer in ("250 Ok", "250 Ok", "354 Go ahead")[:answers]:
                self.server.say(answer)
            self.done.cancel()
            self.failureResultOf(self.done, CancelledError)
            self.transmission.break_off()
            self.assertEqual(self.transmission.in_doubt, doubt)
            self.assertEqual(set(self.transmission.outcomes), {5} if doubt else set())

    def test_tls_is_wanted_where_it_has_failed(self) -> None:
        """That is no reason to give up: in an hour it is tried again."""
        for offered, fate in (("STARTTLS", (Fate.DEFERRED, 430)), ("SIZE", (Fate.FAILED, 530))):
            self.begin(offered, count=1)
            self.server.say("530 5.7.0 Must issue STARTTLS first")
            self.assertEqual(self.fates(), {5: fate})

    def test_what_the_next_server_tells_is_not_told_here(self) -> None:
        for offered, passed_on in (("DSN", True), ("SIZE", False)):
            self.begin(offered, count=1)
            for answer in ("250 Ok", "250 Ok", "354 Go ahead", "250 Taken"):
                self.server.say(answer)
            self.successResultOf(self.done)
            self.assertEqual(self.transmission.outcomes[5].notices_passed_on, passed_on)
