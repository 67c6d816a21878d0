"""ban and access against the control socket, and access without a server: what people see."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from mailsuite.cli.access import access_group
from mailsuite.cli.ban import ban_group
from mailsuite.cli.context import Context
from mailsuite.cli.terminal import time_text
from tests.cli.control_double import ControlDouble

NOON = 1_700_000_000.0
BAN = {
    "network": "198.51.100.7",
    "reason": "oversize-command",
    "since": NOON,
    "until": NOON + 900,
    "times": 2,
    "detail": "pop3 (listener pop3s) from port 4711: 513 octets, beginning with AAAA",
}
WIDE = {**BAN, "network": "203.0.113.0/24", "reason": "by-hand", "until": None, "times": 1, "detail": ""}
DENIED = {
    "listener": "pop3s",
    "service": "pop3",
    "verdict": "denied",
    "entry": "203.0.113.0/24",
    "place": "pop3.access.list, entry 1",
}
ALLOWED = {
    "listener": "mx",
    "service": "smtp",
    "verdict": "allowed",
    "entry": None,
    "place": 'smtp.access.policy = "allow-all-except"',
}
LISTENERS = """
[pop3.access]
list  = ["192.0.2.0/24"]
files = ["refused.list"]

[[listener]]
name    = "mx"
service = "smtp"
port    = 2525

