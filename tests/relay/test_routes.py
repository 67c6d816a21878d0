"""From an address to its destination, and to the way there, by the configuration."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import attrs
import pytest

from mailsuite.config.kinds_next_hops import Place
from mailsuite.config.load import load
from mailsuite.config.secret import Secret
from mailsuite.model.address import Address
from mailsuite.model.outbound import source_of
from mailsuite.relay.routes import Hop, Login, Routes, Way, routes
from mailsuite.relay.source import Source
from mailsuite.relay.tls import Level, TlsPolicy


def by(tmp_path: Path, text: str = "") -> Routes:
    (tmp_path / "secret").touch(0o600)
    (tmp_path / "secret").write_text("amber-river\n")
    (tmp_path / "mailsuite.toml").write_text(text)
    return routes(load(tmp_path / "mailsuite.toml", {}).accepted())


def destination(ways: Routes, domain: str) -> str:
    return ways.destination_of(None, Address("ann", domain))


def hop(ways: Routes, domain: str) -> Hop:
    found = ways.hop(destination(ways, domain))
    assert found is not None
    assert found.destination == destination(ways, domain)
    return found


def test_straight_to_the_servers_of_the_domain(tmp_path: Path) -> None:
    ways = by(tmp_path, "[queue]\nport = 2525\nper_destination = 7\nfirst_retry = '1m'\n")
    assert destination(ways, "example.org") == "example.org"
    way = hop(ways, "example.org")
    assert (way.way, way.domain, way.places, way.port) == (Way.EXCHANGERS, "example.org", (), 2525)
    assert (way.protocol, way.login, way.reply) == ("smtp", None, None)
    assert (way.tls, way.per_destination, way.times.first) == (TlsPolicy(Level.MAY), 7, 60.0)


@pytest.mark.parametrize("domain", ["[192.0.2.1]", "[IPv6:2001:db8::1]", "localhost", "discard", "error"])
def test_what_is_a_destination_like_any_other(tmp_path: Path, domain: str) -> None:
    """No name that somebody may choose is the key of anything else."""
    ways = by(tmp_path, "[[relay]]\nmatch = ['x.test']\ntransport = 'discard'\n")
    assert hop(ways, domain).way is Way.EXCHANGERS
    assert hop(ways, domain).domain == domain


def test_no_domain_has_no_way(tmp_path: Path) -> None:
    ways = by(tmp_path)
    assert destination(ways, "") == ""
    assert ways.hop("") is None


def test_one_destination_for_all_that_go_by_one_server(tmp_path: Path) -> None:
    ways = by(
        tmp_path,
        "[[relay]]\nmatch = ['a.test', '*.b.test']\nhost = 'smtp.test'\nport = 465\ntls = 'implicit'\n"
        "username = 'joe'\npassword_file = 'secret'\nfallback = ['smtp2.test', '10.0.0.6:2525']\n"
        "per_destination = 3\ngive_up = '1d'\n",
    )
    assert [destination(ways, name) for name in ("a.test", "x.b.test", "b.test")] == [
        "smtp.test:465",
        "smtp.test:465",
        "b.test",
    ]
    way = hop(ways, "a.test")
    assert (way.way, way.domain, way.port, way.protocol) == (Way.PLACES, "", 465, "smtp")
    assert way.places == (Place("smtp.test"), Place("smtp2.test"), Place("10.0.0.6", 2525))
    assert way.login == Login("joe", Secret("amber-river"))
    assert (way.tls, way.per_destination) == (TlsPolicy(Level.VERIFY, implicit=True), 3)
    assert way.times.give_up == 86400.0
    assert "amber" not in repr(way)


def test_the_first_match_counts_and_what_is_off_does_not(tmp_path: Path) -> None:
    ways = by(
        tmp_path,
        "[[relay]]\nmatch = ['a.test']\nenabled = false\nhost = 'off.test'\n"
        "[[relay]]\nmatch = ['*.test']\nhost = '2001:db8::5'\n[[relay]]\nmatch = ['*']\nhost = 'last.test'\n",
    )
    assert destination(ways, "a.test") == "[2001:db8::5]:25"
    assert destination(ways, "example.org") == "last.test:25"
    assert hop(ways, "[192.0.2.1]").places == (Place("last.test"),)


def test_two_ways_to_one_server(tmp_path: Path) -> None:
    """What is the same shares its sessions, what is not has a key of its own."""
    block = "[[relay]]\nmatch = ['{}.test']\nhost = '10.0.0.5'\n"
    ways = by(
        tmp_path,
        block.format("a") + block.format("b") + "tls = 'off'\n" + block.format("c") + block.format("d")
        + "tls = 'off'\n" + block.format("e") + "tls = 'required-starttls'\n",
    )  # fmt: skip
    keys = [destination(ways, f"{name}.test") for name in "abcde"]
    assert keys == ["10.0.0.5:25", "10.0.0.5:25#2", "10.0.0.5:25", "10.0.0.5:25#2", "10.0.0.5:25#3"]
    levels = [hop(ways, f"{name}.test").tls.level for name in "abcde"]
    assert levels == [Level.MAY, Level.NONE, Level.MAY, Level.NONE, Level.ENCRYPT]


def test_a_block_without_host_changes_how_its_domains_are_reached(tmp_path: Path) -> None:
    ways = by(
        tmp_path,
        "[[relay]]\nmatch = ['partner.test', '*.partner.test']\ntls = 'required-starttls'\nverify = true\n"
        "port = 2525\nretry_fixed = '10m'\nfallback = ['backup.test']\nper_destination = 1\n",
    )
    way = hop(ways, "a.partner.test")
    assert (way.destination, way.way, way.domain) == ("a.partner.test", Way.EXCHANGERS, "a.partner.test")
    assert (way.port, way.places, way.per_destination) == (2525, (Place("backup.test"),), 1)
    assert (way.tls.level, way.times.fixed) == (Level.VERIFY, 600.0)
    assert hop(ways, "example.org").tls.level is Level.MAY


def test_the_servers_of_another_domain(tmp_path: Path) -> None:
    ways = by(tmp_path, "[[relay]]\nmatch = ['*']\nhost = 'provider.test'\nmx = true\nport = 26\n")
    way = hop(ways, "example.org")
    assert (way.destination, way.way, way.domain, way.port) == (
        "mx:provider.test:26",
        Way.EXCHANGERS,
        "provider.test",
        26,
    )
    assert destination(ways, "provider.test") == "mx:provider.test:26"


@pytest.mark.parametrize(("more", "port"), [("", 24), ("port = 2424\n", 2424)])
def test_lmtp(tmp_path: Path, more: str, port: int) -> None:
    ways = by(tmp_path, f"[[relay]]\nmatch = ['a.test']\ntransport = 'lmtp'\nhost = '127.0.0.1'\n{more}")
    way = hop(ways, "a.test")
    assert (way.destination, way.protocol, way.port) == (f"lmtp:127.0.0.1:{port}", "lmtp", port)


@pytest.mark.parametrize(
    ("transport", "code", "enhanced", "text"),
    [
        ("error:Gone away", 550, "5.7.1", "Gone away"),
        ("error:5.1.6 Gone away", 550, "5.1.6", "Gone away"),
        ("error:4.3.2 Come back", 450, "4.3.2", "Come back"),
    ],
)
def test_an_error(tmp_path: Path, transport: str, code: int, enhanced: str, text: str) -> None:
    way = hop(by(tmp_path, f"[[relay]]\nmatch = ['a.test']\ntransport = '{transport}'\n"), "a.test")
    assert (way.destination, way.way) == ("(error)", Way.ERROR)
    assert way.reply is not None
    assert (way.reply.code, way.reply.enhanced, way.reply.text) == (code, enhanced, (text,))


def test_two_errors_are_two_destinations(tmp_path: Path) -> None:
    ways = by(
        tmp_path,
        "[[relay]]\nmatch = ['a.test']\ntransport = 'error:a'\n"
        "[[relay]]\nmatch = ['b.test']\ntransport = 'error:b'\n"
        "[[relay]]\nmatch = ['c.test']\ntransport = 'discard'\n",
    )
    assert [destination(ways, f"{name}.test") for name in "abc"] == ["(error)", "(error)#2", "(discard)"]
    assert hop(ways, "c.test").way is Way.DISCARD


@pytest.mark.parametrize(
    "key", ["smtp.old.test:465", "10.0.0.5:25#2", "lmtp:10.0.0.5:24", "(error)#7", "[::1]:25"]
)
def test_a_way_that_there_is_no_more(tmp_path: Path, key: str) -> None:
    assert by(tmp_path).hop(key) is None


def test_a_domain_that_has_another_way_now(tmp_path: Path) -> None:
    """What was put into the queue before the configuration changed goes by the new one."""
    way = by(tmp_path, "[[relay]]\nmatch = ['*']\nhost = 'smtp.test'\n").hop("example.org")
    assert way is not None
    assert way.destination == "smtp.test:25"


@pytest.mark.parametrize(
    ("default", "block", "policy"),
    [
        ("may", "", TlsPolicy(Level.MAY)),
        ("none", "", TlsPolicy(Level.NONE)),
        ("encrypt", "", TlsPolicy(Level.ENCRYPT)),
        ("verify", "", TlsPolicy(Level.VERIFY)),
        ("verify", "tls = 'off'\n", TlsPolicy(Level.NONE)),
        ("verify", "tls = 'starttls'\n", TlsPolicy(Level.MAY)),
        ("verify", "tls = 'required-starttls'\n", TlsPolicy(Level.VERIFY)),
        ("verify", "verify = false\n", TlsPolicy(Level.ENCRYPT)),
        ("may", "verify = false\n", TlsPolicy(Level.MAY)),
        ("may", "verify = true\n", TlsPolicy(Level.VERIFY)),
        ("may", "tls = 'required-starttls'\n", TlsPolicy(Level.ENCRYPT)),
        ("may", "tls = 'implicit'\n", TlsPolicy(Level.ENCRYPT, implicit=True)),
        ("may", "tls = 'implicit'\nverify = true\n", TlsPolicy(Level.VERIFY, implicit=True)),
        ("none", "username = 'joe'\npassword_file = 'secret'\n", TlsPolicy(Level.VERIFY)),
        ("may", "username = 'joe'\npassword_file = 'secret'\nverify = false\n", TlsPolicy(Level.ENCRYPT)),
    ],
)
def test_which_tls(tmp_path: Path, default: str, block: str, policy: TlsPolicy) -> None:
    text = f"[queue.tls]\ndefault = '{default}'\n[[relay]]\nmatch = ['a.test']\nhost = 'smtp.test'\n{block}"
    assert hop(by(tmp_path, text), "a.test").tls == policy


def test_who_must_have_signed(tmp_path: Path) -> None:
    text = "[[relay]]\nmatch = ['a.test']\nhost = 'smtp.test'\nverify = true\nca_file = 'secret'\n"
    assert hop(by(tmp_path, text), "a.test").tls.ca_file == tmp_path / "secret"


def test_where_connections_come_from(tmp_path: Path) -> None:
    ways = by(
        tmp_path,
        "[queue]\nsource_address = ['192.0.2.10', '2001:db8::10']\n"
        "[[domain]]\nname = 'four.test'\nip_version = '4'\n"
        "[[domain]]\nname = 'own.test'\nsource_address = '192.0.2.11'\n[[domain]]\nname = 'example.net'\n",
    )
    usual = Source((ip_address("192.0.2.10"), ip_address("2001:db8::10")))
    assert ways.source(None) == ways.source(Address("joe", "example.net")) == usual
    assert ways.source(Address("joe", "four.test")) == attrs.evolve(usual, version="4")
    assert ways.source(Address("joe", "own.test")) == Source((ip_address("192.0.2.11"),))


def test_each_source_has_destinations_of_its_own(tmp_path: Path) -> None:
    ways = by(
        tmp_path,
        "[queue]\nsource_address = '192.0.2.10'\n"
        "[[domain]]\nname = 'same.test'\nsource_address = '192.0.2.10'\n"
        "[[domain]]\nname = 'four.test'\nip_version = '4'\n"
        "[[domain]]\nname = 'six.test'\nip_version = '6'\n"
        "[[domain]]\nname = 'any.test'\nsource_address = []\n"
        "[[domain]]\nname = 'own.test'\nsource_address = '192.0.2.11'\n"
        "[[domain]]\nname = 'two.test'\nsource_address = ['2001:db8::11', '192.0.2.11']\n"
        "[[relay]]\nmatch = ['a.test']\nhost = 'smtp.test'\n"
        "[[relay]]\nmatch = ['gone.test']\ntransport = 'discard'\n"
        "[[relay]]\nmatch = ['never.test']\ntransport = 'error:5.1.6 They have moved'\n"
        "[[relay]]\nmatch = ['mx.test']\nhost = 'b.test'\nmx = true\n",
    )

    def key(sender: str, to: str) -> str:
        return ways.destination_of(Address("joe", sender), Address("ann", to))

    assert [key("example.net", to) for to in ("x.test", "a.test")] == ["x.test", "smtp.test:25"]
    assert key("same.test", "x.test") == "x.test"
    assert key("own.test", "x.test") == "x.test from 192.0.2.11"
    assert key("four.test", "x.test") == "x.test from 192.0.2.10 by IPv4"
    assert key("six.test", "x.test") == "x.test from any address by IPv6"
    assert key("any.test", "x.test") == "x.test from any address"
    assert key("two.test", "a.test") == "smtp.test:25 from 192.0.2.11, 2001:db8::11"
    assert key("own.test", "mx.test") == "mx:b.test:25 from 192.0.2.11"
    assert [key("own.test", to) for to in ("gone.test", "never.test")] == ["(discard)", "(error)"]
    assert key("own.test", "[192.0.2.1]") == "[192.0.2.1] from 192.0.2.11"
    for to in ("x.test", "a.test", "mx.test", "[192.0.2.1]"):
        for sender in ("own.test", "four.test", "six.test"):
            assert ways.hop(key(sender, to)) == ways.hop(key("example.net", to)) is not None
    assert ways.hop("smtp.gone.test:25 from 192.0.2.11") is None
    assert source_of(key("own.test", "x.test")) == "192.0.2.11"
    assert source_of(key("same.test", "x.test")) == ""


def test_a_source() -> None:
    four, six = ip_address("192.0.2.10"), ip_address("2001:db8::10")
    there, there_six = ip_address("198.51.100.1"), ip_address("2001:db8:1::1")
    both = Source((four, six))
    assert (both.towards(there), both.towards(there_six)) == ("192.0.2.10", "2001:db8::10")
    assert Source((four,)).towards(there_six) is None
    assert (both.only, Source(version="4").only, Source(version="6").only) == (None, 4, 6)
    assert [Source(version=version).reaches(there) for version in ("any", "4", "6")] == [True, True, False]


def test_where_the_dns_names_no_server(tmp_path: Path) -> None:
    ways = by(
        tmp_path,
        "[queue]\nignore_target_hosts = ['10.0.0.0/8']\n"
        "[[relay]]\nmatch = ['a.test']\nhost = '10.0.0.5'\n"
        "[[relay]]\nmatch = ['b.test']\nhost = 'c.test'\nmx = true\n"
        "[[relay]]\nmatch = ['d.test']\nport = 26\n",
    )
    ignored = {
        name: list(map(str, hop(ways, name).ignored)) for name in ("a.test", "b.test", "d.test", "e.test")
    }
    some = ["10.0.0.0/8"]
    assert ignored == {"a.test": [], "b.test": some, "d.test": some, "e.test": some}
