"""The view of a removed device goes behind the answer, and a failure is told."""

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
        Views(BusyStore(), self.tasks, self.log).forget(JOE, PHONE.device)
        [line] = self.lines
        self.assertIn("view.kept account=joe@example.test device=phone-1 reason=", line)
        self.assertIn("the queue is full", line)
        self.assertEqual(len(self.tasks), 0)
