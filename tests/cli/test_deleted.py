"""undelete and retention against a control socket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from mailsuite.cli.context import Context
from mailsuite.cli.deleted import MAX_UIDLS, undelete
from mailsuite.cli.retention import retention
from mailsuite.cli.terminal import time_text
from tests.cli.control_double import ControlDouble

Call = Callable[..., Result]

JOE = "joe@example.test"
WHERE = f"/v1/accounts/{JOE}/deleted"
AT = 1_795_000_000.0
LISTED: dict[str, Any] = {
    "account": JOE,
    "deleted": [
        {"uidl": "1795.R1", "size": 84 * 1024, "at": AT},
        {"uidl": "1794.R\x1b2", "size": 90, "at": AT - 60},
    ],
    "usage": {"messages": 7, "octets": 3 << 20, "deleted_messages": 2, "deleted_octets": 84 * 1024 + 90},
}
EMPTY = {**LISTED, "deleted": []}


@pytest.fixture
def call(config: Path) -> Call:
    def invoke(command: click.Command, *arguments: str, input: str | None = None) -> Result:
        result = CliRunner().invoke(command, arguments, obj=Context(config), input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def server(control: ControlDouble) -> ControlDouble:
    control.answers[f"GET {WHERE}"] = 200, LISTED
    control.answers[f"POST {WHERE}"] = 200, {"account": JOE, "restored": 1}
    control.answers[f"DELETE {WHERE}"] = 200, {"account": JOE, "purged": 2}
    return control


def sent(control: ControlDouble, method: str = "POST") -> list[Any]:
    return [body for used, _, body in control.requests if used == method]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("options", [[], ["--list"]])
def test_list(call: Call, options: list[str]) -> None:
    result = call(undelete, JOE, *options)
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["DELETED", "SIZE", "UIDL"],
        [*time_text(AT).split(), "84", "KiB", "1795.R1"],
        [*time_text(AT - 60).split(), "90", "B", "1794.R\\x1b2"],
    ]
    assert result.stderr == "2 deleted messages, 84 KiB, beside 7 messages, 3.0 MiB, in the inbox.\n"
    assert json.loads(call(undelete, JOE, *options, "--json").stdout) == LISTED
    assert call(undelete, JOE, *options, "-q").stdout == "1795.R1\n1794.R\\x1b2\n"


def test_an_empty_list(call: Call, server: ControlDouble) -> None:
    server.answers[f"GET {WHERE}"] = 200, EMPTY
    result = call(undelete, JOE)
    assert (result.stdout, result.exit_code) == ("", 0)
    assert result.stderr == f"Nothing that {JOE} has deleted can be brought back.\n"


def test_bring_back_some(call: Call, server: ControlDouble) -> None:
    result = call(undelete, JOE, "1795.R1", "1795.R1")
    assert (result.stdout, result.exit_code) == (f"1 message brought back for {JOE}.\n", 0)
    assert sent(server) == [{"uidls": ["1795.R1"]}]
    missing = call(undelete, JOE, "1795.R1", "other", "another")
    assert missing.exit_code == 1
    assert missing.stdout == f"1 message brought back for {JOE}.\n"
    assert missing.stderr == f"2 messages are not among what {JOE} has deleted.\n"
    assert json.loads(call(undelete, JOE, "x", "--json").stdout) == {"account": JOE, "restored": 1}
    assert call(undelete, JOE, "x", "-q").stdout == ""


def test_many_fit_into_the_requests_that_the_server_takes(call: Call, server: ControlDouble) -> None:
    server.answers[f"POST {WHERE}"] = 200, {"account": JOE, "restored": 3}
    call(undelete, JOE, *(f"u{number}" for number in range(MAX_UIDLS + 1)))
    assert [len(body["uidls"]) for body in sent(server)] == [MAX_UIDLS, 1]


def test_bring_back_all(call: Call, server: ControlDouble) -> None:
    server.answers[f"POST {WHERE}"] = 200, {"account": JOE, "restored": 2}
    assert call(undelete, JOE, "--all").stdout == f"2 messages brought back for {JOE}.\n"
    assert sent(server) == [{"all": True}]


def test_bring_back_what_was_deleted_since(call: Call, server: ControlDouble) -> None:
    before = time.time()
    for since in ("2h", "3d"):
        assert call(undelete, JOE, "--since", since).exit_code == 0
    for since in ("2026-11-18", "2026-11-18 09:15"):
        assert call(undelete, JOE, "--since", since).exit_code == 0
    hours, days, day, minute = (body["since"] for body in sent(server))
    assert hours == pytest.approx(before - 7200, abs=60)
    assert days == pytest.approx(before - 3 * 86_400, abs=60)
    assert time_text(day) == "2026-11-18 00:00"
    assert time_text(minute) == "2026-11-18 09:15"


def test_forget_for_good(call: Call, server: ControlDouble) -> None:
    result = call(undelete, JOE, "--purge", input="n\n")
    assert (result.exit_code, sent(server, "DELETE")) == (1, [])
    assert f"{JOE} has 2 deleted messages. Forget them now, for good?" in result.output
    result = call(undelete, JOE, "--purge", "--yes")
    assert result.stdout == f"2 deleted messages of {JOE} forgotten.\n"
    assert json.loads(call(undelete, JOE, "--purge", "-y", "--json").stdout)["purged"] == 2
    assert call(undelete, JOE, "--purge", "-y", "-q").stdout == ""
    assert call(undelete, JOE, "--purge", input="y\n").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        ([JOE, "--all", "x"], "exclude each other"),
        ([JOE, "--all", "--purge"], "exclude each other"),
        ([JOE, "--since", "2h", "--list"], "exclude each other"),
        ([JOE, "--since", "soon"], "nor a day"),
        ([JOE, "--since", "2026-13-01"], "nor a day"),
    ],
)
def test_usage(call: Call, server: ControlDouble, arguments: list[str], words: str) -> None:
    result = call(undelete, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert server.requests == []


def test_nobody_and_no_server(call: Call, control: ControlDouble, config: Path) -> None:
    control.answers["GET /v1/accounts/nobody@example.test/deleted"] = 404, {"error": "nobody: there is none"}
    result = call(undelete, "nobody@example.test")
    assert (result.exit_code, result.stderr) == (1, "nobody: there is none\n")
    config.write_text(config.read_text().replace("/state", "/other"))
    for command in ([undelete, JOE], [retention]):
        result = call(*command)
        assert result.exit_code == 3
        assert "mailsuite is not running" in result.stderr


def test_what_retention_would_delete(call: Call, control: ControlDouble) -> None:
    control.answers["POST /v1/retention"] = (
        200,
        {
            "days": 0.0,
            "accounts": [
                {"account": "ann@example.test", "messages": 1, "octets": 512},
                {"account": "joe\x1b@example.test", "messages": 1200, "octets": 5 << 20},
            ],
        },
    )
    result = call(retention)
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["ACCOUNT", "MESSAGES", "SIZE"],
        ["ann@example.test", "1", "512", "B"],
        ["joe\\x1b@example.test", "1200", "5.0", "MiB"],
    ]
    assert result.stderr == "1201 messages would be deleted now.\n"
    assert call(retention, "--days", "7").stderr == "1201 messages would be deleted 7 days from now.\n"
    assert sent(control) == [{"days": 0.0}, {"days": 7.0}]
    assert json.loads(call(retention, "--json").stdout)["accounts"][0]["messages"] == 1
    assert call(retention, "-q").stdout == "ann@example.test\njoe\\x1b@example.test\n"
    assert call(retention, "--days", "-1").exit_code == 2


def test_nothing_to_delete(call: Call, control: ControlDouble) -> None:
    control.answers["POST /v1/retention"] = 200, {"days": 0.0, "accounts": []}
    result = call(retention)
    assert (result.stdout, result.stderr) == ("", "Nothing would be deleted now.\n")
