"""``mailsuite notify listen``: the RFC 4146 receiver as a program."""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Any, cast

import attrs
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    AdoptedStreamServerEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
)
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint

from mailsuite.client.command import CommandRunner
from mailsuite.client.receiver import Receiver
from mailsuite.model.account import IPAddress

NO_RIGHT = """\
no right to listen on port {port}: ports below 1024 are the administrator's.
Either choose another one:     mailsuite notify listen --port 1079
  (and give your account that port; the server must allow it in notify.notifymail.ports)
or let systemd open it:        a socket unit with ListenStream={port} for a service that runs
  "mailsuite notify listen" as you; the program takes the socket over by itself"""
IN_USE = "{place} is in use, by a finger daemon or another listener; choose another port with --port"
NO_SUCH_ADDRESS = "this machine has no address {address}; see --bind"


@attrs.frozen
class Wishes:
    """What the command line asks for."""

    address: IPAddress
    port: int
    command: Sequence[str] = ()
    """Program and arguments to run at a knock; empty: print a line instead."""
    as_json: bool = False
    once: bool = False
    inherited: tuple[int, ...] = ()
    """Descriptors of listening sockets that were handed over; they replace address and port."""


@attrs.define(eq=False)
class ListenProgram:
    """Listens until stopped, or with ``once`` until the first knock was dealt with.

    *say* takes lines for standard output, *complain* those for standard error.
    """

    reactor: Any
    wishes: Wishes
    say: Callable[[str], None]
    complain: Callable[[str], None]
    now: Callable[[], datetime]
    _done: Deferred[None] = attrs.field(factory=Deferred, init=False)
    _ports: list[IListeningPort] = attrs.field(factory=list, init=False)
    _receiver: Receiver = attrs.field(init=False)
    _runner: CommandRunner = attrs.field(init=False)

    @_receiver.default
    def _make_receiver(self) -> Receiver:
        return Receiver(self.reactor, self._knocked)

    @_runner.default
    def _make_runner(self) -> CommandRunner:
        return CommandRunner(self.reactor, self.reactor, self.wishes.command, self._command_ended)

    async def run(self) -> None:
        """Return when done; SystemExit(1) where listening is impossible or the one command failed."""
        self.reactor.addSystemEventTrigger("before", "shutdown", self._shut_down)
        try:
            for endpoint in self._endpoints():
                self._ports.append(await endpoint.listen(self._receiver))
        except CannotListenError as error:
            self.complain(cannot_listen(error, self.wishes))
            raise SystemExit(1) from error
        for port in self._ports:
            self._announce(port)
        await self._done

    def _endpoints(self) -> list[IStreamServerEndpoint]:
        """The sockets that systemd hands over, else the wished one."""
        inherited = self.wishes.inherited
        if inherited:
            return [AdoptedStreamServerEndpoint(self.reactor, each, family_of(each)) for each in inherited]
        address, port = self.wishes.address, self.wishes.port
        kind = TCP4ServerEndpoint if address.version == 4 else TCP6ServerEndpoint
        return [kind(self.reactor, port, interface=str(address))]

    def _announce(self, port: IListeningPort) -> None:
        host = cast(IPv4Address | IPv6Address, port.getHost())
        if self.wishes.as_json:
            self._say(json.dumps({"event": "listening", "address": host.host, "port": host.port}))
        else:
            self._say(f"listening on {place(host.host, host.port)}")
        if ip_address(host.host).is_loopback:
            self.complain("only this machine can knock here; for a server elsewhere add  --bind 0.0.0.0")

    def _knocked(self, peer: str, knocks: int) -> None:
        if self._done.called:
            return
        time = self.now().isoformat(timespec="seconds")
        event = json.dumps({"event": "knock", "time": time, "peer": peer, "knocks": knocks})
        if self.wishes.command:
            self._runner.run(event + "\n")
            return
        together = "" if knocks == 1 else f" (the last of {knocks})"
        self._say(event if self.wishes.as_json else f"{time} knock from {peer}{together}")
        self._dealt_with(0)

    def _command_ended(self, status: int) -> None:
        if status:
            self.complain(f"{self.wishes.command[0]}: {_status_text(status)}")
        self._dealt_with(status)

    def _dealt_with(self, status: int) -> None:
        if self.wishes.once:
            self._finish(status)

    def _finish(self, status: int) -> None:
        if self._done.called:
            return
        if status:
            self._done.errback(SystemExit(1))
        else:
            self._done.callback(None)

    def _say(self, line: str) -> None:
        try:
            self.say(line)
        except BrokenPipeError:  # whoever read us has gone
            self._finish(1)

    def _shut_down(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        self._receiver.stop()
        for port in self._ports:
            stopped = port.stopListening()
            if stopped is not None:
                await stopped
        await self._runner.stop()


def cannot_listen(error: CannotListenError, wishes: Wishes) -> str:
    """What a person can do about it."""
    code = error.socketError.errno
    where = place(str(wishes.address), wishes.port)
    if code in {errno.EACCES, errno.EPERM}:
        return NO_RIGHT.format(port=wishes.port)
    if code == errno.EADDRINUSE:
        return IN_USE.format(place=where)
    if code == errno.EADDRNOTAVAIL:
        return NO_SUCH_ADDRESS.format(address=wishes.address)
    return f"cannot listen on {where}: {error.socketError.strerror}"


def place(host: str, port: int) -> str:
    """As people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def family_of(descriptor: int) -> socket.AddressFamily:
    """Of a socket that was handed over."""
    borrowed = socket.socket(fileno=descriptor)
    try:
        return socket.AddressFamily(borrowed.family)
    finally:
        borrowed.detach()


def _status_text(status: int) -> str:
    return f"ended by signal {-status}" if status < 0 else f"exit status {status}"
