"""The world of the tests of notices: a queue, maildrops, a directory, a clock, a log."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.tasks import Tasks
from mailsuite.delivery.arrivals import Arrivals
from mailsuite.delivery.dsn_decision import NoticeRules
from mailsuite.delivery.notices import Notices
from mailsuite.delivery.notices_post import Post
from mailsuite.delivery.router import Router, RoutingRules
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.envelope import (
    NOTHING_SAID,
    MailParameters,
    NotifyOn,
    OutboundEnvelope,
    OutboundRecipient,
    RecipientParameters,
)
from mailsuite.model.outbound import Outcome, Owed, Room
from mailsuite.observe.log import Log
from mailsuite.queue.memory import MemoryQueue, Queued
from tests.delivery.case import Intake
from tests.delivery.dsn_cases import ARRIVED, EVE, JOE, LETTER, REFUSED
from tests.delivery.watched import WatchedStore

T = TypeVar("T")
ADMIN = Address("admin", "example.net")
STRANGER = Address("spam", "example.com")
HOSTNAME = "mail.example.net"


class LooseQueue(MemoryQueue):
    """Has methods that a test can replace."""


class NoticesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.queue = LooseQueue()
        self.store = WatchedStore()
        self.directory = MemoryDirectory([Account(JOE), Account(ADMIN)])
        self.clock = Clock()
        self.clock.advance(ARRIVED + 3600)
        self.lines: list[str] = []
        self.log = Log(lambda line, level: self.lines.append(line))
        self.failures: list[Any] = []
        self.tasks = Tasks(self.failures.append)
        self.intake = Intake()
        self.rules = NoticeRules()
        router = Router(self.directory, HOSTNAME, ADMIN, RoutingRules(sends=True))
        self.post = Post(
            self.queue,
            self.store,
            router,
            HOSTNAME,
            self.clock.seconds,
            self.tasks,
            self.log,
            Arrivals(self.clock.seconds, self.log, self.intake),
        )
        self.notices = self.make()

    def make(self, **changes: Any) -> Notices:
        given: dict[str, Any] = {"rules": lambda: self.rules}
        return Notices(self.queue, self.post, HOSTNAME, self.clock.seconds, self.log, **{**given, **changes})

    def tearDown(self) -> None:
        self.assertEqual(self.failures, [])
        self.assertEqual(len(self.tasks), 0)
        self.assertEqual(self.store.open, 0)

    def now(self, work: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def work(self) -> float | None:
        return self.now(self.notices.work())

    def put(
        self,
        *recipients: Address,
        id: str = "m1",
        sender: Address | None = JOE,
        account: Address | None = JOE,
        notify: set[NotifyOn] | None = None,
        parameters: MailParameters = NOTHING_SAID,
        content: bytes = LETTER,
        vouched: bool = False,
    ) -> None:
        said = RecipientParameters(None if notify is None else frozenset(notify))
        people = tuple(OutboundRecipient(each, said) for each in recipients or (EVE,))
        envelope = OutboundEnvelope(id, sender, people, parameters, account, arrived=ARRIVED, vouched=vouched)
        queuing = self.queue.begin(envelope)
        queuing.write(content)
        self.now(queuing.prepare())
        self.now(queuing.commit())

    def happens(self, outcome: Outcome = REFUSED, kind: NotifyOn = NotifyOn.FAILURE) -> None:
        """An attempt at everything ends so for everybody, and the notice is owed."""
        for lease in self.now(
            self.queue.claim(self.clock.seconds(), self.clock.seconds() + 60, 1000, Room(1000))
        ):
            numbers = [each.number for each in lease.recipients]
            outcomes = dict.fromkeys(numbers, outcome)
            due = self.clock.seconds() + 10 * 86_400
            self.now(self.queue.record(lease, outcomes, due, dict.fromkeys(numbers, kind)))

    def failed(self, *recipients: Address, outcome: Outcome = REFUSED, **more: Any) -> None:
        self.put(*recipients, **more)
        self.happens(outcome)

    def change_last(self, last: Outcome | None) -> None:
        """Let the queue say that the last attempt came to this."""
        found = self.queue.owed

        async def changed(count: int) -> tuple[Owed, ...]:
            return tuple(
                attrs.evolve(each, recipients=tuple(attrs.evolve(who, last=last) for who in each.recipients))
                for each in await found(count)
            )

        self.queue.owed = changed  # type: ignore[method-assign]

    @property
    def owed(self) -> list[str]:
        return [each.message.id for each in self.now(self.queue.owed(10_000))]

    @property
    def queued(self) -> list[Queued]:
        """Notices on their way to other servers."""
        return [each for each in self.queue.messages if each.envelope.id.startswith("dsn-")]

    def contents(self, account: Address = JOE) -> list[str]:
        return [each.decode("utf-8") for each in self.store.memory.contents(account)]

    def only(self, account: Address = JOE) -> str:
        (content,) = self.contents(account)
        return content

    def logged(self, event: str) -> list[str]:
        return [line for line in self.lines if f" {event} " in line]

    def account(self, address: Address, **changes: Any) -> None:
        self.now(self.directory.add_account(attrs.evolve(Account(address), **changes)))
