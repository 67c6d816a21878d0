"""Who gets in, over real sockets: bans, access lists and limits.

All of 127.0.0.0/8 is this machine, so a test can come from many addresses.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.system.clients import within
from tests.system.harness import AT_ONCE, LIMITS, PATIENCE, Server

BAD = "127.0.0.7"
OTHER = "127.0.0.8"
DESK = "127.0.0.9"
NOBODY_IS_SPARED = LIMITS.replace("[guard]\n", "[guard]\nnever_ban = []\nadmin_networks = []\n")
OVERSIZE = b"NOOP " + b"A" * 508


class Caller:
    """A connection from one of this machine's addresses."""

    def __init__(self, server: Server, listener: str, source: str) -> None:
        place = ("127.0.0.1", server.ports[listener])
        self.socket = socket.create_connection(place, PATIENCE, source_address=(source, 0))
        self.file = self.socket.makefile("rb")

    def line(self) -> bytes:
        """The next line; b"" at the end, also where the server was in a hurry."""
        try:
            return self.file.readline()
        except ConnectionResetError:
            return b""

    def say(self, data: bytes) -> bytes:
        with suppress(ConnectionResetError, BrokenPipeError):
            self.socket.sendall(data)
        return self.line()

    def close(self) -> None:
        self.file.close()
        self.socket.close()


class Callers:
    """Opens connections, and closes them when the test is over."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._held = ExitStack()

    def call(self, listener: str = "pop3", source: str = BAD) -> Caller:
        caller = Caller(self.server, listener, source)
        self._held.callback(caller.close)
        return caller

    def greeting(self, listener: str = "pop3", source: str = BAD) -> bytes:
        """What a new connection is told first; b"": nothing."""
        caller = self.call(listener, source)
        line = caller.line()
        caller.close()
        return line

    def gets_in(self, listener: str = "pop3", source: str = BAD) -> bool:
        return self.greeting(listener, source)[:3] in {b"+OK", b"220"}

    def close(self) -> None:
        self._held.close()


@pytest.fixture
def callers(own_server: Server) -> Iterator[Callers]:
    own_server.extra = NOBODY_IS_SPARED
    made = Callers(own_server)
    yield made
    made.close()


def soon(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until it is so."""

    def attempt() -> None:
        assert true()

    within(seconds, attempt, AssertionError)


def events(server: Server, name: str) -> list[str]:
    return [line for line in server.logged().splitlines() if f" {name} " in f"{line} "]


def banned(server: Server) -> list[str]:
    return [ban["network"] for ban in json.loads(server.cli("ban", "list", "--json"))["bans"]]


# Bans


def test_an_over_long_command_bans_everywhere_is_listed_and_can_be_lifted(
    own_server: Server, callers: Callers
) -> None:
    own_server.start()
    before = callers.call("mx")
    assert before.line().startswith(b"220 ")
    rude = callers.call()
    assert rude.line().startswith(b"+OK")
    assert rude.say(OVERSIZE).startswith(b"-ERR")
    assert rude.line() == b""
    for listener in own_server.ports:
        assert callers.greeting(listener) == b"", f"{listener} talks to {BAD}"
    assert callers.gets_in("pop3", OTHER)
    assert callers.gets_in("mx", OTHER)
    assert before.say(b"NOOP\r\n").startswith(b"250"), "sessions that were open go on"

    assert banned(own_server) == [BAD]
    assert "oversize-command" in own_server.cli("ban", "list")
    (line,) = events(own_server, "guard.banned")
    for field in (
        f"peer={BAD}",
        "service=pop3",
        "listener=pop3",
        "reason=oversize-command",
        f'first="NOOP {"A" * 27}" ',
    ):
        assert field in line
    told = own_server.cli("access", "test", BAD, status=1)
    assert told.count("oversize-command") == len(own_server.ports)

    assert "is lifted" in own_server.cli("ban", "remove", BAD)
    assert callers.gets_in("pop3")
    assert callers.gets_in("mx")
    own_server.cli("access", "test", BAD)
    assert banned(own_server) == []


def test_exactly_512_octets_never_ban(own_server: Server, callers: Callers) -> None:
    own_server.start()
    caller = callers.call()
    caller.line()
    for _ in range(3):
        assert caller.say(b"A" * 510 + b"\r\n").startswith(b"-ERR")
    unfinished = callers.call()
    unfinished.line()
    unfinished.socket.sendall(b"A" * 512)
    assert callers.gets_in(), "the server has read on, and nobody is banned"
    unfinished.close()
    assert caller.say(b"CAPA\r\n").startswith(b"+OK"), "the session lives"
    assert banned(own_server) == []


