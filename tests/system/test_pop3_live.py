"""Every setting of [pop3] and of its listeners: written into the file, taken over by a reload, and met by the
next connection, while a session that was open before goes on unharmed (features section 1, S-I02)."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest

from mailsuite.config.pop3 import Pop3
from tests.system.harness import Server
from tests.system.pop3_settings import (
    BOB,
    JOE,
    KIM,
    READY,
    Probe,
    answers,
    both_in,
    capability,
    greeting,
    in_a_row,
    in_session,
    is_logged,
    lets_in,
    outlives_a_silence,
    text_of,
    unharmed,
)

BASE = """
[guard]
failure_delay = "0s"
admin_networks = []

[smtp]
max_connections_per_address = 0

[pop3]
"""
TELLING = "Grüße".encode()
MAIL = (
    b"Subject: nul\r\n\r\nan\0octet\r\n",
    b"Subject: head alone\r\n",
    b"Subject: " + TELLING + b"\r\n\r\nbody\r\n",
)


@attrs.frozen
class Change:
    """One change of the file, and what a client meets before and after it."""

    lines: str
    """In ``[pop3]``, or behind it."""
    met: Probe
    before: object
    after: object


CHANGES = {
    "banner": Change('banner = "Good day"', greeting(), READY, b"+OK mail.example.test Good day"),
    "response_name": Change(
        'response_name = "pop.example.test"', greeting(), READY, b"+OK pop.example.test POP3 ready"
    ),
    "auth": Change(
        'auth = ["login", "cram-md5"]', capability("SASL"), "SASL PLAIN SCRAM-SHA-256", "SASL LOGIN CRAM-MD5"
    ),
    "auth-none": Change("auth = []", capability("SASL"), "SASL PLAIN SCRAM-SHA-256", ""),
    "auth-refused": Change(
        'auth = ["scram-sha-256"]', answers(b"AUTH PLAIN", listener="pop3s"), ["+"], ["-ERR"]
    ),
    "apop": Change('apop = "offer"', greeting(), READY, READY + b" <mail.example.test>"),
    "apop-required": Change('apop = "require"', answers(b"USER x"), ["+OK"], ["-ERR [AUTH]"]),
    "trusted_networks": Change(
        'trusted_networks = ["127.0.0.0/8"]',
        answers(b"USER x", listener="pop3"),
        ["-ERR [SYS/PERM]"],
        ["+OK"],
    ),
    "alternate_at": Change('alternate_at = "#$"', lets_in("joe#example.test"), "-ERR [AUTH]", "+OK"),
    "default_domain": Change('default_domain = "other.test"', lets_in("kim", KIM), "-ERR [AUTH]", "+OK"),
    "default_domain-other": Change('default_domain = "other.test"', lets_in("joe"), "+OK", "-ERR [AUTH]"),
    "idle_timeout": Change('idle_timeout = "1s"', outlives_a_silence(JOE), True, False),
    "login_timeout": Change('login_timeout = "1s"', outlives_a_silence(), True, False),
    "max_connections": Change(
        "max_connections = 1",
        greeting(),
        READY,
        b"-ERR [SYS/TEMP] Too many connections just now; please try again later",
    ),
    "max_connections_per_address": Change(
        "max_connections_per_address = 1",
        greeting("pop3-trusted"),
        READY,
        b"-ERR [SYS/TEMP] Too many connections just now; please try again later",
    ),
    "max_connections_per_account": Change(
        "max_connections_per_account = 1",
        both_in(JOE, "joe+trash@example.test"),
        ["+OK", True],
        ["-ERR [IN-USE]", True],
    ),
    "max_command": Change(
        "max_command = 300", answers(b"x" * 299, b"CAPA"), ["-ERR", "+OK"], ["-ERR", "closed"]
    ),
    "max_command-more": Change(
        "max_command = 1000", answers(b"x" * 998, b"CAPA"), ["-ERR", "closed"], ["-ERR", "+OK"]
    ),
    "on_overlong_command": Change(
        'on_overlong_command = "error"', answers(b"x" * 600, b"CAPA"), ["-ERR", "closed"], ["-ERR", "+OK"]
    ),
    "strict_crlf": Change(
        "strict_crlf = true", answers(b"USER x\n", b"USER x"), ["+OK", "+OK"], ["-ERR", "+OK"]
    ),
    "login_delay": Change('login_delay = "1h"', in_a_row, [b"+OK", b"+OK"], [b"+OK", b"-ERR [LOGIN-DELAY]"]),
    "login_delay-told": Change('login_delay = "90s"', capability("LOGIN-DELAY"), "", "LOGIN-DELAY 90"),
    "takeover": Change("takeover = true", both_in(JOE, JOE), ["-ERR [IN-USE]", True], ["+OK", False]),
    "delete_after": Change(
        'delete_after = "30d"', capability("EXPIRE", login=JOE), "EXPIRE NEVER", "EXPIRE 30"
    ),
    "delete_after-told": Change('delete_after = "30d"', capability("EXPIRE"), "EXPIRE NEVER", "EXPIRE 30"),
    "delete_after-retrieval": Change(
        'delete_after = "retrieval"', capability("EXPIRE", login=JOE), "EXPIRE NEVER", "EXPIRE 0"
    ),
    "delete_unread_after": Change(
        'delete_after = "30d"\ndelete_unread_after = "20d"', capability("EXPIRE"), "EXPIRE NEVER", "EXPIRE 20"
    ),
    "utf8": Change("utf8 = false", answers(b"UTF8", b"CAPA"), ["+OK", "+OK"], ["-ERR", "+OK"]),
    "utf8_mail": Change(
        'utf8_mail = "as-is"',
        text_of(b"RETR 3"),
        [b"Subject: =?utf-8?B?R3LDvMOfZQ==?=", b"", b"body"],
        [b"Subject: " + TELLING, b"", b"body"],
    ),
    "utf8_mail-refuse": Change(
        'utf8_mail = "refuse"',
        text_of(b"TOP 3 0"),
        [b"Subject: =?utf-8?B?R3LDvMOfZQ==?=", b""],
        b"[UTF8]",
    ),
    "last": Change("last = true", answers(b"LAST", login=JOE), ["-ERR"], ["+OK"]),
    "implementation": Change(
        'implementation = "mailsuite"',
        capability("IMPLEMENTATION", login=JOE),
        "",
        "IMPLEMENTATION mailsuite",
    ),
    "implementation-early": Change('implementation = "mailsuite"', capability("IMPLEMENTATION"), "", ""),
    "quirks-nuls": Change(
        'quirks = ["outlook-no-nuls"]',
        text_of(b"RETR 1"),
        [b"Subject: nul", b"", b"an\0octet"],
        [b"Subject: nul", b"", b"an\x80octet"],
    ),
    "quirks-header": Change(
        'quirks = ["oe-ns-eoh"]',
        text_of(b"RETR 2"),
        [b"Subject: head alone"],
        [b"Subject: head alone", b""],
    ),
    "quirks-none": Change(
        'auth = ["plain"]', answers(b"AUTH", listener="pop3"), ["+OK"], ["-ERR [SYS/PERM]"]
    ),
    "quirks-auth": Change(
        'auth = ["plain"]\nquirks = ["auth-list"]', answers(b"AUTH", listener="pop3"), ["+OK"], ["+OK"]
    ),
    "protocol_log": Change(
        'protocol_log = "off"',
        is_logged("pop3.login", "pop3.session"),
        ["pop3.login", "pop3.session"],
        [],
    ),
    "protocol_log-more": Change('protocol_log = "commands"', is_logged("pop3.command"), [], ["pop3.command"]),
    "access": Change('[pop3.access]\nlist = ["127.0.0.1"]', greeting(), READY, b""),
    "access-only": Change('[pop3.access]\npolicy = "deny-all-except"', greeting(), READY, b""),
    "access-range": Change('[pop3.access]\nlist = ["127.0.0.2-127.0.0.9"]', greeting(), READY, READY),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"), extra=BASE)
    made.more = made.account(KIM)
    with made:
        for message in MAIL:
            made.deliver(message, JOE)
        for number in (1, 2):
            made.deliver(b"Subject: %d\r\n\r\n.dots\r\n..\r\n" % number, BOB)
        yield made


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """The server with the settings that all begin with."""
    yield running
    running.extra, running.domain, running.settings = BASE, "", {}
    running.reload()


@pytest.mark.parametrize("name", CHANGES)
def test_a_setting(server: Server, name: str) -> None:
    change = CHANGES[name]
    with unharmed(server, "pop3-trusted"):
        assert change.met(server) == change.before
        server.extra = BASE + change.lines + "\n"
        server.reload()
        assert change.met(server) == change.after


def test_every_setting_is_tried() -> None:
    """Whoever adds a setting is reminded of this table; access has keys of its own."""
    tried = {line.partition(" =")[0] for change in CHANGES.values() for line in change.lines.splitlines()}
    declared = {field.name for field in attrs.fields(Pop3)} - {"access"}
    assert declared <= tried
    assert {"policy", "list"} <= tried


# Several at once, and those of accounts and domains


def test_what_is_told_before_the_login_is_the_worst_for_anybody(server: Server) -> None:
    """RFC 2449 sections 6.5 and 6.7: with USER where it differs, and each account's own afterwards."""
    server.extra = BASE + 'delete_after = "30d"\nlogin_delay = "10s"\n'
    server.domain = 'login_delay = "1s"'
    server.settings = {BOB: 'delete_after = "9d"'}
    with unharmed(server, "pop3-trusted"):
        server.reload()
        assert capability("EXPIRE")(server) == "EXPIRE 9 USER"
        assert capability("LOGIN-DELAY")(server) == "LOGIN-DELAY 10 USER"
        for account, days, seconds in ((JOE, 30, 1), (KIM, 30, 10)):
            with in_session(server, "pop3-trusted", account) as client:
                told = client.multiline(b"CAPA")
            assert f"EXPIRE {days}".encode() in told
            assert f"LOGIN-DELAY {seconds}".encode() in told
    assert capability("EXPIRE", login=BOB)(server) == "EXPIRE 9"


def test_a_session_keeps_the_settings_it_began_with(server: Server) -> None:
    with in_session(server, "pop3-trusted", JOE) as client:
        before = client.multiline(b"CAPA")
        server.extra = BASE + 'delete_after = "retrieval"\nlast = true\nutf8 = false\nstrict_crlf = true\n'
        server.reload()
        assert client.multiline(b"CAPA") == before
        client.say(b"LAST", b"-ERR")
        client.send(b"NOOP\n")
        assert client.line().startswith(b"+OK")
        client.say(b"RETR 1", b"+OK")
        client.lines()
        client.say(b"QUIT", b"+OK")
    with in_session(server, "pop3-trusted", JOE) as client:
        client.say(b"STAT", b"+OK 3 ")


def test_a_mistake_in_the_file_changes_nothing(server: Server) -> None:
    server.extra = BASE + 'banner = "Good day"\nidle_timeout = "soon"\n'
    with unharmed(server, "pop3-trusted"):
        server.write_config()
        assert "idle_timeout" in server.cli("reload", status=4)
        assert greeting()(server) == READY
