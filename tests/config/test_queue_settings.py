"""Settings of mail that leaves: read, written, refused, and what does not fit together."""

# A table reads best with one case on a line.
# ruff: noqa: E501

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from mailsuite.config.kinds_next_hops import Matches, Place, Transport
from mailsuite.config.next_hops import retry_times
from mailsuite.config.queue import RetryTimes
from mailsuite.config.values import values
from tests.config.conftest import LoadText

HOUR, DAY = 3600.0, 86400.0


def test_what_holds_where_nothing_is_said(load_text: LoadText) -> None:
    config = load_text("").accepted()
    queue = config.queue
    assert (queue.outgoing, queue.tls.default, queue.port, queue.ip_version) == ("allow", "may", 25, "any")
    assert (queue.concurrency, queue.per_destination, queue.per_source) == (100, 20, None)
    assert (queue.max_outbound, queue.source_address, queue.warn_postmaster) == (None, (), False)
    assert (queue.notices_for_bulk, queue.notice_language) == (True, "en")
    assert retry_times(queue) == RetryTimes(300.0, 4 * HOUR, None, (4 * HOUR,), 5 * DAY, 2 * DAY)
    assert list(map(str, queue.ignore_target_hosts)) == [
        "127.0.0.0/8",
        "::1/128",
        "169.254.0.0/16",
        "fe80::/10",
    ]
    assert config.relays == ()


def test_the_keys_of_the_specification(load_text: LoadText) -> None:
    """spec/mailsuite.toml, but for what a later issue brings."""
    loaded = load_text(
        "[queue]\nfirst_retry = '5m'\nmax_retry = '4h'\nwarn_sender = '4h'\ngive_up = '5d'\nconcurrency = 100\n"
        "per_destination = 20\n[queue.tls]\ndefault = 'may'\n"
        "[[relay]]\nmatch = ['partner.example']\nhost = '10.0.0.5'\nport = 25\ntls = 'required-starttls'\n"
        "[[relay]]\nmatch = ['*']\nenabled = false\nhost = 'smtp.provider.example'\nport = 465\n"
        "tls = 'implicit'\nusername = 'server-17'\npassword_file = '/etc/mailsuite/secrets/relay'\n"
    )
    assert loaded.problems == ()
    partner, provider = loaded.accepted().relays
    assert (partner.host, partner.port, partner.tls) == ("10.0.0.5", 25, "required-starttls")
    assert (provider.enabled, provider.username, provider.password.reveal()) == (False, "server-17", "")


def test_what_apple_had_can_be_said(load_text: LoadText) -> None:
    loaded = load_text(
        "[queue]\nretry_fixed = '20m'\ngive_up = '72h'\nwarn_sender = '12h'\nwarn_postmaster = true\n"
    )
    assert loaded.problems == ()
    queue = loaded.accepted().queue
    assert queue.warn_postmaster
    assert retry_times(queue) == RetryTimes(300.0, 4 * HOUR, 1200.0, (12 * HOUR,), 72 * HOUR, 2 * DAY)


@pytest.mark.parametrize(
    ("written", "ages", "shown"),
    [
        ('"4h"', (4 * HOUR,), '"4h"'),
        ('["1d", "4h", "240m"]', (4 * HOUR, DAY), '["4h", "24h"]'),
        ('"never"', (), '"never"'),
    ],
)
def test_when_senders_are_warned(
    load_text: LoadText, written: str, ages: tuple[float, ...], shown: str
) -> None:
    config = load_text(f"[queue]\nwarn_sender = {written}\n").accepted()
    assert config.queue.warn_sender == ages
    assert {one.key: one.text for one in values(config)}["queue.warn_sender"] == shown