[[listener]]
name    = "pop3s"
service = "pop3"
port    = 2995
tls     = "implicit"
"""

Ban = Callable[..., Result]


def runner(group: click.Group, config: Path) -> Ban:
    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(group, arguments, obj=Context(config))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@pytest.fixture
def ban(config: Path) -> Ban:
    return runner(ban_group, config)


@pytest.fixture
def access(config: Path) -> Ban:
    return runner(access_group, config)


def cells(line: str) -> list[str]:
    return [part.strip() for part in line.split("   ") if part.strip()]


def answer(control: ControlDouble, request: str, document: Any, status: int = 200) -> None:
    control.answers[request] = (status, document)


def test_the_list(control: ControlDouble, ban: Ban) -> None:
    answer(control, "GET /v1/bans", {"bans": [BAN, WIDE]})
    head, first, second = ban("list").stdout.splitlines()
    assert cells(head) == ["NETWORK", "REASON", "SINCE", "UNTIL", "TIMES", "WHY"]
    times = [time_text(NOON), time_text(NOON + 900)]
    assert cells(first) == ["198.51.100.7", "oversize-command", *times, "2", BAN["detail"]]
    assert cells(second) == ["203.0.113.0/24", "by-hand", times[0], "the restart", "1", "-"]
    assert ban("list", "-q").stdout == "198.51.100.7\n203.0.113.0/24\n"
    assert json.loads(ban("list", "--json").stdout) == {"bans": [BAN, WIDE]}


def test_an_empty_list(control: ControlDouble, ban: Ban) -> None:
    answer(control, "GET /v1/bans", {"bans": []})
    result = ban("list")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nobody is banned.\n")
    assert ban("list", "-q").output == ""


def test_adding(control: ControlDouble, ban: Ban) -> None:
    answer(control, "POST /v1/bans", {"ban": BAN}, 201)
    result = ban("add", "198.51.100.7")
    assert result.output == f"198.51.100.7 is banned until {time_text(NOON + 900)}.\n"
    assert ban("add", "198.51.100.7", "--for", "2h", "--reason", "noise", "-q").output == ""
    assert json.loads(ban("add", "198.51.100.7", "--json").stdout) == {"ban": BAN}
    answer(control, "POST /v1/bans", {"ban": WIDE}, 201)
    result = ban("add", "203.0.113.0/24", "--for", "until-restart")
    assert result.output == "203.0.113.0/24 is banned until the restart.\n"
    sent = [body for _, _, body in control.requests]
    assert sent[:2] == [
        {"network": "198.51.100.7", "for": "24h", "detail": ""},
        {"network": "198.51.100.7", "for": "2h", "detail": "noise"},
    ]
    assert sent[3] == {"network": "203.0.113.0/24", "for": "until-restart", "detail": ""}


def test_removing(control: ControlDouble, ban: Ban) -> None:
    answer(control, "DELETE /v1/bans/198.51.100.7", {"ban": BAN})
    answer(control, "DELETE /v1/bans/203.0.113.0%2F24", {"ban": WIDE})
    result = ban("remove", "198.51.100.7")
    assert result.output == "The ban of 198.51.100.7 (oversize-command) is lifted.\n"
    assert ban("remove", "203.0.113.0/24", "-q").output == ""
    assert json.loads(ban("remove", "203.0.113.0/24", "--json").stdout) == {"ban": WIDE}


def test_what_the_server_refuses(control: ControlDouble, ban: Ban) -> None:
    answer(control, "DELETE /v1/bans/192.0.2.1", {"error": "192.0.2.1 is not banned"}, 404)
    result = ban("remove", "192.0.2.1")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "192.0.2.1 is not banned\n")


def test_bans_need_a_server(ban: Ban) -> None:
    for command in (["list"], ["add", "192.0.2.1"], ["remove", "192.0.2.1"]):
        result = ban(*command)
        assert (result.exit_code, "mailsuite is not running" in result.stderr) == (3, True)


def test_what_a_server_says_of_bans_is_cleaned(control: ControlDouble, ban: Ban) -> None:
    odd = {**BAN, "network": "x\x1b[2J", "reason": "y\x1b[2J", "detail": "z\u202e"}
    answer(control, "GET /v1/bans", {"bans": [odd]})
    answer(control, "POST /v1/bans", {"ban": odd}, 201)
    answer(control, "DELETE /v1/bans/x", {"ban": odd})
    for command in (["list"], ["list", "-q"], ["add", "x"], ["remove", "x"]):
        result = ban(*command)
        assert (result.exit_code, r"\x1b[2J" in result.output) == (0, True)
        assert all(line.isprintable() for line in result.output.splitlines())


def test_would_it_get_in(control: ControlDouble, access: Ban) -> None:
    document = {"address": "203.0.113.9", "allowed": False, "ban": None, "listeners": [DENIED, ALLOWED]}
    answer(control, "GET /v1/access?address=203.0.113.9", document)
    result = access("test", "203.0.113.9")
    assert (result.exit_code, result.stderr) == (1, "")
    head, first, second = result.stdout.splitlines()
    assert cells(head) == ["LISTENER", "SERVICE", "VERDICT", "BECAUSE OF"]
    assert cells(first) == ["pop3s", "pop3", "denied", "203.0.113.0/24 (pop3.access.list, entry 1)"]
    assert cells(second) == ["mx", "smtp", "allowed", 'no entry; smtp.access.policy = "allow-all-except"']
    result = access("test", "203.0.113.9", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, document)
    quiet = access("test", "203.0.113.9", "-q")
    assert (quiet.exit_code, quiet.output) == (1, "")


def test_one_listener_and_an_address_of_ipv6(control: ControlDouble, access: Ban) -> None:
    document = {"address": "2001:db8::7", "allowed": True, "ban": None, "listeners": [ALLOWED]}
    answer(control, "GET /v1/access?address=2001%3Adb8%3A%3A7&listener=mx", document)
    assert access("test", "[2001:db8::7]", "--listener", "mx").exit_code == 0


def test_a_ban_stands_above_the_list(control: ControlDouble, access: Ban) -> None:
    banned = [{**each, "verdict": "banned"} for each in (DENIED, ALLOWED)]
    document = {"address": "198.51.100.7", "allowed": False, "ban": BAN, "listeners": banned}
    answer(control, "GET /v1/access?address=198.51.100.7", document)
    result = access("test", "198.51.100.7")
    because = f"banned until {time_text(NOON + 900)}: oversize-command (198.51.100.7)"
    assert (result.exit_code, result.stdout.count(because)) == (1, 2)


def test_by_the_configuration_alone(access: Ban, config: Path) -> None:
    with config.open("a") as file:
        file.write(LISTENERS)
    refused = config.parent / "refused.list"
    refused.write_text("# by another program\n198.51.100.7\n")
    result = access("test", "198.51.100.7")
    assert result.exit_code == 1
    assert result.stderr == "No server runs: this is by the configuration alone; bans are not looked at.\n"
    rows = [cells(line) for line in result.stdout.splitlines()[1:]]
    assert rows == [
        ["mx", "smtp", "allowed", 'no entry; smtp.access.policy = "allow-all-except"'],
        ["pop3s", "pop3", "denied", f"198.51.100.7 ({refused} line 2)"],
    ]
    one = access("test", "198.51.100.7", "--listener", "mx", "-q")
    assert (one.exit_code, one.output) == (0, "")
    document = json.loads(access("test", "::ffff:192.0.2.1", "--json").stdout)
    assert (document["address"], document["allowed"], document["ban"]) == ("192.0.2.1", False, None)
    unknown = access("test", "192.0.2.1", "--listener", "imap")
    words = "there is no open listener 'imap'; there are: mx, pop3s\n"
    assert (unknown.exit_code, unknown.stderr) == (1, words)
    refused.write_text("nonsense\n")
    broken = access("test", "192.0.2.1")
    assert (broken.exit_code, broken.stderr) == (4, f"{refused}:1: 'nonsense' is no IP address\n")


def test_no_address_no_answer(access: Ban) -> None:
    result = access("test", "mail.example.net")
    assert (result.exit_code, "'mail.example.net' is no IP address" in result.stderr) == (2, True)
