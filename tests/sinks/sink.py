"""An SMTP or LMTP server that takes mail for anybody, or fails in every way that a script says."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType

import attrs

from tests.sinks.offer import Offer, keep_names
from tests.sinks.record import PATIENCE, Record
from tests.sinks.script import Plan, Point, Script
from tests.sinks.session import Dialogue
from tests.sinks.wire import Wire

BACKLOG = 256
ATTEMPTS = 50


def _script(given: Script | Mapping[Point, Plan]) -> Script:
    return given if isinstance(given, Script) else Script(given)


@attrs.define(eq=False)
class Sink:
    """Listens on a port of each of its addresses, as long as it is entered; each session has a thread."""

    script: Script = attrs.field(factory=lambda: Script({}), converter=_script)
    """A table will do. ``sink.script.table = {...}`` is another one from the next point on."""
    offer: Offer = attrs.field(factory=Offer)
    addresses: tuple[str, ...] = ("127.0.0.1",)
    record: Record = attrs.field(factory=Record)
    port: int = 0
    """0: the kernel chooses one, the same for all addresses."""
    _listening: list[socket.socket] = attrs.field(factory=list, init=False)
    _threads: list[threading.Thread] = attrs.field(factory=list, init=False)
    _dialogues: set[Dialogue] = attrs.field(factory=set, init=False)
    _guard: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _stopped: bool = attrs.field(default=False, init=False)

    def __enter__(self) -> Sink:
        if self.offer.tls:
            keep_names(self.offer.tls)
        if not self._listening:
            self.port, self._listening = bound(self.addresses, self.port)
        self._stopped = False
        for listening in self._listening:
            listening.listen(BACKLOG)
            self._start(self._accept, listening)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End all sessions at once, and listen no more. It can be entered again; it keeps its port."""
        with self._guard:
            self._stopped = True
            dialogues = [*self._dialogues]
        for listening in self._listening:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
        self._listening = []
        deadline = time.monotonic() + PATIENCE
        while self._threads:
            for dialogue in dialogues:  # again: while TLS begins a socket changes hands
                dialogue.shut()
            self._threads[-1].join(0.1)
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            assert time.monotonic() < deadline, "a session of the sink does not end"

    def _start(self, call: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=call, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)  # after its start, for whoever joins it

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, peer = listening.accept()
            except OSError:  # it was shut down
                return
            self._serve(connection, peer)

    def _serve(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.offer.receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.offer.receive_buffer)
        session = self.record.begin(peer[0], peer[1], connection.getsockname()[0])
        dialogue = Dialogue(Wire(connection), session, self.record, self.offer, self.script)
        with self._guard:
            self._dialogues.add(dialogue)
            if self._stopped:
                dialogue.shut()
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._start(self._run, dialogue)

    def _run(self, dialogue: Dialogue) -> None:
        try:
            dialogue.run()
        finally:
            with self._guard:
                self._dialogues.discard(dialogue)


def bound(addresses: tuple[str, ...], port: int = 0) -> tuple[int, list[socket.socket]]:
    """A socket for each address, all on one port. Raises OSError."""
    for _ in range(ATTEMPTS):
        sockets: list[socket.socket] = []
        found = port
        try:
            for address in addresses:
                sockets.append(_bound(address, found))
                found = sockets[-1].getsockname()[1]
        except OSError:
            for each in sockets:
                each.close()
            if port:
                raise
        else:
            return found, sockets
    raise OSError("no port is free on all addresses")


def _bound(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
    except BaseException:
        made.close()
        raise
    return made


@contextlib.contextmanager
def on_one_port(*sinks: Sink) -> Iterator[int]:
    """Several sinks on one port, each on addresses of its own; the port. As if it were 25."""
    port, sockets = bound(tuple(address for sink in sinks for address in sink.addresses))
    with contextlib.ExitStack() as stack:
        for sink in sinks:
            count = len(sink.addresses)
            sink.port, sink._listening, sockets = port, sockets[:count], sockets[count:]
            stack.enter_context(sink)
        yield port


@contextlib.contextmanager
def never_answering(address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port where a connection is never made, nor refused: what is sent there is lost. The port."""
    port, [listening] = bound((address,), port)
    with contextlib.ExitStack() as stack:
        stack.enter_context(listening)
        listening.listen(0)
        for _ in range(3):  # until nobody has room there
            caller = stack.enter_context(socket.socket(listening.family))
            caller.setblocking(False)
            caller.connect_ex((address, port))
        yield port
