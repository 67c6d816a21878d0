"""LocalBus: the contract, and what only it promises."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.bus import local
from mailsuite.bus.local import LocalBus
from mailsuite.model.events import Event
from mailsuite.observe.log import Log
from tests.contracts.event_bus import EventBusContract, grown


class LocalBusTests(EventBusContract, SynchronousTestCase):
    def make_bus(self) -> LocalBus:
        self.clock = Clock()
        self.lines: list[str] = []
        return LocalBus(self.clock, Log(lambda line, urgent: self.lines.append(line)))

    def settle(self) -> None:
        while self.clock.getDelayedCalls():
            self.clock.advance(0)

    def broken_subscribers_logged(self) -> int:
        return sum("error   bus.subscriber_failed" in line for line in self.lines)

    def test_one_call_for_a_batch(self) -> None:
        self.bus.subscribe(lambda event: None)
        for number in range(local.BATCH):
            self.bus.publish(grown(number))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_flood_is_told_in_portions_so_that_sockets_get_their_turn(self) -> None:
        turns: list[Callable[[], object]] = []

        class Turns:
            def callLater(self, delay: float, callable: Callable[[], object], /) -> None:
                turns.append(callable)

        heard: list[Event] = []
        bus = LocalBus(Turns(), Log())
        bus.subscribe(heard.append)
        for number in range(local.BATCH + 1):
            bus.publish(grown(number))
        turns.pop()()
        self.assertEqual(len(heard), local.BATCH)
        turns.pop()()
        self.assertEqual(len(heard), local.BATCH + 1)
        self.assertEqual(turns, [])

    def test_what_waits_is_bounded_and_losses_are_counted(self) -> None:
        heard: list[Event] = []
        self.bus.subscribe(heard.append)
        with mock.patch.object(local, "MAX_WAITING", 3):
            for number in range(5):
                self.bus.publish(grown(number))
        self.settle()
        self.assertEqual([event.head for event in heard], [0, 1, 2])
        self.assertEqual(self.bus.lost, 2)
