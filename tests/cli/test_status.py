"""status and reload against a control socket."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from mailsuite.cli.reload import APPLIED
from mailsuite.cli.status import counters_text, duration_text
from mailsuite.config.declare import Applied
from tests.cli.conftest import Run
from tests.cli.control_double import STATUS, ControlDouble


def test_status_is_one_screen(run: Run, control: ControlDouble) -> None:
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
        "accounts",
        "warning",
    ]
    assert "running" in lines[2]
    assert "*:25 " in lines[2]
    assert lines[2].endswith("7 of 1 000   1 204 accepted, 31 refused")
    assert "draining" in lines[3]
    assert "*:995  192.0.2.10:110   41 " in lines[3]
    assert lines[4].endswith("1 102 sent, 4 not listening")
    assert lines[5].endswith(" 3 210")
    assert lines[6] == r"warning      the certificate ends in 3 days\x1b[2J"
    assert [(method, path) for method, path, _ in control.requests] == [("GET", "/v1/status")]


def test_status_without_a_configuration_file(run: Run, control: ControlDouble) -> None:
    control.answers["GET /v1/status"] = (
        200,
        {**STATUS, "config": {"path": None, "read_at": 0}, "warnings": []},
    )
    assert "config: none, all is as built in" in run("status").output


def test_status_for_programs(run: Run, control: ControlDouble) -> None:
    assert json.loads(run("status", "--json").output) == STATUS
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


def test_counters() -> None:
    assert counters_text({}) == "-"
    assert counters_text({"a": 0}) == "-"
    assert counters_text({"a": 0, "b_c": 1000000, "d": 1}) == "1 000 000 b c, 1 d"


def test_reload_has_words_for_every_way_in_which_a_change_is_applied() -> None:
    assert set(APPLIED) == set(get_args(Applied))


def test_reload_says_what_changed_and_how(run: Run, control: ControlDouble) -> None:
    control.answers["POST /v1/reload"] = (
        200,
        {
            "changed": [
                {"key": "pop3.max_connections", "old": 1000, "new": 2000, "applied": "live"},
                {"key": "pop3.banner", "old": "a", "new": "b\x1b", "applied": "new sessions"},
                {"key": "server.state", "old": "/a", "new": "/b", "applied": "restart"},
                {"key": "pop3.trusted_networks", "old": [], "new": ["192.0.2.0/24"], "applied": "later"},
                {"key": "notify.enabled", "old": True, "new": False, "applied": "live"},
                {"key": "server.user", "old": "", "new": None, "applied": "live"},
            ],
            "opened": ["192.0.2.10:2110"],
            "closed": ["*:110"],
            "ended": 0,
        },
    )
    result = run("reload")
    assert result.exit_code == 0
    assert [line.split() for line in result.output.splitlines()] == [
        line.split()
        for line in (
            "checked, 6 settings changed:",
            "pop3.max_connections 1000 -> 2000 applied",
            r"pop3.banner a -> b\x1b applied; sessions that were open before stay as they are",
            "server.state /a -> /b takes effect at the next start",
            "pop3.trusted_networks [] -> [192.0.2.0/24] later",
            "notify.enabled true -> false applied",
            'server.user "" -> "" applied',
            "opened 192.0.2.10:2110",
            "closed *:110",
            "No session was closed.",
        )
    ]
    assert run("reload", "--quiet").output == ""
    assert json.loads(run("reload", "--json").output)["opened"] == ["192.0.2.10:2110"]


ENDED = "ended: the account or the device may not log in so any more."


@pytest.mark.parametrize(
    ("opened", "ended", "lines"),
    [
        ([], 0, ["checked, nothing changed."]),
        (["*:110"], 0, ["checked, 0 settings changed.", "  opened *:110", "No session was closed."]),
        ([], 1, ["checked, 0 settings changed.", f"1 session {ENDED}"]),
        ([], 3, ["checked, 0 settings changed.", f"3 sessions {ENDED}"]),
    ],
)
def test_reload_without_a_changed_setting(
    run: Run, control: ControlDouble, opened: list[str], ended: int, lines: list[str]
) -> None:
    answer = {"changed": [], "opened": opened, "closed": [], "ended": ended}
    control.answers["POST /v1/reload"] = (200, answer)
    assert run("reload").output.splitlines() == lines


PROBLEMS: Any = {"problems": ["mailsuite.toml:58: error no", "mailsuite.toml:60: error \x1b[0m"]}


def test_a_refused_reload_is_status_4_with_every_problem(run: Run, control: ControlDouble) -> None:
    control.answers["POST /v1/reload"] = (422, PROBLEMS)
    result = run("reload")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.splitlines() == [
        "mailsuite.toml:58: error no",
        r"mailsuite.toml:60: error \x1b[0m",
        "2 problems. The running server keeps its settings.",
    ]
    result = run("reload", "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout) == PROBLEMS


def test_a_reload_that_fails_otherwise_is_status_1(run: Run, control: ControlDouble) -> None:
    control.answers["POST /v1/reload"] = (500, {"error": "something went wrong"})
    result = run("reload")
    assert (result.exit_code, result.stderr) == (1, "something went wrong\n")
