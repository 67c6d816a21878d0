"""How large a message may be: the limits of those who get it, and of who sends it, by its true size."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred

from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model import reply as replies
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.envelope import MailParameters
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import Reply
from mailsuite.observe.log import Log
from mailsuite.policy.chain import Chain
from mailsuite.policy.message_size import MessageSize, Sizes
from mailsuite.policy.recipients import Recipients
from mailsuite.wire.smtp.events import BodyEnd, Mail
from tests.delivery.case import ANN, BODY, CLAIM, DEFECT, EVE, JOE, Case

TEAM, BOTH = Address("team", "example.net"), Address("both", "example.net")
SMALL = len(BODY) - 1
CEILING = 10_000
GOOD, BIG, APART = replies.message_accepted("id1"), replies.MESSAGE_TOO_BIG, replies.SIZE_APART


class SizesCase(Case):
    """JOE takes a message that is an octet smaller than BODY, ANN takes all."""

    def setUp(self) -> None:
        super().setUp()
        self.directory = MemoryDirectory(
            [Account(JOE, max_message=SMALL), Account(ANN)],
            initial_aliases=[Alias(TEAM, (JOE, ANN)), Alias(BOTH, (ANN, JOE))],
        )
        sizes = Sizes(self.directory, CEILING)
        log = Log(lambda line, urgent: self.lines.append(line))
        self.replaced(
            router=attrs.evolve(self.services.router, directory=self.directory),  # type: ignore[misc]
            policy=Chain((Recipients(), MessageSize(sizes)), log),
            largest=sizes.of,
        )
        self.reception.hello("client.example.org", True)

    def told(self, *recipients: Address, size: int | None = None) -> list[Reply]:
        """What RCPT is answered."""
        self.now(self.reception.mail(Mail(EVE, MailParameters(size=size))))
        return [self.recipient(recipient) for recipient in recipients]

    def send(self) -> None:
        self.assertEqual(self.now(self.reception.start_data()), replies.START_MAIL_INPUT)
        self.feed(BODY)

    def counts(self) -> tuple[int, int]:
        return len(self.contents(JOE)), len(self.contents(ANN))


class SmtpSizes(SizesCase):
    def test_what_is_promised(self) -> None:
        for recipients in ((JOE, ANN), (ANN, JOE)):
            by = dict(zip(recipients, self.told(*recipients, size=SMALL + 1), strict=True))
            self.assertEqual(by, {JOE: BIG, ANN: replies.RECIPIENT_OK})
        self.send()
        self.assertEqual(self.end(), GOOD)
        self.assertEqual(self.counts(), (0, 1))

    def test_what_promises_too_little_does_not_get_past(self) -> None:
        self.assertEqual(self.told(JOE, ANN, size=SMALL), [replies.RECIPIENT_OK] * 2)
        self.send()
        self.assertEqual(self.end(), BIG)
        self.assertEqual(self.counts(), (0, 0))
        self.assert_nothing_open()
        [line] = self.logged("smtp.message_refused")
        self.assertIn("code=552 enhanced=5.3.4", line)
        self.assertEqual(self.told(ANN), [replies.RECIPIENT_OK], "the session lives on")

    def test_without_a_promise_the_first_fixes_it(self) -> None:
        self.assertEqual(
            self.told(JOE, ANN, JOE, TEAM), [replies.RECIPIENT_OK, APART] + [replies.RECIPIENT_OK] * 2
        )
        self.send()
        self.assertEqual(self.end(), BIG)
        self.assertEqual(self.counts(), (0, 0))
        self.assertEqual(self.told(ANN, JOE, TEAM), [replies.RECIPIENT_OK, APART, APART])
        self.send()
        self.assertEqual(self.end(), attrs.evolve(GOOD, text=("OK, queued as id2",)))
        self.assertEqual(self.counts(), (0, 1))

    def test_an_octet_less_is_taken(self) -> None:
        self.answer_limit(SMALL + 1)
        self.assertEqual(self.told(JOE), [replies.RECIPIENT_OK])
        self.send()
        self.assertEqual(self.end(), GOOD)

    def answer_limit(self, octets: int) -> None:
        self.now(self.directory.change_account(Account(JOE, max_message=octets)))

    def test_a_defect_comes_first(self) -> None:
        self.told(JOE)
        self.send()
        self.assertEqual(self.end(DEFECT), DEFECT)
        self.assert_nothing_open()


class LmtpSizes(SizesCase):
    service = "lmtp"

    def end_each(self, defect: Reply | None = None) -> Sequence[Reply]:
        event = BodyEnd(len(BODY), defect, False)
        return self.successResultOf(Deferred.fromCoroutine(self.reception.end_each(event)))

    def test_each_hears_for_himself(self) -> None:
        for recipients, answers, counts in (
            ((JOE, ANN), (BIG, GOOD), (0, 1)),
            ((ANN, JOE, ANN), (GOOD, BIG, GOOD), (0, 1)),
            ((JOE, JOE), (BIG, BIG), (0, 0)),
            ((TEAM,), (BIG,), (0, 0)),
            ((TEAM, ANN), (BIG, GOOD), (0, 1)),
            ((ANN, BOTH), (GOOD, BIG), (0, 1)),
        ):
            self.setUp()
            self.assertEqual(self.told(*recipients), [replies.RECIPIENT_OK] * len(recipients))
            self.send()
            self.assertEqual(self.end_each(), answers)
            self.assertEqual(self.counts(), counts)
            self.assert_nothing_open()

    def test_what_is_promised(self) -> None:
        self.assertEqual(self.told(JOE, ANN, size=SMALL + 1), [BIG, replies.RECIPIENT_OK])

    def test_what_has_one_fate_for_all_is_asked_for_again(self) -> None:
        """With a copy for the archive, say."""
        self.told(JOE, ANN)
        self.send()
        incoming = self.reception._incoming
        assert incoming is not None
        incoming.apart = False
        self.assertEqual(self.end_each(), (BIG, APART))
        self.assertEqual(self.counts(), (0, 0))
        self.assert_nothing_open()

    def test_a_defect_is_everybody_s(self) -> None:
        for apart in (True, False):
            self.setUp()
            self.told(JOE, ANN)
            self.send()
            incoming = self.reception._incoming
            assert incoming is not None
            incoming.apart = apart
            self.assertEqual(self.end_each(BIG), (BIG, BIG))
            self.assert_nothing_open()


class SubmissionSizes(SizesCase):
    service = "submission"

    def test_who_logged_in_has_a_limit(self) -> None:
        self.now(self.reception.learn_limit())
        self.assertIsNone(self.reception.largest)
        self.now(self.reception.authenticate(CLAIM))
        self.now(self.reception.learn_limit())
        self.assertEqual(self.reception.largest, SMALL)
        self.assertEqual(self.now(self.reception.mail(Mail(JOE, MailParameters(size=SMALL + 1)))), BIG)
        self.assertEqual(
            self.now(self.reception.mail(Mail(JOE, MailParameters(size=SMALL)))), replies.SENDER_OK
        )
        self.assertEqual(self.recipient(ANN), replies.RECIPIENT_OK)
        self.send()
        self.assertEqual(self.end(), BIG, "its true size is larger")
        self.assertEqual(self.counts(), (0, 0))

    def test_where_it_cannot_be_known_the_rules_have_their_say(self) -> None:
        self.now(self.reception.authenticate(CLAIM))
        self.directory.refuse_with = TemporaryFailure(replies.DIRECTORY_UNAVAILABLE, "away")
        self.now(self.reception.learn_limit())
        self.assertIsNone(self.reception.largest)
        self.assertEqual(self.now(self.reception.mail(Mail(JOE))), replies.DIRECTORY_UNAVAILABLE)

    def test_nobody_waits_for_an_answer_any_more(self) -> None:
        waiting: Deferred[int] = Deferred()

        async def largest(account: Address) -> int:
            return await waiting

        self.replaced(largest=largest)
        self.now(self.reception.authenticate(CLAIM))
        learning = Deferred.fromCoroutine(self.reception.learn_limit())
        learning.cancel()
        self.failureResultOf(learning)
        self.assertEqual(self.logged("smtp.failed"), [])
