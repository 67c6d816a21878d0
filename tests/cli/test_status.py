"""The status of a running server, from its control socket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailsuite.cli.status import counters_text, duration_text, notices_text, queue_text
from mailsuite.cli.terminal import time_text
from tests.cli.conftest import Run
from tests.cli.control_double import STATUS, ControlDouble

ERROR = {"at": 1_000_100.0, "words": "listener pop3: Address already in use\x1b[2J"}


@pytest.fixture
def shown(control: ControlDouble) -> dict[str, Any]:
    """The status, with a last error of POP3."""
    services: Any = STATUS["services"]
    since = {"since": 1_000_000.0}
    errors = (None, ERROR)
    full = [
        {**service, **since, "last_error": error} for service, error in zip(services, errors, strict=True)
    ]
    document = {**STATUS, "services": full}
    control.answers["GET /v1/status"] = (200, document)
    return document


def test_status_is_one_screen(run: Run, control: ControlDouble, shown: dict[str, Any]) -> None:
    result = run("status")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].startswith(
        "mailsuite 0.1 on mail.example.test     up 12 d 4 h     "
        "config /etc/mailsuite/mailsuite.toml (read 1970-01-1"
    )
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "SERVICE",
        "smtp",
        "pop3",
        "notifier",
        "notices",
        "queue",
        "accounts",
        "last error",
        "warning",
    ]
    assert "running" in lines[2]
    assert "*:25 " in lines[2]
    assert lines[2].endswith("7 of 1 000   1 204 accepted, 31 refused")
    assert "draining" in lines[3]
    assert "*:995  192.0.2.10:110   41 " in lines[3]
    assert lines[4].endswith("1 102 sent, 4 not listening")
    queue = r"1 006 messages, oldest 41 min (gmail.example: 421 4.7.28 rate limited\x1b[2J)"
    told = r"ntfy\x1b[2J: 1 ok; webhook: 1 102 ok, 4 failed"
    assert lines[5] == f"notices      1 014 subscriptions, of them 2 paused, 1 suspended; {told}"
    assert lines[6] == f"queue        {queue}"
    assert lines[7].endswith(" 3 210")
    assert lines[2].split("  ")[0] == "smtp"
    assert time_text(1_000_000.0) in lines[2]
    error = time_text(1_000_100.0)
    assert lines[8] == rf"last error   pop3: {error} listener pop3: Address already in use\x1b[2J"
    assert lines[9] == r"warning      the certificate ends in 3 days\x1b[2J"
    assert [(method, path) for method, path, _ in control.requests] == [("GET", "/v1/status")]


def test_status_without_a_configuration_file(run: Run, control: ControlDouble, shown: dict[str, Any]) -> None:
    control.answers["GET /v1/status"] = (
        200,
        {**shown, "config": {"path": None, "read_at": 0}, "warnings": []},
    )
    assert "config: none, all is as built in" in run("status").output


def test_status_where_nobody_is_told(run: Run, control: ControlDouble, shown: dict[str, Any]) -> None:
    control.answers["GET /v1/status"] = (200, {**shown, "notices": None})
    assert "notices" not in run("status").output
    states = {"unverified": 0, "active": 1, "paused": 0, "suspended": 0, "dead": 0}
    assert notices_text({"subscriptions": states, "channels": {}}) == "1 subscription"


def test_status_for_programs(run: Run, shown: dict[str, Any]) -> None:
    assert json.loads(run("status", "--json").output) == shown
    quiet = run("status", "--quiet")
    assert (quiet.exit_code, quiet.output) == (0, "")


@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["status", "-q"], ["reload"]])
def test_without_a_server_it_is_status_3_and_the_words_of_the_manual(run: Run, command: list[str]) -> None:
    result = run(*command)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.startswith("mailsuite is not running (tried /")
    assert result.stderr.endswith("/state/control.sock); start it with: systemctl start mailsuite\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min 0 s"),
        (3661, "1 h 1 min"),
        (86400, "1 d 0 h"),
        (8_640_000, "100 d 0 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("queue", "text"),
    [
        (None, "unknown"),
        ({"messages": 0, "oldest": None}, "empty"),
        (
            {"messages": 1, "oldest": {"arrived": 0, "domain": "a.example", "last": None}},
            "1 message, oldest 2 h (a.example)",
        ),
        (
            {"messages": 2, "oldest": {"arrived": 7150, "domain": None, "last": None}},
            "2 messages, oldest 50 s",
        ),
    ],
)
def test_the_queue_in_a_line(queue: dict[str, Any] | None, text: str) -> None:
    assert queue_text(queue, 7200) == text


def test_counters() -> None:
    assert counters_text({}) == "-"
    assert counters_text({"a": 0}) == "-"
    assert counters_text({"a": 0, "b_c": 1000000, "d": 1}) == "1 000 000 b c, 1 d"