@pytest.mark.parametrize("listener", ["mx", "submission"])
def test_an_over_long_command_of_smtp_bans_too(own_server: Server, callers: Callers, listener: str) -> None:
    own_server.start()
    honest = callers.call(listener)
    honest.line()
    assert honest.say(b"NOOP " + b"a" * 505 + b"\r\n").startswith(b"250 "), "512 octets"
    assert honest.say(b"MAIL FROM:<a@example.net>" + b" " * 600 + b"\r\n")[:1] == b"5"
    assert callers.gets_in(listener)
    rude = callers.call(listener)
    rude.line()
    assert rude.say(OVERSIZE).startswith(b"500 5.5.2 ")
    assert rude.line() == b""
    for other in own_server.ports:
        assert callers.greeting(other) == b"", f"{other} talks to {BAD}"
    assert callers.gets_in(listener, OTHER)
    assert honest.say(b"NOOP\r\n").startswith(b"250"), "sessions that were open go on"
    assert banned(own_server) == [BAD]
    (line,) = events(own_server, "guard.banned")
    assert f"listener={listener}" in line
    assert f'first="NOOP {"A" * 27}" ' in line


@pytest.mark.parametrize("choice", ["close", "error"])
def test_a_ban_is_a_matter_of_choice(own_server: Server, callers: Callers, choice: str) -> None:
    own_server.extra = NOBODY_IS_SPARED.replace("[pop3]\n", f'[pop3]\non_overlong_command = "{choice}"\n')
    own_server.start()
    caller = callers.call()
    caller.line()
    assert caller.say(OVERSIZE + b"\r\n").startswith(b"-ERR")
    assert caller.say(b"CAPA\r\n").startswith(b"+OK") is (choice == "error")
    assert callers.gets_in()
    assert banned(own_server) == []


def test_who_is_exempt_is_not_banned(own_server: Server, callers: Callers) -> None:
    own_server.extra = LIMITS.replace("[guard]\n", f'[guard]\nnever_ban = ["{BAD}"]\nadmin_networks = []\n')
    own_server.start()
    for source in (BAD, OTHER):
        caller = callers.call("pop3", source)
        caller.line()
        caller.say(OVERSIZE)
    assert (callers.gets_in("pop3", BAD), callers.gets_in("pop3", OTHER)) == (True, False)
    assert "is never banned" in own_server.cli("ban", "add", BAD, status=1)


def test_a_ban_ends_by_itself(own_server: Server, callers: Callers) -> None:
    own_server.extra = NOBODY_IS_SPARED.replace("[guard]\n", '[guard]\nban = "2s"\n')
    own_server.start()
    caller = callers.call()
    caller.line()
    caller.say(OVERSIZE)
    assert not callers.gets_in()
    soon(callers.gets_in)


def test_bans_survive_a_crash_unless_they_last_until_then(own_server: Server, callers: Callers) -> None:
    own_server.start()
    own_server.cli("ban", "add", "127.0.1.0/24", "--for", "2h", "--reason", "noise")
    own_server.cli("ban", "add", OTHER, "--for", "until-restart")
    assert not callers.gets_in("pop3", "127.0.1.200")
    assert not callers.gets_in("pop3", OTHER)
    own_server.kill()
    own_server.start()
    assert banned(own_server) == ["127.0.1.0/24"]
    assert not callers.gets_in("pop3", "127.0.1.200")
    assert callers.gets_in("pop3", OTHER)


# Lists


def access(service: str, *lines: str) -> str:
    return "\n".join((f"[{service}.access]", *lines, ""))


def test_who_is_listed_is_refused_before_all_else(own_server: Server, callers: Callers) -> None:
    lists = [
        access(name, f'list = ["{BAD}", "127.0.3.0-127.0.3.9"]') for name in ("pop3", "smtp", "submission")
    ]
    own_server.extra = NOBODY_IS_SPARED + "\n".join(lists)
    own_server.start()
    for source in (BAD, "127.0.3.0", "127.0.3.9"):
        said = {listener: callers.greeting(listener, source) for listener in own_server.ports}
        for listener in ("mx", "submission"):
            assert said.pop(listener).startswith(b"554 5.7.1 ")
        assert set(said.values()) == {b""}, "on POP3 and before TLS nothing is said"
    assert callers.gets_in("pop3", "127.0.3.10")
    assert callers.gets_in("mx", OTHER)
    soon(lambda: bool(events(own_server, "connection.denied")))
    assert f"peer={BAD} reason=denied" in events(own_server, "connection.denied")[0]
    told = own_server.cli("access", "test", "127.0.3.5", "--listener", "pop3", status=1)
    assert "127.0.3.0-127.0.3.9 (pop3.access.list, entry 2)" in told


