"""A desktop session without a desktop: a bus of its own, and who answers for pop-ups there."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
from jeepney import HeaderFields, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection

from tests.interop.programs import PATIENCE, SEARCH_PATH

NAME = "org.freedesktop.Notifications"


@contextlib.contextmanager
def session_bus(directory: str) -> Iterator[str]:
    """Its address, as DBUS_SESSION_BUS_ADDRESS has it; for as long as the block runs."""
    command = ("dbus-run-session", "--", "sh", "-c", 'echo "$DBUS_SESSION_BUS_ADDRESS"; cat')
    environment = {"PATH": SEARCH_PATH, "HOME": directory, "XDG_RUNTIME_DIR": directory}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        try:
            yield session.stdout.readline().strip()
        finally:
            session.stdin.close()
            session.wait(PATIENCE)


@attrs.define
class Notifications:
    """Answers for org.freedesktop.Notifications, and keeps each call."""

    capabilities: Sequence[str]
    calls: queue.Queue[tuple[str, tuple[Any, ...]]] = attrs.field(factory=queue.Queue)
    broken: bool = False
    """Every pop-up is refused."""
    _shown: int = 0

    def next(self) -> tuple[str, tuple[Any, ...]]:
        """The next call that is no question."""
        return self.calls.get(timeout=PATIENCE)

    def serve(self, connection: DBusConnection) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                message = connection.receive()
                if message.header.message_type is MessageType.method_call:
                    self._answer(connection, message)

    def _answer(self, connection: DBusConnection, message: Any) -> None:
        member = message.header.fields[HeaderFields.member]
        if member == "GetCapabilities":
            reply = new_method_return(message, "as", (list(self.capabilities),))
        elif self.broken:
            reply = new_error(message, "org.freedesktop.Notifications.Error.ExcessNotificationGeneration")
        elif member == "Notify":
            self._shown += 1
            reply = new_method_return(message, "u", (self._shown,))
        elif member == "GetServerInformation":
            reply = new_method_return(message, "ssss", ("stub", "tests", "1", "1.2"))
        else:
            reply = new_method_return(message)
        connection.send(reply)
        if member not in {"GetCapabilities", "GetServerInformation"}:
            self.calls.put((member, message.body))


@contextlib.contextmanager
def notifications(address: str, *capabilities: str) -> Iterator[Notifications]:
    """The stub, on the bus at *address*."""
    stub = Notifications(capabilities)
    connection = open_dbus_connection(address)
    (granted,) = connection.send_and_get_reply(message_bus.RequestName(NAME)).body
    assert granted == 1
    serving = threading.Thread(target=stub.serve, args=(connection,), daemon=True)
    serving.start()
    try:
        yield stub
    finally:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(2)
        serving.join(PATIENCE)
        connection.close()
