"""Sockets on the addresses of an interface, and on addresses that are not there yet."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any
from unittest import mock

import ifaddr
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.frontends.listener import Entrance, Place, each_once, listen, spell
from mailsuite.frontends.sockets import LOOK_AGAIN, Sockets, addresses_of, is_address, reason_of
from mailsuite.observe.log import Log
from tests.frontends.ports import PortsReactor

ONE, TWO = "192.0.2.1", "2001:db8::1"


class ListeningCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = PortsReactor()
        self.reactor.refuse = self.refuse
        self.absent: set[str] = set()
        self.reasons: dict[str, int] = {}
        self.addresses: list[str] = [ONE, TWO]
        self.lines: list[str] = []
        self.log = Log(lambda line, level: self.lines.append(line))

    def refuse(self, interface: str, port: int) -> None:
        """As the kernel does where it does not have an address."""
        number = errno.EADDRNOTAVAIL if interface in self.absent else self.reasons.get(interface)
        if number is not None:
            raise CannotListenError(interface, port, OSError(number, "?"))

    def look(self) -> Sequence[str]:
        if not self.addresses:
            raise OSError(errno.ENODEV, "there is no such interface", "eth9")
        return [each for each in self.addresses if each != "none"]

    def sockets(self, wait: bool = True) -> Sockets:
        return Sockets(self.reactor, self.look, "eth9", 110, Factory(), wait, self.log)

    def at(self) -> list[str]:
        self.reactor.advance(0)
        return self.reactor.at()

    def told(self, event: str) -> list[str]:
        found = [line.partition(f" {event} ")[2] for line in self.lines if f" {event} " in line]
        self.lines = [line for line in self.lines if f" {event} " not in line]
        return found

    def later(self) -> None:
        self.reactor.advance(LOOK_AGAIN)


class InterfaceTests(ListeningCase):
    def test_each_address_has_a_socket(self) -> None:
        sockets = self.sockets(wait=False)
        verifyObject(IListeningPort, sockets)
        sockets.startListening()
        self.assertEqual(self.at(), [f"{ONE} 110", f"{TWO} 110"])
        self.assertEqual(spell(sockets.getHost()), f"{ONE}:110 [{TWO}]:110")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_one_address_that_fails_is_the_failure_of_all(self) -> None:
        for number in (errno.EADDRNOTAVAIL, errno.EADDRINUSE):
            self.reasons[TWO] = number
            with self.assertRaises(CannotListenError) as caught:
                self.sockets(wait=False).startListening()
            self.assertEqual(caught.exception.socketError.errno, number)
            self.assertEqual(self.at(), [])

    def test_no_such_interface_and_one_without_an_address(self) -> None:
        for addresses, reason in (([], "No such device"), (["none"], "Cannot assign requested address")):
            self.addresses = addresses
            with self.assertRaises(OSError) as caught:
                self.sockets(wait=False).startListening()
            self.assertEqual(reason_of(caught.exception), reason)

    def test_all_are_closed_together(self) -> None:
        sockets = self.sockets()
        sockets.startListening()
        closed = sockets.stopListening()
        self.assertEqual(self.reactor.at(), [])
        self.assertNoResult(closed)
        self.reactor.advance(0)
        self.successResultOf(closed)
        self.assertEqual((self.reactor.ports, self.reactor.getDelayedCalls()), ([], []))


class WaitingTests(ListeningCase):
    def test_one_that_comes_later(self) -> None:
        self.absent = {TWO}
        sockets = self.sockets()
        sockets.startListening()
        self.assertEqual(self.at(), [f"{ONE} 110"])
        self.assertEqual(spell(sockets.getHost()), f"{ONE}:110 {TWO} (not there yet)")
        for _ in range(5):
            self.later()
        reason = 'reason="Cannot assign requested address"'
        self.assertEqual(self.told("listener.waits"), [f'at="{TWO} port 110" {reason}'])
        self.absent = set()
        self.later()
        self.assertEqual(self.at(), [f"{ONE} 110", f"{TWO} 110"])
        self.assertEqual(self.told("listener.came"), [f'at="{TWO} port 110"'])
        self.assertEqual(spell(sockets.getHost()), f"{ONE}:110 [{TWO}]:110")
        self.later()
        self.assertEqual(self.lines, [])

    def test_an_interface_that_comes_later_and_then_gets_its_address(self) -> None:
        self.addresses = []
        sockets = self.sockets()
        sockets.startListening()
        self.assertEqual(spell(sockets.getHost()), "eth9 (not there yet)")
        self.addresses = ["none"]
        self.later()
        self.addresses = [ONE]
        self.later()
        reasons = [each.partition("reason=")[2] for each in self.told("listener.waits")]
        self.assertEqual(reasons, ['"No such device"', '"Cannot assign requested address"'])
        self.assertEqual(self.at(), [f"{ONE} 110"])

    def test_an_interface_that_changes_its_address(self) -> None:
        sockets = self.sockets()
        sockets.startListening()
        self.addresses = ["192.0.2.9", TWO]
        self.later()
        self.assertEqual(self.at(), ["192.0.2.9 110", f"{TWO} 110"])
        self.assertEqual(self.told("listener.left"), [f'at="{ONE} port 110"'])
        self.addresses = [ONE, TWO]
        self.later()
        self.assertEqual(self.at(), [f"{ONE} 110", f"{TWO} 110"])
        self.successResultOf(self.stop(sockets))

    def stop(self, sockets: Sockets) -> Deferred[Any]:
        closed = sockets.stopListening()
        self.reactor.advance(0)
        return closed

    def test_what_waiting_does_not_help_is_an_error_at_the_start(self) -> None:
        self.absent, self.reasons = {ONE}, {TWO: errno.EACCES}
        with self.assertRaises(CannotListenError):
            self.sockets().startListening()
        self.assertEqual((self.at(), self.reactor.getDelayedCalls()), ([], []))

    def test_and_a_reason_to_go_on_waiting_later(self) -> None:
        """The right to a low port may be gone by then; it is told, and the others serve."""
        self.absent = {TWO}
        sockets = self.sockets()
        sockets.startListening()
        self.told("listener.waits")
        self.absent, self.reasons = set(), {TWO: errno.EACCES}
        self.later()
        self.later()
        self.assertEqual(self.told("listener.waits"), [f'at="{TWO} port 110" reason="Permission denied"'])
        self.reasons = {}
        self.later()
        self.assertEqual(self.at(), [f"{ONE} 110", f"{TWO} 110"])

    def test_nothing_is_opened_after_the_end(self) -> None:
        self.absent = {TWO}
        sockets = self.sockets()
        sockets.startListening()
        self.successResultOf(self.stop(sockets))
        self.absent = set()
        self.later()
        self.assertEqual(self.at(), [])


class PlaceTests(ListeningCase):
    def listen(self, place: Place) -> Any:
        return self.successResultOf(
            Deferred.fromCoroutine(listen(self.reactor, place, Entrance(self.reactor, self.log), self.log))
        )

    def test_an_address(self) -> None:
        self.assertEqual(spell(self.listen(Place(ONE, 110)).getHost()), f"{ONE}:110")
        failing = listen(self.reactor, Place(ONE, 110), Entrance(self.reactor, self.log), self.log)
        self.failureResultOf(Deferred.fromCoroutine(failing), CannotListenError)

    def test_an_address_that_is_waited_for(self) -> None:
        self.absent = {ONE}
        port = self.listen(Place(ONE, 110, wait=True))
        self.assertEqual(spell(port.getHost()), f"{ONE} (not there yet)")
        self.absent = set()
        self.later()
        self.assertEqual((self.at(), spell(port.getHost())), ([f"{ONE} 110"], f"{ONE}:110"))

    def test_the_interface_of_this_machine_itself(self) -> None:
        self.listen(Place("lo", 110))
        self.assertIn("127.0.0.1 110", self.at())

    def test_an_interface_that_nobody_has(self) -> None:
        failing = listen(self.reactor, Place("nothing0", 110), Entrance(self.reactor, self.log), self.log)
        failure = self.failureResultOf(Deferred.fromCoroutine(failing), OSError)
        self.assertEqual(failure.value.errno, errno.ENODEV)

    def test_whether_it_waits_makes_it_no_other_place(self) -> None:
        self.assertEqual(Place(ONE, 110, wait=True), Place(ONE, 110))
        self.assertNotEqual(Place("::", 110, v6only=True), Place("::", 110))

    def test_both_unspecified_addresses(self) -> None:
        self.assertEqual(each_once(("::", "0.0.0.0")), ("*",))
        self.assertEqual(each_once(("::", "0.0.0.0", "::"), v6only=True), ("::", "0.0.0.0"))


class MachineTests(SynchronousTestCase):
    def adapters(self, *found: tuple[str, Any]) -> None:
        """What the system answers."""
        adapters = [ifaddr.Adapter(name, name, [ifaddr.IP(ip, 24, name)]) for name, ip in found]
        patch = mock.patch.object(ifaddr, "get_adapters", return_value=adapters)
        patch.start()
        self.addCleanup(patch.stop)

    def test_addresses_and_aliases_without_those_that_need_a_zone(self) -> None:
        self.adapters(
            ("eth9", ONE),
            ("eth9", (TWO, 0, 0)),
            ("eth9", ("fe80::1", 0, 9)),
            ("eth9", "169.254.1.1"),
            ("eth9:1", "192.0.2.2"),
            ("eth9:1", ONE),
            ("eth99", "192.0.2.3"),
        )
        self.assertEqual(addresses_of("eth9"), (ONE, TWO, "192.0.2.2"))

    def test_one_without_an_address_is_there(self) -> None:
        self.adapters(("eth9", ONE))
        self.assertEqual(addresses_of("lo"), ())

    def test_one_that_is_not_there(self) -> None:
        with self.assertRaises(OSError):
            addresses_of("eth9")

    def test_what_is_an_address(self) -> None:
        for text in ("127.0.0.1", "::", "fe80::1%lo"):
            self.assertTrue(is_address(text))
        for text in ("lo", "eth0.7", "br-1", "localhost"):
            self.assertFalse(is_address(text))
