"""What every IOutboundQueue promises about putting. Each implementation subclasses the contract beside
SynchronousTestCase."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IOutboundQueue, IQueuing
from mailsuite.model.address import Address
from mailsuite.model.envelope import (
    BodyType,
    MailParameters,
    NotifyOn,
    OutboundEnvelope,
    OutboundRecipient,
    RecipientParameters,
    Returned,
)

JOE = Address("joe", "example.net")
EVE = Address("eve", "example.org")
MAX = Address("max", "example.com")
CONTENT = b"Subject: hello\r\n\r\n.World\r\n"
PLAIN = OutboundEnvelope("id1", JOE, (OutboundRecipient(EVE),), account=JOE)
RICH = OutboundEnvelope(
    "id2",
    None,
    (
        OutboundRecipient(
            EVE, RecipientParameters(frozenset({NotifyOn.SUCCESS, NotifyOn.DELAY}), "rfc822;eve")
        ),
        OutboundRecipient(MAX, RecipientParameters(frozenset({NotifyOn.NEVER}))),
    ),
    MailParameters(BodyType.EIGHT_BIT, 100, True, True, Returned.HEADER, "env+id"),
    vouched=True,
)


class QueueCase:
    """Subclasses say how a queue is made, found again after a restart, and looked into."""

    def setUp(self):
        self.queue = self.make_queue()

    def make_queue(self):
        raise NotImplementedError

    def restarted(self, queue):
        """Another queue on the same data, the first being gone; or the same where it has none."""
        raise NotImplementedError

    def queued(self, queue):
        """Pairs of envelope and content, in the order of the commits."""
        raise NotImplementedError

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def failure(self, coroutine, *kinds):
        return self.failureResultOf(Deferred.fromCoroutine(coroutine), *kinds)

    def begun(self, envelope=PLAIN, *pieces):
        queuing = self.queue.begin(envelope)
        for piece in pieces or (CONTENT,):
            queuing.write(piece)
        return queuing

    def put(self, envelope=PLAIN, *pieces):
        queuing = self.begun(envelope, *pieces)
        self.answer(queuing.prepare())
        self.answer(queuing.commit())
        return queuing

    def put_all(self, envelopes):
        """In this order, with the disk's work done for all together."""
        queuings = [self.begun(envelope) for envelope in envelopes]

        async def together(step):
            for running in [Deferred.fromCoroutine(step(queuing)) for queuing in queuings]:
                await running

        self.answer(together(lambda queuing: queuing.prepare()))
        self.answer(together(lambda queuing: queuing.commit()))


class OutboundQueueContract(QueueCase):
    def test_the_interfaces(self):
        verifyObject(IOutboundQueue, self.queue)
        verifyObject(IQueuing, self.queue.begin(PLAIN))

    def test_what_was_committed_is_there_octet_for_octet(self):
        self.put(PLAIN, CONTENT[:3], CONTENT[3:])
        self.put(RICH, b"")
        expected = [(PLAIN, CONTENT), (RICH, b"")]
        self.assertEqual(self.queued(self.queue), expected)
        self.queue = self.restarted(self.queue)
        self.assertEqual(self.queued(self.queue), expected)

    def test_nothing_is_there_before_the_commit(self):
        queuing = self.begun()
        self.assertEqual(self.queued(self.queue), [])
        self.answer(queuing.prepare())
        self.assertEqual(self.queued(self.queue), [])
        self.answer(queuing.commit())
        self.assertEqual(len(self.queued(self.queue)), 1)

    def test_abort_at_any_time_any_number_of_times(self):
        for steps in range(3):
            queuing = self.begun()
            for step in (queuing.prepare, queuing.commit)[:steps]:
                self.answer(step())
            self.answer(queuing.abort())
            self.answer(queuing.abort())
            self.assertEqual(self.queued(self.queue), [], steps)
            self.queue = self.restarted(self.queue)
            self.assertEqual(self.queued(self.queue), [], steps)

    def test_an_abort_is_nobody_elses(self):
        self.put(PLAIN)
        self.answer(self.put(RICH).abort())
        self.assertEqual([envelope for envelope, _ in self.queued(self.queue)], [PLAIN])

    def test_what_was_not_prepared_cannot_be_committed(self):
        self.failure(self.begun().commit(), RuntimeError)
        self.assertEqual(self.queued(self.queue), [])

    def test_without_congestion_nobody_waits(self):
        queuing = self.begun()
        self.assertFalse(queuing.congested)
        self.answer(queuing.drained())
