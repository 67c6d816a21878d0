"""NotifyMail by the log and by subscriptions, with real processes: killed in between, to several listeners,
over UDP, by the rules of who may name an address."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
from collections.abc import Iterator

import pytest

from mailsuite.cli.control import Refused
from tests.system.harness import PATIENCE, Server
from tests.system.test_notify import JOE, KNOCK, Finger, letter, notify, static

NOTICES = f"/v1/accounts/{JOE}/notices"


@pytest.fixture
def fingers() -> Iterator[list[Finger]]:
    listeners = [Finger(), Finger()]
    yield listeners
    for listener in listeners:
        listener.close()


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(PATIENCE)
        yield listening


def rows(server: Server, statement: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(server.state / "notify.db")) as connection:
        return connection.execute(statement).fetchall()


def test_killed_between_the_250_and_the_knock(own_server: Server, fingers: list[Finger]) -> None:
    """The first mail is told at once, the second waits for the end of the window: there it is killed."""
    finger = fingers[0]
    static(own_server, finger, "2s")
    own_server.deliver(letter(1))
    finger.wait_for(1)
    own_server.deliver(letter(2))
    own_server.kill()
    assert finger.heard == [KNOCK]
    assert rows(own_server, "SELECT head FROM log_head") == [(2,)]
    own_server.start()
    assert finger.wait_for(2) == [KNOCK, KNOCK]
    own_server.stop()
    assert finger.heard == [KNOCK, KNOCK], "once, and not again for what was told before"
    assert rows(own_server, "SELECT acked FROM cursor") == [(2,)]


def test_subscriptions(own_server: Server, fingers: list[Finger], udp: socket.socket) -> None:
    """The account itself says nothing; its subscriptions do."""
    first, second = fingers
    udp_port = udp.getsockname()[1]
    own_server.extra = notify(first.port, more="udp = true\n").replace(
        f"ports = [{first.port}]", f"ports = [{first.port}, {second.port}, {udp_port}]"
    )
    own_server.notifymail = '{ state = "off" }'
    own_server.start()
    own_server.deliver(letter(1))
    wish = {"channel": "notifymail", "target": f"127.0.0.1:{first.port}"}
    with pytest.raises(Refused, match="was not seen at"):
        own_server.control.post(NOTICES, wish)
    with own_server.pop3(JOE) as client:
        client.stat()
    made = own_server.control.post(NOTICES, wish)["subscription"]
    assert (made["state"], made["host"]) == ("active", f"127.0.0.1:{first.port}")
    own_server.control.post(NOTICES, {"channel": "notifymail", "target": f"last-ip:{second.port}"})
    admins = {"account": JOE, "target": f"[127.0.0.1]:{udp_port}", "options": {"transport": "udp"}}
    own_server.control.post("/v1/notices", {"channel": "notifymail", **admins})
    own_server.deliver(letter(2))
    assert (first.wait_for(1), second.wait_for(1), udp.recv(100)) == ([KNOCK], [KNOCK], KNOCK)

    tried = own_server.control.post(f"{NOTICES}/subscriptions/{made['id']}/test", {})
    assert tried["attempt"]["result"] == "ok"
    assert first.wait_for(2) == [KNOCK, KNOCK]
    own_server.control.delete(f"{NOTICES}/subscriptions/{made['id']}")
    own_server.deliver(letter(3))
    assert second.wait_for(2) == [KNOCK, KNOCK]
    own_server.stop()
    assert len(first.heard) == 2
    left = rows(own_server, "SELECT subscription FROM cursor")
    assert len(left) == 2
    assert (made["id"],) not in left
