"""What every IEventBus promises. Subclass it, say how to make the bus and how to let time pass."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IEventBus
from mailsuite.model.address import Address
from mailsuite.model.events import Event, LogGrown


def grown(number: int, account: str = "joe") -> LogGrown:
    return LogGrown(Address(account, "example.net"), number)


class SubscriberBroken(Exception):
    """Raised by a subscriber on purpose."""


class EventBusContract:
    """Mix into a SynchronousTestCase."""

    def make_bus(self) -> IEventBus:
        raise AssertionError("a subclass makes the bus")

    def settle(self) -> None:
        """Let all that was published reach the subscribers."""
        raise AssertionError("a subclass lets time pass")

    def broken_subscribers_logged(self) -> int:
        """How many failures of subscribers stand in the log."""
        raise AssertionError("a subclass knows its log")

    def setUp(self: SynchronousTestCase) -> None:
        self.bus = self.make_bus()

    def test_provides_the_interface(self: SynchronousTestCase) -> None:
        verifyObject(IEventBus, self.bus)

    def test_a_subscriber_is_told_later_and_in_order(self: SynchronousTestCase) -> None:
        heard: list[Event] = []
        self.bus.subscribe(heard.append)
        events = [grown(number) for number in range(1000)]
        for event in events:
            self.bus.publish(event)
        self.assertEqual(heard, [])
        self.settle()
        self.assertEqual(heard, events)

    def test_all_subscribers_are_told(self: SynchronousTestCase) -> None:
        first: list[Event] = []
        second: list[Event] = []
        self.bus.subscribe(first.append)
        self.bus.subscribe(second.append)
        self.bus.publish(grown(1))
        self.settle()
        self.assertEqual((first, second), ([grown(1)], [grown(1)]))

    def test_the_same_callable_may_subscribe_twice(self: SynchronousTestCase) -> None:
        heard: list[Event] = []
        tell = heard.append
        end = self.bus.subscribe(tell)
        self.bus.subscribe(tell)
        end()
        self.bus.publish(grown(1))
        self.settle()
        self.assertEqual(heard, [grown(1)])

    def test_nobody_need_listen(self: SynchronousTestCase) -> None:
        self.bus.publish(grown(1))
        self.settle()

    def test_a_broken_subscriber_harms_nobody(self: SynchronousTestCase) -> None:
        heard: list[Event] = []

        def broken(event: Event) -> None:
            raise SubscriberBroken("on purpose")

        self.bus.subscribe(broken)
        self.bus.subscribe(heard.append)
        self.bus.publish(grown(1))
        self.bus.publish(grown(2))
        self.settle()
        self.assertEqual(heard, [grown(1), grown(2)])
        self.assertEqual(self.broken_subscribers_logged(), 2)

    def test_unsubscribing_ends_it_at_once_and_any_number_of_times(self: SynchronousTestCase) -> None:
        heard: list[Event] = []
        end = self.bus.subscribe(heard.append)
        self.bus.publish(grown(1))
        self.settle()
        self.bus.publish(grown(2))
        end()
        end()
        self.settle()
        self.assertEqual(heard, [grown(1)])

    def test_a_subscriber_may_end_another_while_being_told(self: SynchronousTestCase) -> None:
        heard: list[Event] = []
        self.bus.subscribe(lambda event: end())
        end = self.bus.subscribe(heard.append)
        self.bus.publish(grown(1))
        self.settle()
        self.assertEqual(heard, [])

    def test_a_subscriber_may_publish(self: SynchronousTestCase) -> None:
        heard: list[Event] = []

        def echo(event: Event) -> None:
            heard.append(event)
            if event.head < 3:
                self.bus.publish(grown(event.head + 1))

        self.bus.subscribe(echo)
        self.bus.publish(grown(1))
        self.settle()
        self.assertEqual(heard, [grown(1), grown(2), grown(3)])
