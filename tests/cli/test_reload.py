"""reload against a control socket."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from mailsuite.cli.reload import APPLIED
from mailsuite.config.declare import Applied
from tests.cli.conftest import Run
from tests.cli.control_double import ControlDouble


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


NOTHING: Any = {"changed": [], "opened": [], "closed": [], "ended": 0}


@pytest.mark.parametrize(
    ("connection", "address"),
    [
        ("192.0.2.7 50022 192.0.2.10 22", "192.0.2.7"),
        ("2001:db8::7 50022 2001:db8::10 22", "2001:db8::7"),
        ("fe80::7%eth0 50022 fe80::10%eth0 22", "fe80::7"),
        ("UNKNOWN 65535 UNKNOWN 65535", None),
        ("", None),
        (None, None),
    ],
)
def test_the_server_learns_where_the_administrator_is(
    run: Run,
    control: ControlDouble,
    monkeypatch: pytest.MonkeyPatch,
    connection: str | None,
    address: str | None,
) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    if connection is not None:
        monkeypatch.setenv("SSH_CONNECTION", connection)
    control.answers["POST /v1/reload"] = (200, NOTHING)
    run("reload")
    run("reload", "--force")
    assert [body for _, _, body in control.requests] == [
        {"force": False, "from": address},
        {"force": True, "from": address},
    ]


def test_a_reload_that_locks_out_says_so(run: Run, control: ControlDouble) -> None:
    words = "listener pop3 would not let you in from 192.0.2.7; --force applies it all the same"
    control.answers["POST /v1/reload"] = (409, {"error": words})
    result = run("reload")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"{words}\n")
