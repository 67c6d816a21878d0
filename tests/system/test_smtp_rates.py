"""How much one address may bring, and who tries names, over sockets (features rows S-I09, S-M13, U-07).

All of 127.0.0.0/8 is this machine, so a test can come from many addresses.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

import pytest

from tests.system.clients import Client
from tests.system.harness import LIMITS, Server
from tests.system.letters import ANN, JOE, TAKEN, data, envelope, rcpt, reached
from tests.system.test_relay import session
from tests.system.test_smtp_listeners import ALWAYS, door

ONE, OTHER, PROBER, SLOW, CROWD = (f"127.0.5.{number}" for number in range(1, 6))
OK, UNKNOWN = b"250 2.1.5 ", b"550 5.1.1 "
LISTENERS = "".join(
    (
        door("messages", 'messages_per_address = "3/1h"'),
        door("recipients", 'recipients_per_address = "5/1h"'),
        door("slow", "unknown_recipients_delay = 2"),
        door("bans", "unknown_recipients_ban = 3"),
        ALWAYS,
    )
)
NOBODY_IS_SPARED = LIMITS.replace("[guard]\n", "[guard]\nnever_ban = []\nadmin_networks = []\n")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    extra = NOBODY_IS_SPARED.replace("max_connections_per_address = 0", "max_connections_per_address = 2", 1)
    with Server(tmp_path_factory.mktemp("rates"), extra, LISTENERS) as running:
        yield running
        assert [line for line in running.logged().splitlines() if " error " in line] == []


@contextlib.contextmanager
def from_address(server: Server, listener: str, peer: str) -> Iterator[Client]:
    with session(server, listener, peer, login=False) as client:
        yield client


def test_so_many_messages_of_one_address(server: Server) -> None:
    """Over all its sessions; RSET gives nothing back; others are not concerned, and no reload forgets."""
    said = []
    for _ in range(2):
        with from_address(server, "messages", ONE) as client:
            for _ in range(2):
                said.append(client.say(b"MAIL FROM:<>")[:10])
                client.say(b"RSET", b"250")
    assert said == [b"250 2.1.0 "] * 3 + [b"451 4.7.1 "]
    server.control.post("/v1/reload", {"force": False, "from": None})
    with from_address(server, "messages", ONE) as client:
        client.say(b"MAIL FROM:<>", b"451 4.7.1 ")
        client.say(b"RCPT TO:<joe@example.test>", b"503 5.5.1 ")
    with from_address(server, "messages", OTHER) as client:
        client.say(b"MAIL FROM:<>", b"250")
    with from_address(server, "slow", ONE) as client:
        client.say(b"MAIL FROM:<>", b"250")


def test_so_many_recipients_of_one_address(server: Server) -> None:
    """Those that are refused anyway do not count; who was accepted gets the message."""
    with from_address(server, "recipients", ONE) as client:
        client.say(b"MAIL FROM:<>", b"250")
        names = [f"ann+{number}@example.test" for number in range(7)]
        assert rcpt(client, "nobody@example.test", *names) == [UNKNOWN, *[OK] * 5, *[b"450 4.7.1 "] * 2]
        assert data(client, b"Subject: up to a rate\r\n\r\n").startswith(TAKEN)
    assert reached(server, b"Subject: up to a rate") == {ANN: 1}
    with from_address(server, "recipients", OTHER) as client:
        envelope(client, JOE)
    told = [line for line in server.logged().splitlines() if "rate_exceeded" in line and "recipient" in line]
    assert len(told) == 1, "once in a span of time"


def test_who_tries_names(server: Server) -> None:
    """Slower answers on one listener, a ban on the other, for all doors; nobody waits for the slow one."""
    with from_address(server, "slow", SLOW) as slow:
        slow.say(b"MAIL FROM:<>", b"250")
        assert rcpt(slow, "a@example.test", "b@example.test", JOE) == [UNKNOWN, UNKNOWN, OK]
        began = time.monotonic()
        slow.send(b"RCPT TO:<c@example.test>\r\nRCPT TO:<ann@example.test>\r\n")
        for number in range(4):
            with from_address(server, "bans", PROBER) as client:
                client.say(b"MAIL FROM:<>", b"250")
                expected = b"550 5.1.1 " if number < 3 else b"421 4.7.1 "
                client.say(b"RCPT TO:<nobody%d@example.test>" % number, expected)
        for listener in ("bans", "messages", "submissions"):
            with pytest.raises((AssertionError, OSError)), from_address(server, listener, PROBER):
                pass
        assert time.monotonic() - began < 4
        bans = json.loads(server.cli("ban", "list", "--json"))["bans"]
        assert [ban["network"] for ban in bans] == [PROBER]
        assert slow.reply().startswith(UNKNOWN)
        assert time.monotonic() - began > 4
        assert slow.reply().startswith(OK)
        assert data(slow, b"Subject: slowly\r\n\r\n").startswith(TAKEN)
    assert reached(server, b"Subject: slowly") == {JOE: 1, ANN: 1}


def test_so_many_sessions_of_one_address(server: Server) -> None:
    """The third is told so at once, and can come when one has gone; each service has a count of its own."""
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            last = stack.enter_context(contextlib.ExitStack())
            last.enter_context(from_address(server, "slow", CROWD))
        with pytest.raises(AssertionError), from_address(server, "recipients", CROWD):
            pass
        with from_address(server, "slow", OTHER), from_address(server, "submissions", CROWD):
            pass
        last.close()
        deadline = time.monotonic() + 5
        while True:
            try:
                with from_address(server, "recipients", CROWD):
                    break
            except AssertionError:
                assert time.monotonic() < deadline
