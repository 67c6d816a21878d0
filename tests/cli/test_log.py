"""log and metrics against a control socket."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from mailsuite.cli.context import Context
from mailsuite.cli.log import log_group
from mailsuite.cli.metrics import metrics
from tests.cli.control_double import ControlDouble

WATCH = {"who": "joe@example.test\x1b", "level": "commands", "until": 1_795_000_000.0}


class Offline(Context):
    """A context whose control socket is the double's."""

    def __init__(self, control: ControlDouble) -> None:
        super().__init__()
        from mailsuite.cli.control import Control

        self.control = Control(control.path)


def run(control: ControlDouble, *arguments: str) -> Result:
    command = metrics if arguments[0] == "metrics" else log_group
    result = CliRunner().invoke(command, arguments[1:], obj=Offline(control))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_figures(control: ControlDouble) -> None:
    control.answers["GET /v1/metrics"] = (200, {"text": "mailsuite_bans 1.0\nother\x1b 2\n"})
    result = run(control, "metrics")
    assert (result.exit_code, result.output) == (0, "mailsuite_bans 1.0\nother\\x1b 2\n")


def test_watching_somebody(control: ControlDouble) -> None:
    control.answers["POST /v1/log/protocol"] = (201, {"watch": WATCH})
    result = run(control, "log", "protocol", "joe@example.test")
    assert result.output.startswith(r"Watching joe@example.test\x1b (commands) until 2026-11-")
    run(control, "log", "protocol", "192.0.2.0/24", "--level", "raw", "--for", "2h", "-q")
    assert [body for _, _, body in control.requests] == [
        {"who": "joe@example.test", "level": "commands", "seconds": 900.0},
        {"who": "192.0.2.0/24", "level": "raw", "seconds": 7200.0},
    ]
    assert json.loads(run(control, "log", "protocol", "joe@example.test", "--json").output) == {
        "watch": WATCH
    }


def test_no_more(control: ControlDouble) -> None:
    control.answers["DELETE /v1/log/protocol/192.0.2.0%2F24"] = (200, {"who": "192.0.2.0/24"})
    result = run(control, "log", "protocol", "192.0.2.0/24", "--off")
    assert result.output == "192.0.2.0/24 is watched no more.\n"
    control.answers["DELETE /v1/log/protocol/192.0.2.7"] = (404, {"error": "192.0.2.7 is not watched"})
    result = run(control, "log", "protocol", "192.0.2.7", "--off")
    assert (result.exit_code, result.stderr) == (1, "192.0.2.7 is not watched\n")


def test_who_is_watched(control: ControlDouble) -> None:
    control.answers["GET /v1/log/protocol"] = (200, {"watches": [WATCH]})
    lines = run(control, "log", "protocol", "--list").output.splitlines()
    assert lines[0].split() == ["WHO", "LEVEL", "UNTIL"]
    assert lines[1].split()[:2] == [r"joe@example.test\x1b", "commands"]
    assert run(control, "log", "protocol", "--list", "-q").output == "joe@example.test\\x1b\n"
    assert json.loads(run(control, "log", "protocol", "--list", "--json").output) == {"watches": [WATCH]}
    control.answers["GET /v1/log/protocol"] = (200, {"watches": []})
    result = run(control, "log", "protocol", "--list")
    assert (result.stdout, result.stderr) == ("", "Nobody is watched.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["joe@example.test", "--list"],
        ["joe@example.test", "--for", "2y"],
        ["joe@example.test", "--for", "25h"],
        ["joe@example.test", "--level", "sessions"],
    ],
)
def test_wrong_usage(control: ControlDouble, arguments: list[str]) -> None:
    assert run(control, "log", "protocol", *arguments).exit_code == 2
    assert control.requests == []
