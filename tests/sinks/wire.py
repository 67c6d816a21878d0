"""The octets of a session, and the ways to make trouble with them."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from typing import NoReturn

import attrs

from tests.sinks.record import PATIENCE
from tests.sinks.script import Act, Leave, Say, Wait

READ_OCTETS = 1 << 18
MAX_LINE = 1 << 16


class Over(Exception):
    """The session is; by whom, and why."""


@attrs.define(eq=False)
class Wire:
    """A connection, with a buffer for what has come."""

    socket: socket.socket
    unread: bytes = attrs.field(default=b"", init=False)

    def shut(self) -> None:
        """End it, from any thread."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)  # of the socket below TLS

    def more(self) -> bytes:
        data = self.socket.recv(READ_OCTETS)
        if not data:
            raise Over("client")
        return data

    def line(self) -> bytes:
        """With its end."""
        while b"\n" not in self.unread:
            if len(self.unread) > MAX_LINE:
                raise Over("sink", f"a line without end: {self.unread[:80]!r}")
            self.unread += self.more()
        line, end, self.unread = self.unread.partition(b"\n")
        return line + end

    def perform(self, act: Act | None, usual: str | bytes = b"") -> int:
        while isinstance(act, Wait):
            if not act.gate.wait(PATIENCE):
                raise Over("sink")
            act = Say(act.then) if isinstance(act.then, str) else act.then
        if isinstance(act, Leave):
            self._leave(act)
        act = act or Say(usual)
        if act.pace:  # also between the octets it is heard when the client leaves
            for octet in act.octets:
                self.send(bytes([octet]))
                self._until_it_leaves(act.pace)
        else:
            self.send(act.octets)
        if act.then:
            self._leave(act.then)
        return act.code

    def _leave(self, leave: Leave) -> NoReturn:
        if leave.how == "hang":
            self._until_it_leaves(None)
        if leave.how == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Over("sink")

    def _until_it_leaves(self, seconds: float | None) -> None:
        """Read nothing until the client has left, or the sink is stopped, or so much time has passed."""
        watch = select.poll()
        watch.register(self.socket, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        if watch.poll(None if seconds is None else seconds * 1000):
            raise Over("client")

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)
