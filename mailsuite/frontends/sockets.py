"""Listening sockets: on one address, on every address, on those that an interface has, and on those that
are not there yet."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, ip_address
from typing import Any

import attrs
import ifaddr
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IDelayedCall, IListeningPort
from twisted.internet.protocol import Factory
from zope.interface import implementer

from mailsuite.observe.log import Log

BACKLOG = 1024
"""Connections that may wait to be accepted; the kernel takes net.core.somaxconn where that is less. A
client whose connection finds no room is told nothing, and waits for a greeting that never comes."""
LOOK_AGAIN = 5.0
"""Seconds until an address that is not there is tried again."""
_NOT_THERE = {errno.EADDRNOTAVAIL, errno.ENODEV}
_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


def is_address(text: str) -> bool:
    """Whether it is an IP address; an interface otherwise."""
    try:
        IPv4Address(text)
    except AddressValueError:
        return ":" in text
    return True


def addresses_of(interface: str) -> tuple[str, ...]:
    """The addresses that an interface has now, those of its aliases (``eth0:1``) included.

    Without those that are link-local: no name of a mail server leads to one. Raises OSError where there is
    no such interface.
    """
    adapters = [each for each in ifaddr.get_adapters() if each.name.partition(":")[0] == interface]
    if not adapters and interface not in {name for _, name in socket.if_nameindex()}:
        raise OSError(errno.ENODEV, "there is no such interface", interface)
    found = (
        each.ip if isinstance(each.ip, str) else each.ip[0] for adapter in adapters for each in adapter.ips
    )
    return tuple(dict.fromkeys(each for each in found if not ip_address(each).is_link_local))


def open_address(
    reactor: Any, address: str, port: int, factory: Factory, v6only: bool = False
) -> IListeningPort:
    """Listen on one address; ``::`` takes IPv4 too unless *v6only*. Raises CannotListenError, OSError."""
    if v6only and address == "::":
        return _open_v6only(reactor, port, factory)
    listening: IListeningPort = reactor.listenTCP(port, factory, BACKLOG, interface=address)
    return listening


def open_every(reactor: Any, port: int, factory: Factory) -> IListeningPort:
    """Listen on every address, also where the system has no IPv6. Raises CannotListenError."""
    try:
        return open_address(reactor, "::", port, factory)
    except CannotListenError as error:
        if errno_of(error) not in _NO_IPV6:
            raise
    return open_address(reactor, "0.0.0.0", port, factory)  # noqa: S104 - the administrator asked for it


def _open_v6only(reactor: Any, port: int, factory: Factory) -> IListeningPort:
    """A socket of our own, for Twisted has no word for this."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as own:
        own.setblocking(False)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            own.bind(("::", port))
            own.listen(BACKLOG)
        except OSError as error:
            raise CannotListenError("::", port, error) from error
        listening: IListeningPort = reactor.adoptStreamPort(own.fileno(), socket.AF_INET6, factory)
        return listening


@implementer(IAddress)
@attrs.frozen
class Hosts:
    """What several sockets listen on, and what is waited for."""

    open: tuple[Any, ...]
    waiting: tuple[str, ...] = ()


@implementer(IListeningPort)
@attrs.define(eq=False)
class Sockets:
    """A socket on each address that *look* finds, as if they were one.

    Where it is to *wait*, an address that is not there is tried again until it is, and those that an
    interface gets and loses are followed; the others serve meanwhile.
    """

    reactor: Any
    look: Callable[[], Sequence[str]]
    """The addresses; raises OSError where there is nothing that has any."""
    name: str
    """As in the configuration: an address or an interface."""
    port: int
    factory: Factory
    wait: bool
    log: Log
    v6only: bool = False
    _open: dict[str, IListeningPort] = attrs.field(factory=dict, init=False)
    _waiting: dict[str, str] = attrs.field(factory=dict, init=False)
    """Why an address, or the interface, is waited for."""
    _closing: list[Deferred[Any]] = attrs.field(factory=list, init=False)
    _timer: IDelayedCall | None = attrs.field(default=None, init=False)

    def startListening(self) -> None:
        """Open what is there. Raises CannotListenError, OSError where that fails and waiting would not help;
        then nothing is open."""
        failures = self._follow()
        for error in failures.values():
            if not (self.wait and errno_of(error) in _NOT_THERE):
                self._close(list(self._open))
                raise error
        if self.wait:
            self._tell(failures)
            self._timer = self.reactor.callLater(LOOK_AGAIN, self._look_again)

    def stopListening(self) -> Deferred[Any]:
        """Fires when all are closed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._close(list(self._open))
        closing, self._closing = self._closing, []
        return gatherResults(closing, consumeErrors=True)

    def getHost(self) -> Hosts:
        return Hosts(tuple(each.getHost() for each in self._open.values()), tuple(self._waiting))

    def _look_again(self) -> None:
        self._timer = self.reactor.callLater(LOOK_AGAIN, self._look_again)
        before = set(self._open)
        self._closing = [each for each in self._closing if not each.called]
        self._tell(self._follow())
        for address in self._open:
            if address not in before:
                self.log.info("listener.came", at=f"{address} port {self.port}")
        for address in before - set(self._open):
            self.log.info("listener.left", at=f"{address} port {self.port}")

    def _follow(self) -> dict[str, Exception]:
        """Open what has come and close what has gone; answer what could not be opened, and why."""
        failures: dict[str, Exception] = {}
        try:
            addresses = tuple(self.look())
        except OSError as error:
            addresses, failures[self.name] = (), error
        else:
            if not addresses:
                failures[self.name] = OSError(errno.EADDRNOTAVAIL, "it has no address", self.name)
        self._close([each for each in self._open if each not in addresses])
        for address in addresses:
            if address not in self._open:
                try:
                    self._open[address] = self._open_address(address)
                except (CannotListenError, OSError) as error:
                    failures[address] = error
        return failures

    def _open_address(self, address: str) -> IListeningPort:
        return open_address(self.reactor, address, self.port, self.factory, self.v6only)

    def _close(self, addresses: Iterable[str]) -> None:
        self._closing += [maybeDeferred(self._open.pop(each).stopListening) for each in addresses]

    def _tell(self, failures: Mapping[str, Exception]) -> None:
        """Log what is waited for, once for each reason."""
        before, self._waiting = self._waiting, {each: reason_of(error) for each, error in failures.items()}
        for each, reason in self._waiting.items():
            if before.get(each) != reason:
                self.log.warning("listener.waits", at=f"{each} port {self.port}", reason=reason)


def errno_of(error: Exception) -> int | None:
    """The system's number for why a socket could not be opened."""
    number = getattr(getattr(error, "socketError", None) or error, "errno", None)
    return number if isinstance(number, int) and number > 0 else None


def reason_of(error: Exception) -> str:
    """The same in the system's words."""
    number = errno_of(error)
    return os.strerror(number) if number else str(getattr(error, "socketError", None) or error)
