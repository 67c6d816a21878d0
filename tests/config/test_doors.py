"""Unix sockets, proxies and LMTP in the configuration."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from mailsuite.config.kinds import BadValue
from mailsuite.config.kinds_doors import FileMode
from mailsuite.config.schema import Lmtp
from tests.config.conftest import LoadText

DOOR = '[server]\nuser = "nobody"\n[[listener]]\nname = "door"\nservice = "{}"\n{}\n'
LOCAL = 'bind = ["127.0.0.1"]'


def told(load_text: LoadText, service: str, *lines: str, more: str = "") -> list[str]:
    loaded = load_text(DOOR.format(service, "\n".join(lines)) + more)
    return [f"{each.severity}: {each.text}" for each in loaded.problems if "account" not in each.text]


def test_a_socket(load_text: LoadText) -> None:
    text = DOOR.format("lmtp", 'socket = "/run/mailsuite/lmtp.sock"\nsocket_group = "mail"')
    config = load_text(text).accepted()
    [listener] = config.listeners
    assert listener.socket == Path("/run/mailsuite/lmtp.sock")
    assert (listener.socket_owner, listener.socket_group, listener.socket_mode) == (
        "nobody",
        "mail",
        0o660,
    )
    assert (listener.tls, listener.proxy_from) == ("off", ())
    assert isinstance(listener.settings, Lmtp)
    assert (listener.settings.banner, listener.settings.on_overlong_command) == ("LMTP", "close")
    assert listener.settings.max_connections_per_address == 0


def test_in_the_state_directory_with_an_owner_and_a_mode(load_text: LoadText) -> None:
    lines = 'socket = "{state}/lmtp.sock"\nsocket_owner = "root"\nsocket_mode = "0666"'
    config = load_text(DOOR.format("lmtp", lines)).accepted()
    [listener] = config.listeners
    assert listener.socket == Path("/var/lib/mailsuite/lmtp.sock")
    assert (listener.socket_owner, listener.socket_mode) == ("root", 0o666)


def test_over_tcp(load_text: LoadText) -> None:
    config = load_text(DOOR.format("lmtp", LOCAL)).accepted()
    assert (config.listeners[0].port, config.listeners[0].tls) == (24, "starttls")
    assert (config.lmtp.max_recipients, config.lmtp.access.policy) == (100, "allow-all-except")


def test_submission_on_a_socket_needs_no_tls(load_text: LoadText) -> None:
    assert told(load_text, "submission", 'socket = "/run/mailsuite/submission.sock"') == []


def test_proxies(load_text: LoadText) -> None:
    lines = f'{LOCAL}\nproxy_from = ["192.0.2.10", "2001:db8::/32"]'
    [listener] = load_text(DOOR.format("smtp", lines)).accepted().listeners
    assert listener.proxy_from == (ip_network("192.0.2.10"), ip_network("2001:db8::/32"))


def test_proxies_that_nobody_trusts(load_text: LoadText) -> None:
    lines = (LOCAL, 'proxy_from = ["192.0.2.10"]', 'relay = "addresses"', 'relay_networks = ["10.0.0.0/8"]')
    assert told(load_text, "smtp", *lines) == []
    unused = (LOCAL, 'proxy_from = ["10.0.0.5"]', 'relay_networks = ["10.0.0.0/8"]')
    assert not any("both name" in each for each in told(load_text, "smtp", *unused))


SOCKET = 'socket = "/run/mailsuite/lmtp.sock"'


@pytest.mark.parametrize(
    ("service", "lines", "words"),
    [
        ("lmtp", [LOCAL, "port = 25"], "error: port = 25 is SMTP's"),
        ("lmtp", [SOCKET, LOCAL], "error: bind and socket together"),
        ("lmtp", [SOCKET, "port = 24"], "error: port and socket together"),
        ("lmtp", [SOCKET, "wait = true"], "error: wait and socket together"),
        ("lmtp", [SOCKET, 'endpoint = "tcp:24"'], "error: endpoint and socket together"),
        ("lmtp", [SOCKET, 'tls = "starttls"'], 'error: tls = "starttls" on a Unix socket'),
        ("lmtp", [SOCKET, 'access = { list = ["192.0.2.1"] }'], "warning: access.list is for nothing on a"),
        ("submission", [SOCKET, 'auth = ["plain"]'], "warning: auth is for nothing on a Unix socket"),
        ("submission", [SOCKET, 'relay_networks = ["192.0.2.1"]'], "warning: relay_networks is for nothing"),
        ("lmtp", [SOCKET, "v6only = true"], "warning: v6only is for nothing on a Unix socket"),
        ("lmtp", [SOCKET, 'proxy_from = ["192.0.2.1"]'], "error: proxy_from and socket together"),
        ("lmtp", [LOCAL, 'socket_mode = "0600"'], "warning: socket_mode without socket"),
        ("lmtp", [LOCAL, 'socket_group = "mail"'], "warning: socket_group without socket"),
        ("lmtp", [f'socket = "/run/{"x" * 110}"'], "error: socket /run/xxx"),
        ("lmtp", ['socket = "~/lmtp.sock"'], 'error: socket: "~/lmtp.sock" begins with "~"'),
        ("lmtp", [SOCKET, 'socket_mode = "0060"'], 'error: socket_mode: "0060" is wrong here'),
        ("lmtp", [SOCKET, 'socket_owner = "a b"'], 'error: socket_owner: "a b" is wrong here'),
        ("lmtp", [SOCKET, 'socket_owner = "nosuch"'], "error: socket_owner: there is no user 'nosuch'"),
        ("lmtp", [SOCKET, 'socket_group = "nosuch"'], "error: socket_group: there is no group 'nosuch'"),
        ("pop3", [SOCKET], 'error: socket is for lmtp and submission; service = "pop3"'),
        ("smtp", [SOCKET], 'error: socket is for lmtp and submission; service = "smtp"'),
        ("lmtp", ['bind = ["192.0.2.1"]'], "warning: everybody who reaches this listener may hand in mail"),
        ("smtp", [LOCAL, 'proxy_from = ["0.0.0.0/0"]'], "error: proxy_from names everybody"),
        ("smtp", [LOCAL, 'proxy_from = ["0.0.0.0/1", "128.0.0.0/1"]'], "error: proxy_from names everybody"),
        ("smtp", [LOCAL, 'proxy_from = ["::/1", "8000::/1"]'], "error: proxy_from names everybody"),
        ("smtp", [LOCAL, 'proxy_from = ["::ffff:0:0/96"]'], "error: proxy_from names everybody"),
        (
            "submission",
            [LOCAL, 'proxy_from = ["10.0.0.5"]', 'relay_networks = ["10.0.0.0/8"]'],
            "warning: proxy_from and relay_networks both name 10.0.0.5/32: whoever comes by it",
        ),
        (
            "smtp",
            [LOCAL, 'proxy_from = ["10.0.0.5"]', 'relay = "addresses"', 'relay_networks = ["10.0.0.0/8"]'],
            "warning: proxy_from and relay_networks both name 10.0.0.5/32",
        ),
        (
            "pop3",
            [LOCAL, 'proxy_from = ["10.0.0.0/24"]', 'trusted_networks = ["10.0.0.5"]'],
            "warning: proxy_from and trusted_networks both name 10.0.0.0/24",
        ),
        ("smtp", [LOCAL, 'proxy_from = ["192.0.2.1/24"]'], "error: proxy_from: "),
        (
            "lmtp",
            ['socket = "{state}/control.sock"'],
            "error: listener 'door' wants /var/lib/mailsuite/control",
        ),
    ],
)
def test_what_is_wrong_together(load_text: LoadText, service: str, lines: list[str], words: str) -> None:
    problems = told(load_text, service, *lines)
    assert any(each.startswith(words) for each in problems), problems


@pytest.mark.parametrize(
    "lines",
    [
        ['bind = ["192.0.2.1"]', 'access = { policy = "deny-all-except", list = ["192.0.2.2"] }'],
        ['bind = ["192.0.2.1"]', "enabled = false", "port = 25"],
        [LOCAL, 'endpoint = ""'],
        ['endpoint = "systemd:domain=INET6:name=lmtp"', 'access = { policy = "deny-all-except" }'],
    ],
)
def test_what_is_not(load_text: LoadText, lines: list[str]) -> None:
    assert [each for each in told(load_text, "lmtp", *lines) if "no listener" not in each] == []


def test_two_listeners_on_one_socket(load_text: LoadText) -> None:
    other = f'[[listener]]\nname = "other"\nservice = "submission"\n{SOCKET}\n'
    [problem] = told(load_text, "lmtp", SOCKET, more=other)
    assert problem.startswith(
        "error: listener 'other' wants /run/mailsuite/lmtp.sock, which listener 'door' has"
    )
    assert told(load_text, "lmtp", SOCKET, more=other + "enabled = false\n") == []


@pytest.mark.parametrize(("text", "mode"), [("0600", 0o600), ("666", 0o666), ("0777", 0o777)])
def test_modes(text: str, mode: int) -> None:
    kind = FileMode()
    assert kind.parse(text, Path("/")) == mode
    assert kind.parse(kind.write(mode), Path("/")) == mode
    assert kind.word == "file mode"
    assert kind.range


@pytest.mark.parametrize("raw", ["", "0", "0800", "1666", "0o660", "660 ", "0440", "0060", 660, "rw-rw----"])
def test_no_modes(raw: object) -> None:
    with pytest.raises(BadValue):
        FileMode().parse(raw, Path("/"))
