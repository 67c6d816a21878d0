"""The memory store keeps the contract, and obeys the tests that steer it."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DISK_FULL
from mailsuite.model.retention import Retention
from mailsuite.store.memory import MemoryStore
from tests.contracts.mail_store import DOTTED, JOE, SHORT, MailStoreContract
from tests.contracts.mail_store_views import MailViewsContract


class InMemory:
    def make_store(self):
        return MemoryStore(clock=self.seconds)

    def restarted(self, store):
        return store

    def take_away(self, account, uidl):
        self.store.take_away(account, uidl)


class MemoryStoreContractTests(InMemory, MailStoreContract, SynchronousTestCase):
    pass


class MemoryViewsContractTests(InMemory, MailViewsContract, SynchronousTestCase):
    pass


class MemoryStoreSteeringTests(SynchronousTestCase):
    def setUp(self):
        self.store = MemoryStore()

    def begun(self, content=SHORT):
        delivery = self.store.begin(JOE)
        delivery.write(content)
        return delivery

    def started(self, coroutine):
        return Deferred.fromCoroutine(coroutine)

    def test_refuse_with_fails_every_step(self):
        self.successResultOf(self.started(self.store.deliver([self.begun()])))
        maildrop = self.successResultOf(self.started(self.store.open_maildrop(JOE)))
        prepared = self.begun()
        self.successResultOf(self.started(prepared.prepare()))
        self.store.refuse_with = TemporaryFailure(DISK_FULL)
        for step in (
            self.store.deliver([self.begun()]),
            self.store.open_maildrop(JOE),
            self.begun().prepare(),
            prepared.commit(),
            maildrop.open(maildrop.messages[0]),
            maildrop.update(maildrop.messages, []),
            self.store.usage(JOE),
            self.store.warned(JOE),
            self.store.note_warned(JOE, 80),
            self.store.expire(JOE, Retention(0.0, 0.0), 2e9),
            self.store.purge(JOE, 2e9),
            self.store.deleted(JOE),
            self.store.undelete(JOE, ["m1"]),
            self.store.forget_view(JOE, "desk"),
            self.store.enroll_view(JOE, "desk"),
            self.store.views(JOE),
            self.store.maildrops(),
        ):
            failure = self.failureResultOf(self.started(step), TemporaryFailure)
            self.assertIs(failure.value.reply, DISK_FULL)
        self.assertEqual(self.store.contents(JOE), (SHORT,))

    def test_a_refusal_in_the_middle_undoes_all(self):
        prepared = self.begun(DOTTED)
        self.successResultOf(self.started(prepared.prepare()))
        fresh = self.begun()
        self.successResultOf(self.started(fresh.abort()))
        self.failureResultOf(self.started(self.store.deliver([prepared, fresh])), RuntimeError)
        self.assertEqual(self.store.contents(JOE), ())

    def test_congestion(self):
        delivery = self.begun()
        self.store.congested = True
        self.assertTrue(delivery.congested)
        waiting = self.started(delivery.drained())
        cancelled = self.started(delivery.drained())
        self.assertNoResult(waiting)
        cancelled.addErrback(lambda failure: None)
        cancelled.cancel()
        self.store.relieve()
        self.successResultOf(waiting)
        self.assertFalse(delivery.congested)
