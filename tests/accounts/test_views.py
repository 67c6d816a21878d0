"""The view of a device comes and goes behind the answer, and a failure is told."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.accounts.views import Views
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import OVERLOADED
from mailsuite.model.view import Box, View
from mailsuite.observe.log import Log
from mailsuite.store.memory import MemoryStore

JOE = Address("joe", "example.test")
PHONE = View(Box.INBOX, "phone-1")


class BusyStore(MemoryStore):
    """Its threads have no room."""

    async def enroll_view(self, account: Address, device: str) -> None:
        raise TemporaryFailure(OVERLOADED, "the queue is full")

    async def forget_view(self, account: Address, device: str) -> None:
        raise TemporaryFailure(OVERLOADED, "the queue is full")


class ViewsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines: list[str] = []
        self.log = Log(lambda line, level: self.lines.append(line))
        self.tasks = Tasks(lambda failure: self.log.failure("task.failed", failure))

    def test_what_the_device_had_hidden_is_there_for_the_next_of_its_name(self) -> None:
        store = MemoryStore()
        delivery = store.begin(JOE)
        delivery.write(b"A: 1\r\n\r\n")
        run_now(store.deliver([delivery]))
        self.delete_all(store)
        self.assertEqual(self.seen(store), 0)
        Views(store, self.tasks, self.log).forget(JOE, PHONE.device)
        self.assertEqual((len(self.tasks), self.lines), (0, []))
        self.assertEqual(self.seen(store), 1)

    def test_mail_waits_for_a_device_that_was_never_here(self) -> None:
        store = MemoryStore()
        Views(store, self.tasks, self.log).enroll(JOE, "laptop-2")
        self.assertEqual((run_now(store.views(JOE)), self.lines), (("laptop-2",), []))

    def delete_all(self, store: MemoryStore) -> None:
        run_now(store.open_maildrop(JOE, View(Box.INBOX, "other")))  # another device waits for it
        maildrop = run_now(store.open_maildrop(JOE, PHONE))
        run_now(maildrop.update(maildrop.messages, ()))
        run_now(maildrop.release())

    def seen(self, store: MemoryStore) -> int:
        maildrop = run_now(store.open_maildrop(JOE, PHONE))
        run_now(maildrop.release())
        return len(maildrop.messages)

    def test_a_store_that_cannot_now(self) -> None:
        views = Views(BusyStore(), self.tasks, self.log)
        views.enroll(JOE, PHONE.device)
        views.forget(JOE, PHONE.device)
        for event, line in zip(("view.missing", "view.kept"), self.lines, strict=True):
            self.assertIn(f"{event} account=joe@example.test device=phone-1 reason=", line)
            self.assertIn("the queue is full", line)
        self.assertEqual(len(self.tasks), 0)
