"""who and kick against a control socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from mailsuite.cli.context import Context
from mailsuite.cli.who import kick, who
from tests.cli.control_double import ControlDouble

Call = Callable[..., Result]

JOE: dict[str, Any] = {
    "id": "0a1b2c3d",
    "service": "pop3",
    "listener": "pop3s",
    "account": "joe@example.test",
    "device": "77aa",
    "box": "trash",
    "mechanism": "APOP",
    "address": "192.0.2.1",
    "port": 4000,
    "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
    "since": 1_000_000.0,
    "octets_in": 84,
    "octets_out": 8_600_000,
    "idle": 61.2,
}
STRANGER: dict[str, Any] = {
    **JOE,
    "id": "ffffffff",
    "service": "smtp",
    "account": None,
    "device": "",
    "box": "",
    "tls": "",
    "address": "2001:db8::1",
}


@pytest.fixture
def call(config: Path) -> Call:
    def invoke(command: click.Command, *arguments: str, input: str | None = None) -> Result:
        result = CliRunner().invoke(command, arguments, obj=Context(config), input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def here(control: ControlDouble) -> ControlDouble:
    control.answers["GET /v1/sessions"] = (200, {"sessions": [JOE, STRANGER]})
    for name in ("joe@example.test", "0a1b2c3d"):
        for method in ("GET", "DELETE"):
            control.answers[f"{method} /v1/sessions/{name}"] = (200, {"sessions": [JOE]})
    control.answers["GET /v1/sessions/2001%3Adb8%3A%3A1"] = (200, {"sessions": [STRANGER]})
    control.answers["GET /v1/sessions/nobody"] = (200, {"sessions": []})
    control.answers["DELETE /v1/sessions/nobody"] = (404, {"error": "there is no session of nobody"})
    return control


def test_who_is_a_table(call: Call, here: ControlDouble) -> None:
    head, joe, stranger = call(who).output.splitlines()
    assert " ".join(head.split()) == "ID SERVICE ACCOUNT DEVICE ADDRESS TLS SINCE IN OUT IDLE"
    words = joe.split()
    assert words[:6] == ["0a1b2c3d", "pop3", "joe@example.test", "+trash", "77aa", "192.0.2.1"]
    assert words[6] == "TLSv1.3"
    assert words[9:] == ["84", "B", "8.2", "MiB", "1", "min", "1", "s"]
    assert stranger.split()[:6] == ["ffffffff", "smtp", "-", "-", "2001:db8::1", "-"]


def test_who_by_service_and_name(call: Call, here: ControlDouble) -> None:
    assert call(who, "--service", "smtp", "--quiet").output == "ffffffff\n"
    assert call(who, "joe@example.test", "--quiet").output == "0a1b2c3d\n"
    assert call(who, "2001:db8::1", "--quiet").output == "ffffffff\n"
    assert json.loads(call(who, "--json").output) == {"sessions": [JOE, STRANGER]}
    nobody = call(who, "nobody")
    assert (nobody.exit_code, nobody.stdout, nobody.stderr) == (0, "", "Nobody is here.\n")
    assert call(who, "nobody", "--quiet").output == ""


def test_what_a_stranger_sent_steers_no_terminal(call: Call, here: ControlDouble) -> None:
    here.answers["GET /v1/sessions"] = (200, {"sessions": [{**JOE, "device": "\x1b[2J"}]})
    assert r"\x1b[2J" in call(who).output


def ended(control: ControlDouble) -> list[str]:
    return [path for method, path, _ in control.requests if method == "DELETE"]


def test_kick(call: Call, here: ControlDouble) -> None:
    result = call(kick, "joe@example.test", "--yes")
    assert (result.exit_code, result.output) == (0, "1 session ended.\n")
    assert ended(here) == ["/v1/sessions/joe@example.test"]
    assert json.loads(call(kick, "0a1b2c3d", "-y", "--json").output) == {"sessions": [JOE]}
    assert call(kick, "0a1b2c3d", "-y", "-q").output == ""


def test_kick_asks_first(call: Call, here: ControlDouble) -> None:
    result = call(kick, "joe@example.test", input="n\n")
    assert result.exit_code == 1
    assert "joe@example.test has 1 session. End it?" in result.stderr
    assert ended(here) == []
    here.answers["GET /v1/sessions/joe@example.test"] = (200, {"sessions": [JOE, STRANGER]})
    result = call(kick, "joe@example.test", input="y\n")
    assert "has 2 sessions. End them?" in result.stderr
    assert len(ended(here)) == 1


def test_kick_by_two_names_counts_each_session_once(call: Call, here: ControlDouble) -> None:
    result = call(kick, "joe@example.test", "0a1b2c3d", "--yes")
    assert result.output == "1 session ended.\n"


def test_kick_nobody(call: Call, here: ControlDouble) -> None:
    result = call(kick, "nobody", "--yes")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "there is no session of nobody\n")
    result = call(kick, "nobody", "joe@example.test", "--yes")
    assert (result.exit_code, result.stdout) == (0, "1 session ended.\n")
    assert result.stderr == "there is no session of nobody\n"
    assert call(kick).exit_code == 2
    here.answers["DELETE /v1/sessions/0a1b2c3d"] = (503, {"error": "not now"})
    assert call(kick, "joe@example.test", "0a1b2c3d", "--yes").stderr == "not now\n"


def test_who_comes_too_often(call: Call, control: ControlDouble) -> None:
    program = {
        "account": "joe@example.test",
        "device": "",
        "address": "192.0.2.1",
        "refusals": 12,
        "interval": 30.2,
        "ago": 61.0,
    }
    control.answers["GET /v1/impatient"] = (200, {"impatient": [program]})
    shown = call(who, "--too-often")
    assert shown.output.splitlines()[1].split() == (
        ["joe@example.test", "-", "192.0.2.1", "12", "30", "s", "1", "min", "1", "s", "ago"]
    )
    assert json.loads(call(who, "--too-often", "--json").output) == {"impatient": [program]}
    control.answers["GET /v1/impatient"] = (200, {"impatient": []})
    assert "Nobody comes too often." in call(who, "--too-often").output
    assert call(who, "--too-often", "joe@example.test").exit_code == 2