@pytest.mark.parametrize(
    ("pattern", "domain", "covered"),
    [
        ("example.org", "example.org", True),
        ("example.org", "a.example.org", False),
        ("example.org", "notexample.org", False),
        ("*.example.org", "a.example.org", True),
        ("*.example.org", "b.a.example.org", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", ".example.org", False),
        ("*.example.org", "aexample.org", False),
        ("*", "example.org", True),
        ("*", "[192.0.2.1]", True),
    ],
)
def test_which_domains_a_pattern_covers(pattern: str, domain: str, covered: bool) -> None:
    assert Matches(("x.test", pattern)).covers(domain) is covered


@pytest.mark.parametrize(
    ("first", "later", "hidden"),
    [
        (("*",), ("example.org",), ("example.org",)),
        (("*",), ("*",), ("*",)),
        (("*",), ("*.example.org",), ("*.example.org",)),
        (("*.example.org",), ("a.example.org", "b.test"), ("a.example.org",)),
        (("*.example.org",), ("*.a.example.org",), ("*.a.example.org",)),
        (("*.example.org",), ("example.org",), ()),
        (("*.a.example.org",), ("*.example.org",), ()),
        (("example.org",), ("*.example.org",), ()),
        (("example.org",), ("*",), ()),
        (("*.example.org",), ("*",), ()),
    ],
)
def test_which_patterns_come_too_late(
    first: tuple[str, ...], later: tuple[str, ...], hidden: tuple[str, ...]
) -> None:
    assert Matches(first).takes_from(Matches(later)) == hidden


def test_a_relay_with_all_that_can_be_said(load_text: LoadText, tmp_path: Path) -> None:
    for name in ("secret", "ca.pem"):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text("amber-river\n")
    loaded = load_text(
        "[[relay]]\nmatch = ['B\u00fccher.example', '*.Example.org']\nhost = '[IPv6:2001:DB8::5]'\nport = 2525\n"
        "fallback = ['smtp2.provider.example', '10.0.0.6:2526', '[2001:db8::6]:2527', '2001:db8::7', 'b.test:25']\n"
        "tls = 'required-starttls'\nverify = true\nca_file = 'ca.pem'\nusername = 'server-17'\n"
        "password_file = 'secret'\nfirst_retry = '1m'\nmax_retry = '30m'\nwarn_sender = ['8h']\ngive_up = '14d'\n"
        "per_destination = 5\n"
    )
    assert loaded.problems == ()
    config = loaded.accepted()
    (relay,) = config.relays
    assert relay.match == Matches(("xn--bcher-kva.example", "*.example.org"))
    assert relay.host == "2001:db8::5"
    assert relay.fallback == (
        *(Place("smtp2.provider.example"), Place("10.0.0.6", 2526), Place("2001:db8::6", 2527)),
        *(Place("2001:db8::7"), Place("b.test", 25)),
    )
    assert relay.password.reveal() == "amber-river"
    assert "amber" not in repr(config)
    assert retry_times(config.queue, relay) == RetryTimes(60.0, 1800.0, None, (8 * HOUR,), 14 * DAY, 2 * DAY)
    shown = {one.key: one.text for one in values(config)}
    block = "relay.xn--bcher-kva.example,*.example.org"
    assert shown[f"{block}.match"] == '["xn--bcher-kva.example", "*.example.org"]'
    assert shown[f"{block}.fallback"] == (
        '["smtp2.provider.example", "10.0.0.6:2526", "[2001:db8::6]:2527", "2001:db8::7", "b.test:25"]'
    )


def test_which_wait_holds_for_a_relay(load_text: LoadText) -> None:
    """What a block says of the waits wins as a whole; what it does not say is as everywhere."""
    config = load_text(
        "[queue]\nretry_fixed = '20m'\n"
        "[[relay]]\nmatch = ['a.test']\ngive_up = '1d'\n"
        "[[relay]]\nmatch = ['b.test']\nfirst_retry = '10m'\n"
        "[[relay]]\nmatch = ['c.test']\nretry_fixed = '10m'\n"
    ).accepted()
    a, b, c = (retry_times(config.queue, relay) for relay in config.relays)
    assert (a.fixed, a.give_up, a.give_up_null) == (1200.0, DAY, DAY)
    assert (b.fixed, b.first, b.longest) == (None, 600.0, 4 * HOUR)
    assert c.fixed == 600.0


@pytest.mark.parametrize(
    ("written", "transport"),
    [
        ("smtp", Transport("smtp")),
        ("lmtp", Transport("lmtp")),
        ("discard", Transport("discard")),
        ("error:Gone away", Transport("error", "", "Gone away")),
        ("error: 5.1.6 Gone away", Transport("error", "5.1.6", "Gone away")),
        ("error:4.3.2 Later", Transport("error", "4.3.2", "Later")),
        ("error:1.2.3 is no code", Transport("error", "", "1.2.3 is no code")),
    ],
)
def test_transports(load_text: LoadText, written: str, transport: Transport) -> None:
    host = 'host = "10.0.0.5"\n' if written == "lmtp" else ""
    config = load_text(f'[[relay]]\nmatch = ["a.test"]\ntransport = "{written}"\n{host}').accepted()
    assert config.relays[0].transport == transport
    shown = {one.key: one.text for one in values(config)}["relay.a.test.transport"]
    assert load_text(f'[[relay]]\nmatch = ["a.test"]\ntransport = {shown}\n{host}').accepted() == config


def test_where_connections_come_from(load_text: LoadText) -> None:
    text = (
        "[queue]\nsource_address = '192.0.2.10'\n[[domain]]\nname = 'example.net'\n"
        "source_address = ['192.0.2.11', '2001:DB8::11']\nip_version = '6'\n[[domain]]\nname = 'example.org'\n"
    )
    config = load_text(text.replace("ip_version = '6'\n", "")).accepted()
    assert config.queue.source_address == (ip_address("192.0.2.10"),)
    assert config.domains[0].source_address == (ip_address("192.0.2.11"), ip_address("2001:db8::11"))
    assert (config.domains[1].source_address, config.domains[1].ip_version) == (None, None)
    shown = {one.key: one.text for one in values(config)}
    assert shown["queue.source_address"] == '"192.0.2.10"'
    assert shown["domain.example.net.source_address"] == '["192.0.2.11", "2001:db8::11"]'
    assert load_text("[queue]\nsource_address = []\n").accepted().queue.source_address == ()
    (problem,) = load_text(text).problems
    assert problem.text == 'source_address 192.0.2.11 is not used: ip_version = "6"'


def test_from_the_environment(load_text: LoadText) -> None:
    overrides = [
        "queue.warn_sender=never",
        "queue.outgoing=hold",
        "queue.port=2525",
        "queue.tls.default=verify",
    ]
    queue = load_text("", overrides=overrides).accepted().queue
    assert (queue.warn_sender, queue.outgoing, queue.port, queue.tls.default) == ((), "hold", 2525, "verify")


R = "[[relay]]\nmatch = ['a.test']\n"
H = R + "host = 'smtp.a.test'\n"
SECRET = "password_file = 'secret'\n"

WRONG = [
    ("a later issue's key", "[queue.tls]\nmta_sts = true\n", 2, "unknown setting 'mta_sts'"),
    ("a host that is ignored by name", "[queue]\nignore_target_hosts = ['localhost']\n", 2, "is no network"),
    ("no direction", "[queue]\noutgoing = 'stop'\n", 2, '"allow", "hold", "local-only"'),
    ("a retry without unit", "[queue]\nfirst_retry = 5\n", 2, "has no unit"),
    ("a retry too late", "[queue]\nmax_retry = '8d'\n", 2, "expected a duration from 1s to 7d"),
    ("a fixed retry of nothing", "[queue]\nretry_fixed = '0s'\n", 2, "is out of range"),
    ("a warning in words", "[queue]\nwarn_sender = 'later'\n", 2, 'is no duration: expected a duration from 1s to 365d, for example "30s", "10m" or "2h", or "never"'),
    ("no warning in the list", "[queue]\nwarn_sender = []\n", 2, 'for example "4h", or "never"'),
    ("too many warnings", "[queue]\nwarn_sender = [" + "'4h', " * 11 + "]\n", 2, "the list is too long"),
    ("never in a list", "[queue]\nwarn_sender = ['never']\n", 2, "is no duration"),
    ("giving up too late", "[queue]\ngive_up = '31d'\n", 2, "1s to 30d"),
    ("giving up notices too late", "[queue]\ngive_up_null = '31d'\n", 2, "1s to 30d"),
    ("a copy in words", "[queue]\nwarn_postmaster = 'yes'\n", 2, "true or false"),
    ("a switch that is a number", "[queue]\nnotices_for_bulk = 1\n", 2, "true or false"),
    ("a language nobody has written", "[queue]\nnotice_language = 'fr'\n", 2, '"en", "de"'),
    ("a language in words", "[queue]\nnotice_language = 'German'\n", 2, '"en", "de"'),
    ("no concurrency", "[queue]\nconcurrency = 0\n", 2, "1 to 10000"),
    ("none to a destination", "[queue]\nper_destination = 0\n", 2, "1 to 1000"),
    ("a size in words", "[queue]\nmax_outbound = 'big'\n", 2, "is no size"),
    ("port 0", "[queue]\nport = 0\n", 2, "1 to 65535"),
    ("no patience at all", "[queue]\nconnect_timeout = '0s'\n", 2, "1s to 5m"),
    ("a source that is a name", "[queue]\nsource_address = 'here'\n", 2, "is no IP address"),
    ("a source that is everywhere", "[queue]\nsource_address = '0.0.0.0'\n", 2, "is no address of one machine"),
    ("two sources of a kind", "[queue]\nsource_address = ['192.0.2.1', '192.0.2.2']\n", 2, "two addresses of one version"),
    ("IP version 5", "[queue]\nip_version = '5'\n", 2, '"any", "4", "6"'),
    ("a TLS level in other words", "[queue.tls]\ndefault = 'starttls'\n", 2, '"none", "may", "encrypt", "verify"'),
    ("a domain's source", "[[domain]]\nname = 'a.test'\nsource_address = 'here'\n", 3, "is no IP address"),
    ("a domain's IP version", "[[domain]]\nname = 'a.test'\nip_version = 4\n", 3, '"any", "4", "6"'),
    ("a relay for nobody", "[[relay]]\nhost = 'a.test'\n", 1, "has no match: expected a list of domains"),
    ("an empty match", "[[relay]]\nmatch = []\n", 2, 'for example ["example.org", "*.example.org"] or ["*"]'),
    ("a match without list", "[[relay]]\nmatch = '*'\n", 2, "in square brackets"),
    ("a match of no name", "[[relay]]\nmatch = ['a b']\n", 2, "a label that is no host name"),
    ("a star within", "[[relay]]\nmatch = ['a.*']\n", 2, "a label that is no host name"),
    ("a literal as match", "[[relay]]\nmatch = ['[192.0.2.1]']\n", 2, "is an address literal"),
    ("a match twice", "[[relay]]\nmatch = ['a.test', 'A.test']\n", 2, "stands twice in the list"),
    ("two relays of one match", R + R, 4, "relay 'a.test' stands twice; the first is at mailsuite.toml:2"),
    ("a host with a port", R + "host = 'b.test:25'\n", 3, "has a port in it; write port = 25"),
    ("a host that is no name", R + "host = 'b_c.test'\n", 3, "a label that is no host name"),
    ("a host that is nearly an address", R + "host = '10.0.0.300'\n", 3, "is no IP address"),
    ("a host that is everywhere", R + "host = '0.0.0.0'\n", 3, "is no address of one machine"),
    ("a fallback that is no name", R + "fallback = ['b c']\n", 3, "a label that is no host name"),
    ("a fallback at no port", R + "fallback = ['b.test:0']\n", 3, "has a port that does not exist"),
    ("an unknown transport", R + "transport = 'smpt'\n", 3, "did you mean 'smtp'?"),
    ("an error without text", R + "transport = 'error'\n", 3, 'for example "error:5.1.6'),
    ("an error with a code alone", R + "transport = 'error:5.1.6'\n", 3, "has no text"),
    ("an error that is none", R + "transport = 'error:2.0.0 fine'\n", 3, "which is no error"),
    ("an error beyond ASCII", R + "transport = 'error:zur\u00fcck'\n", 3, "is not ASCII"),
    ("an endless error", R + f"transport = 'error:{'x' * 201}'\n", 3, "is longer than 200 characters"),
    ("verify in words", R + "verify = 'yes'\n", 3, 'expected true, false, or "auto"'),
    ("TLS by level", R + "tls = 'may'\n", 3, '"off", "starttls", "required-starttls", "implicit"'),
    ("a user name of two lines", R + 'username = "a\\nb"\n', 3, "control character"),
    ("a password in the file", R + "password = 'x'\n", 3, "did you mean 'password_file'?"),
    # Relations
    ("the longest retry is shorter", "[queue]\nfirst_retry = '5h'\n", 2, 'max_retry = "4h" is shorter than first_retry = "5h"'),
    ("giving up at once", "[queue]\ngive_up = '24h'\nretry_fixed = '24h'\n[[relay]]\nmatch = ['a.test']\ngive_up = '20h'\n", 6, 'give_up = "20h" is before the first retry, retry_fixed = "24h"'),
    ("a relay that gives up at once", R + "give_up = '1m'\n", 3, 'give_up = "1m" is before the first retry, first_retry = "5m"'),
    ("a user without password", H + "username = 'joe'\n", 4, "username without password_file"),
    ("a password without user", H + SECRET, 4, "password_file without username"),
    ("a password that is not there", H + "username = 'joe'\npassword_file = 'nowhere'\n", 5, "nowhere is not there"),
    ("a password for whom the DNS names", R + "username = 'joe'\n" + SECRET, 3, "told to whoever the DNS names"),
    ("the same by mx", H + "mx = true\nusername = 'joe'\n" + SECRET, 5, "told to whoever the DNS names"),
    ("a password in the clear", H + "tls = 'off'\nusername = 'joe'\n" + SECRET, 4, 'tls = "off" can send the password in the clear'),
    ("a password in the clear, perhaps", H + "tls = 'starttls'\nusername = 'joe'\n" + SECRET, 4, "can send the password in the clear"),
    ("a certificate of nothing", H + "tls = 'off'\nverify = true\n", 5, 'write tls = "required-starttls" or "implicit"'),
    ("implicit TLS with an MX", R + "tls = 'implicit'\n", 3, "begin in the clear"),
    ("no CA file", H + "verify = true\nca_file = '/nowhere'\n", 5, "ca_file: /nowhere is not there"),
    ("LMTP to nobody", R + "transport = 'lmtp'\n", 3, "needs a host"),
    ("LMTP by MX", H + "transport = 'lmtp'\nmx = true\n", 5, 'mx says nothing for transport = "lmtp"'),
    ("the MX of nothing", R + "mx = true\n", 3, "needs host"),
    ("the MX of an address", R + "host = '10.0.0.5'\nmx = true\n", 4, "is an address, and has no mail servers"),
    ("a host where nothing is sent", H + "transport = 'discard'\n", 3, 'host says nothing for transport = "discard"'),
    ("a retry of an error", R + "transport = 'error:x'\ngive_up = '1d'\n", 4, 'give_up says nothing for transport = "error"'),
    ("a circle by name", "[server]\nname = 'mail.test'\n[[listener]]\nname = 'mx'\nservice = 'smtp'\n" + R + "host = 'mail.test'\n", 8, "host: mail.test with port 25 is this server (listener 'mx'): mail would go in a circle"),
    ("a circle by address", "[[listener]]\nname = 'mx'\nservice = 'smtp'\nbind = ['192.0.2.7']\nport = 2525\n" + R + "host = '192.0.2.7'\nport = 2525\n", 8, "mail would go in a circle"),
    ("a circle by loopback", "[[listener]]\nname = 'mx'\nservice = 'lmtp'\n" + R + "transport = 'lmtp'\nhost = '127.0.0.1'\n", 7, "127.0.0.1 with port 24 is this server"),
]  # fmt: skip

DOUBTFUL = [
    ("tried too often", "[queue]\nfirst_retry = '59s'\n", 2, "other servers take that for an attack"),
    ("given up early", "[queue]\ngive_up = '23h'\n", 2, "is less than a day"),
    ("two kinds of waits", "[queue]\nretry_fixed = '20m'\nmax_retry = '1h'\n", 3, "first_retry and max_retry are not used"),
    ("a warning that comes too late", "[queue]\nwarn_sender = ['4h', '5d']\n", 2, 'warn_sender = "5d" comes to nothing: give_up = "5d" is before it'),
    ("more than there is", "[queue]\nconcurrency = 10\n", 2, "per_destination = 20 is never reached: concurrency = 10"),
    ("more of one source than there is", "[queue]\nper_source = 101\n", 2, "per_source = 101 is never reached: concurrency = 100"),
    ("more than anybody hands in", "[queue]\nmax_outbound = '51MiB'\n", 2, "nobody can hand in more than 50MiB"),
    ("an idle source", "[queue]\nsource_address = '2001:db8::1'\nip_version = '4'\n", 2, 'source_address 2001:db8::1 is not used: ip_version = "4"'),
    ("a relay for a domain of ours", "[[domain]]\nname = 'a.test'\n" + H, 4, "a.test is a domain of ours"),
    ("a password for whoever stands between", H + "username = 'joe'\n" + SECRET + "verify = false\n", 6, "can take the password"),
    ("a CA for nothing", H + "ca_file = 'secret'\n", 4, "ca_file is not used"),
    ("a relay that never comes to its turn", "[[relay]]\nmatch = ['*.test']\nport = 26\n" + H, 5, "a.test never comes to its turn; the block at mailsuite.toml:2 has it"),
]  # fmt: skip

FINE = [
    ("without TLS on this machine", R + "host = '127.0.0.1'\ntls = 'off'\nusername = 'joe'\n" + SECRET),
    ("a relay that is off", H + "enabled = false\ntls = 'off'\nusername = 'joe'\n" + SECRET),
    ("a name of ours elsewhere", "[server]\nname = 'mail.test'\n" + R + "host = 'mail.test'\nport = 10025\n"),
    ("another machine's port", "[[listener]]\nname = 'mx'\nservice = 'smtp'\n" + R + "host = '192.0.2.7'\n"),
    ("a closed door", "[[listener]]\nname = 'mx'\nservice = 'smtp'\nenabled = false\n[[listener]]\nname = 'p'\nservice = 'pop3'\n" + R + "host = '127.0.0.1'\n"),
    ("a CA with all verified", "[queue.tls]\ndefault = 'verify'\n" + H + "ca_file = 'secret'\n"),
    ("a CA with a user name", H + "username = 'joe'\nca_file = 'secret'\n" + SECRET),
    ("a later block that is wider", R + "port = 26\n[[relay]]\nmatch = ['*']\nhost = 'b.test'\n"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def secret(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(0o600)
    (tmp_path / "secret").write_text("amber-river\n")


@pytest.mark.parametrize(
    ("text", "line", "says"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_what_is_wrong(load_text: LoadText, text: str, line: int, says: str) -> None:
    loaded = load_text(text)
    found = [(str(problem.place), problem.text) for problem in loaded.errors]
    assert len(found) == 1, found
    assert found[0][0] == f"mailsuite.toml:{line}", found
    assert says in found[0][1], found
    assert "amber" not in str(loaded.problems)


@pytest.mark.parametrize(
    ("text", "line", "says"), [case[1:] for case in DOUBTFUL], ids=[case[0] for case in DOUBTFUL]
)
def test_what_is_doubtful(load_text: LoadText, text: str, line: int, says: str) -> None:
    loaded = load_text(text)
    assert loaded.config is not None, loaded.problems
    (problem,) = loaded.problems
    assert (str(problem.place), problem.severity) == (f"mailsuite.toml:{line}", "warning")
    assert says in problem.text


@pytest.mark.parametrize("text", [case[1] for case in FINE], ids=[case[0] for case in FINE])
def test_what_is_fine(load_text: LoadText, text: str) -> None:
    assert [
        problem.text for problem in load_text(text).problems if "nobody can reach" not in problem.text
    ] == []


def test_a_password_that_others_can_read(load_text: LoadText, tmp_path: Path) -> None:
    (tmp_path / "secret").chmod(0o644)
    (problem,) = load_text(H + "username = 'joe'\n" + SECRET).problems
    assert (problem.severity, problem.place.line) == ("warning", 5)
    assert problem.text.startswith("password_file: others can read ")


def test_one_mistake_is_told_once(load_text: LoadText) -> None:
    for text in (
        "[queue]\ngive_up = 'x'\nwarn_sender = '30d'\n",
        "[queue]\nper_destination = 'x'\nconcurrency = 10\n",
        "[queue]\nmax_outbound = 'x'\n[submission]\nmax_message = '64KiB'\n",
        "[queue]\nip_version = 'x'\nsource_address = '192.0.2.1'\n",
        H.replace("smtp.a.test", "a b") + "transport = 'lmtp'\nusername = 'joe'\n" + SECRET,
        H + "tls = 'x'\nverify = true\nca_file = 'secret'\n",
        H + "username = 'joe'\npassword_file = 5\n",
        R + "transport = 'x'\nmx = true\n",
        H + "verify = 'x'\nusername = 'joe'\n" + SECRET,
    ):
        assert len(load_text(text).problems) == 1, (text, load_text(text).problems)
