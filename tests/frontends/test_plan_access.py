"""Who may connect to which listener: lists, bans, limits and figures, as the configuration says."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from mailsuite.config.load import load
from mailsuite.frontends.factory import Refusal
from tests.frontends.planned import DOOR, Make, World

INSIDE, OUTSIDE = "192.0.2.1", "198.51.100.1"
LISTED = '[{service}.access]\nlist = ["198.51.100.0/24"]\n'
OTHERS_ALONE = '[metrics]\nallow = ["198.51.100.0/24"]\n'
METRICS = DOOR.format(service="metrics").replace("port = 0", "port = 9110")


def gets_in(built: World, name: str, peer: str) -> bool:
    talk = built.connect_or_none(name, peer=peer)
    return talk is not None and not isinstance(talk.session, Refusal)


class TestLists:
    def test_of_a_service(self, world: Make) -> None:
        built = world("pop3", more=LISTED.format(service="pop3"))
        assert [gets_in(built, "pop3", peer) for peer in (INSIDE, OUTSIDE)] == [True, False]
        assert any(" connection.denied " in line and "198.51.100.0/24" in line for line in built.lines)

    def test_others_are_not_concerned(self, world: Make) -> None:
        built = world("pop3", more=LISTED.format(service="smtp"))
        assert gets_in(built, "pop3", OUTSIDE)

    def test_those_listed_alone(self, world: Make) -> None:
        policy = 'policy = "deny-all-except"\n'
        built = world("pop3", more=LISTED.format(service="pop3") + policy)
        assert [gets_in(built, "pop3", peer) for peer in (INSIDE, OUTSIDE)] == [False, True]

    def test_of_one_listener(self, world: Make) -> None:
        second = DOOR.format(service="pop3").replace('"pop3"', '"second"', 1) + 'tls = "starttls"\n'
        own = 'tls = "starttls"\n[listener.access]\nlist = ["198.51.100.0/24"]'
        built = world("pop3", "", own, second)
        assert [gets_in(built, name, OUTSIDE) for name in ("pop3", "second")] == [False, True]

    @pytest.mark.parametrize(
        ("service", "door", "words"),
        [
            ("smtp", 'tls = "starttls"', "554 5.7.1 "),
            ("submission", 'tls = "required-starttls"', "554 5.7.1 "),
            ("submission", 'tls = "implicit"', ""),
            ("pop3", 'tls = "off"', ""),
        ],
    )
    def test_what_they_are_told(self, world: Make, service: str, door: str, words: str) -> None:
        """Nothing in clear where TLS comes first."""
        built = world(service, "", door, LISTED.format(service=service))
        talk = built.connect_or_none(service, peer=OUTSIDE)
        assert (talk.read()[:10] if talk is not None else "") == words

    def test_a_reload(self, world: Make) -> None:
        built = world("pop3")
        file = built.directory / "mailsuite.toml"
        before = file.read_text()
        file.write_text(before + LISTED.format(service="pop3"))
        built.plan(load(file, {}).accepted())
        assert not gets_in(built, "pop3", OUTSIDE)
        file.write_text(before)
        built.plan(load(file, {}).accepted())
        assert gets_in(built, "pop3", OUTSIDE)


class TestBans:
    @pytest.mark.parametrize("service", ["pop3", "smtp", "submission"])
    def test_they_hold_at_every_door(self, world: Make, service: str) -> None:
        built = world(service, "", 'tls = "starttls"' if service != "submission" else 'tls = "implicit"')
        built.premises.bans.ban(ip_address(OUTSIDE), "by-hand")
        assert built.connect_or_none(service, peer=OUTSIDE) is None, "not a word"
        assert gets_in(built, service, INSIDE)

    def test_how_long_they_last_may_change(self, world: Make) -> None:
        built = world("pop3", more='[guard]\nban = "1h"\n')
        first = built.premises.bans.ban(ip_address(OUTSIDE), "oversize-command")
        assert first is not None
        assert first.until == first.since + 3600.0
        file = built.directory / "mailsuite.toml"
        file.write_text(file.read_text().replace('ban = "1h"', 'ban = "2m"'))
        built.plan(load(file, {}).accepted())
        second = built.premises.bans.ban(ip_address("198.51.100.2"), "oversize-command")
        assert second is not None
        assert second.until == second.since + 120.0


class TestLimits:
    def test_administrators_have_a_reserve(self, world: Make) -> None:
        guard = '[guard]\nadmin_networks = ["198.51.100.0/24"]\nadmin_reserve = 1\n'
        section = "max_connections = 2\nmax_connections_per_address = 1"
        built = world("pop3", section, more=guard)
        peers = (INSIDE, INSIDE, "192.0.2.2", "192.0.2.3", OUTSIDE, OUTSIDE)
        assert [gets_in(built, "pop3", peer) for peer in peers] == [True, False, True, False, True, False]

    def test_a_reload_changes_the_reserve(self, world: Make) -> None:
        built = world("pop3", "max_connections = 1")
        assert [gets_in(built, "pop3", OUTSIDE) for _ in range(2)] == [True, False]
        file = built.directory / "mailsuite.toml"
        file.write_text(
            file.read_text() + '[guard]\nadmin_networks = ["198.51.100.0/24"]\nadmin_reserve = 1\n'
        )
        built.plan(load(file, {}).accepted())
        assert [gets_in(built, "pop3", OUTSIDE) for _ in range(2)] == [True, False]

    def test_who_was_turned_away_is_counted_by_why(self, world: Make) -> None:
        built = world("pop3", "max_connections = 1", more=LISTED.format(service="pop3"))
        built.premises.bans.ban(ip_address("192.0.2.9"), "by-hand")
        for peer in (INSIDE, INSIDE, OUTSIDE, "192.0.2.9"):
            gets_in(built, "pop3", peer)
        text = built.premises.metrics.text().decode()
        for reason in ("banned", "denied", "too-many"):
            line = f'{{listener="pop3",reason="{reason}",service="pop3"}} 1.0'
            assert line in text, reason


class TestFigures:
    def ask(self, built: World, path: str = "/metrics", peer: str = "127.0.0.1") -> str:
        address = IPv4Address("TCP", peer, 4000)
        channel = self.connect(built, address)
        channel.dataReceived(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer: str = channel.transport.value().decode()
        channel.connectionLost(Failure(ConnectionDone()))
        return answer

    def connect(self, built: World, address: IPv4Address) -> Any:
        channel: Any = built.listeners["metrics"].factory.buildProtocol(address)
        wire = StringTransport(peerAddress=address)
        channel.makeConnection(wire)
        channel.transport = wire
        return channel

    def test_who_asks_where(self, world: Make) -> None:
        more = '[metrics]\npath = "/figures"\nallow = ["198.51.100.0/24"]\n' + METRICS
        built = world("pop3", more=more)
        assert self.ask(built, "/figures", OUTSIDE).startswith("HTTP/1.1 200")
        assert "mailsuite_build_info" in self.ask(built, "/figures", OUTSIDE)
        assert self.ask(built, "/metrics", OUTSIDE).startswith("HTTP/1.1 404")
        assert self.ask(built, "/figures").startswith("HTTP/1.1 403")

    def test_sessions_are_counted_there(self, world: Make) -> None:
        built = world("pop3", more=METRICS)
        built.connect("pop3")
        assert 'mailsuite_sessions_open{listener="pop3",service="pop3"} 1.0' in self.ask(built)

    def test_nobody_is_given_any(self, world: Make) -> None:
        built = world("pop3", more="[metrics]\nenabled = false\n" + METRICS)
        assert list(built.listeners) == ["pop3"]

    def test_a_reload_holds_for_connections_that_stay_open(self, world: Make) -> None:
        built = world("pop3", more=METRICS)
        channel = self.connect(built, IPv4Address("TCP", "127.0.0.1", 4000))
        file = built.directory / "mailsuite.toml"
        before = file.read_text()
        for text, status in ((before + OTHERS_ALONE, 403), (before, 200)):
            file.write_text(text)
            built.plan(load(file, {}).accepted())
            channel.transport.clear()
            channel.dataReceived(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert channel.transport.value().startswith(b"HTTP/1.1 %d" % status)
        channel.connectionLost(Failure(ConnectionDone()))