def test_a_reload_changes_the_next_connection_and_no_session(own_server: Server, callers: Callers) -> None:
    own_server.start()
    session = callers.call()
    session.line()
    own_server.extra = NOBODY_IS_SPARED + access("pop3", 'policy = "deny-all-except"', f'list = ["{OTHER}"]')
    own_server.reload()
    assert session.say(b"CAPA\r\n").startswith(b"+OK")
    assert (callers.gets_in("pop3", BAD), callers.gets_in("pop3", OTHER)) == (False, True)
    assert callers.gets_in("mx", BAD)
    own_server.extra = NOBODY_IS_SPARED
    own_server.reload()
    assert callers.gets_in("pop3", BAD)


def test_a_file_counts_when_it_changes_and_stays_while_it_is_broken(
    own_server: Server, callers: Callers, tmp_path: Path
) -> None:
    file = tmp_path / "refused.list"
    file.write_text(f"# kept by another program\n{OTHER}\n")
    own_server.extra = NOBODY_IS_SPARED + access("pop3", f'files = ["{file}"]')
    own_server.start()
    assert (callers.gets_in("pop3", BAD), callers.gets_in("pop3", OTHER)) == (True, False)
    file.write_text(f"{BAD}\n")
    soon(lambda: callers.gets_in("pop3", OTHER))
    assert not callers.gets_in("pop3", BAD)
    assert f"{BAD} ({file} line 1)" in own_server.cli("access", "test", BAD, "--listener", "pop3s", status=1)
    file.write_text("127.0.0.1/8\n")
    soon(lambda: bool(events(own_server, "access.file_kept")))
    assert f"{file}:1: 127.0.0.1/8 has host bits set" in events(own_server, "access.file_kept")[0]
    assert not callers.gets_in("pop3", BAD)
    assert f"{file}:1:" in own_server.cli("reload", status=4)
    assert not callers.gets_in("pop3", BAD)


def test_a_missing_file_keeps_the_server_from_starting(
    own_server: Server, callers: Callers, tmp_path: Path
) -> None:
    own_server.extra = NOBODY_IS_SPARED + access("pop3", f'files = ["{tmp_path}/none.list"]')
    with pytest.raises(AssertionError, match="the server did not start"):
        own_server.start()
    assert f"{tmp_path}/none.list: cannot be read: No such file" in own_server.logged()


# Limits


def full(server: Server, *lines: str) -> None:
    server.extra = NOBODY_IS_SPARED.replace("[pop3]\n", "\n".join(("[pop3]", *lines, "")))


def test_one_connection_more_than_the_service_takes(own_server: Server, callers: Callers) -> None:
    full(own_server, "max_connections = 3")
    own_server.start()
    inside = [callers.call("pop3", f"127.0.2.{number}") for number in (1, 2)]
    inside.append(callers.call("pop3-trusted", "127.0.2.3"))
    assert all(each.line().startswith(b"+OK") for each in inside)
    began = time.monotonic()
    for listener in ("pop3", "pop3-trusted"):
        beyond = callers.call(listener, "127.0.2.4")
        assert beyond.line().startswith(b"-ERR [SYS/TEMP] ")
        assert beyond.line() == b""
    assert time.monotonic() - began < AT_ONCE
    assert all(each.say(b"CAPA\r\n").startswith(b"+OK") for each in inside[:2]), "who is in stays untouched"
    inside[2].close()
    soon(lambda: callers.call("pop3", "127.0.2.4").line().startswith(b"+OK"), 1.0)
    assert callers.gets_in("mx"), "other services have limits of their own"


def test_places_are_kept_for_administrators(own_server: Server, callers: Callers) -> None:
    full(own_server, "max_connections = 2", "max_connections_per_address = 1")
    own_server.extra = own_server.extra.replace(
        "admin_networks = []", f'admin_networks = ["{DESK}"]\nadmin_reserve = 2'
    ).replace("max_connections_per_address = 0\n", "", 3)
    own_server.start()
    ordinary = [callers.call("pop3", f"127.0.2.{number}").line() for number in (1, 2, 3)]
    assert [line[:4] for line in ordinary] == [b"+OK ", b"+OK ", b"-ERR"]
    at_the_desk = [callers.call("pop3", DESK).line()[:4] for _ in range(3)]
    assert at_the_desk == [b"+OK ", b"+OK ", b"-ERR"]


def test_a_lower_limit_ends_no_session(own_server: Server, callers: Callers) -> None:
    own_server.start()
    inside = [callers.call("pop3", f"127.0.2.{number}") for number in (1, 2, 3)]
    assert all(each.line().startswith(b"+OK") for each in inside)
    full(own_server, "max_connections = 1")
    own_server.reload()
    assert all(each.say(b"CAPA\r\n").startswith(b"+OK") for each in inside)
    assert callers.call().line().startswith(b"-ERR [SYS/TEMP] ")
    full(own_server, "max_connections = 0")
    own_server.reload()
    assert callers.gets_in()
