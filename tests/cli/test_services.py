"""service against a control socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mailsuite.cli import services
from mailsuite.cli.context import Context
from mailsuite.cli.services import service_group
from mailsuite.cli.terminal import time_text
from mailsuite.frontends.factory import DRAIN_TIMEOUT
from tests.cli.control_double import ControlDouble

Serve = Callable[..., Result]

KEPT = "messages marked deleted are kept if a session is cut."


@pytest.fixture
def service(config: Path) -> Serve:
    """Run ``mailsuite service``."""

    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(service_group, arguments, obj=Context(config))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def pop3(state: str = "running", sessions: int = 0, error: str = "") -> dict[str, Any]:
    return {
        "service": "pop3",
        "state": state,
        "since": 1_000_000.0,
        "listeners": [
            {"name": "pop3s", "addresses": ["*:995"], "tls": "implicit"},
            {"name": "pop3", "addresses": ["192.0.2.10:110"], "tls": "starttls"},
        ]
        if state == "running"
        else [],
        "sessions": sessions,
        "limit": 1000,
        "counters": {},
        "last_error": {"at": 2_000_000.0, "words": error} if error else None,
    }


def after(control: ControlDouble, answer: dict[str, Any], sessions: int) -> None:
    control.answers["POST /v1/services/pop3"] = (200, {"service": answer, "sessions_before": sessions})


def then(control: ControlDouble, monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any]) -> list[float]:
    """What the next looks show, one each; answers how long was waited between them."""
    waits: list[float] = []
    left = list(answers)

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        control.answers["GET /v1/services/pop3"] = (200, {"service": left.pop(0)})

    monkeypatch.setattr(services.time, "sleep", sleep)
    return waits


def test_the_grace_is_the_server_s() -> None:
    assert services._GRACE == DRAIN_TIMEOUT


def test_list(service: Serve, control: ControlDouble) -> None:
    both = [pop3(sessions=41), {**pop3("stopped", error="busy\x1b[2J"), "service": "smtp"}]
    control.answers["GET /v1/services"] = (200, {"services": both})
    first, running, stopped = service("list").output.splitlines()
    assert first.split() == ["SERVICE", "STATUS", "SINCE", "LISTENS", "ON", "SESSIONS", "LAST", "ERROR"]
    assert running.split("  ")[0] == "pop3"
    assert "*:995  192.0.2.10:110" in running
    assert running.endswith("   41         -")
    assert stopped.endswith(rf"   {time_text(2_000_000.0)} busy\x1b[2J")
    assert json.loads(service("list", "--json").output) == {"services": both}
    assert service("list", "--quiet").output == "pop3\n"


@pytest.mark.parametrize(
    ("sessions", "options", "words"),
    [
        (41, (), f"41 sessions go on for up to 30 s (--now ends them); {KEPT}"),
        (1, (), f"1 session goes on for up to 30 s (--now ends it); {KEPT}"),
        (41, ("--now",), f"41 sessions end now; {KEPT}"),
        (1, ("--now",), f"1 session ends now; {KEPT}"),
        (0, (), "No session is open."),
        (0, ("--now",), "No session is open."),
    ],
)
def test_stop(
    service: Serve, control: ControlDouble, sessions: int, options: tuple[str, ...], words: str
) -> None:
    after(control, pop3("stopped"), sessions)
    result = service("stop", "pop3", *options)
    assert result.exit_code == 0
    assert result.output.splitlines() == [f"POP3 takes no new connections. {words}", "stopped."]
    asked = {"action": "stop", "now": bool(options)}
    assert control.requests == [("POST", "/v1/services/pop3", asked)]


def test_stop_returns_when_the_sessions_are_gone(
    service: Serve, control: ControlDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    after(control, pop3("draining", 2), 2)
    waits = then(control, monkeypatch, pop3("draining", 1), pop3("draining", 1), pop3("stopped"))
    assert service("stop", "pop3").output.endswith("\nstopped.\n")
    assert len(waits) == 3


def test_somebody_starts_it_again_meanwhile(
    service: Serve, control: ControlDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    after(control, pop3("draining", 2), 2)
    then(control, monkeypatch, pop3("running", 2))
    assert service("stop", "pop3").output.endswith("\nrunning again.\n")


def test_sessions_that_do_not_end(
    service: Serve, control: ControlDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    after(control, pop3("draining", 2), 2)
    then(control, monkeypatch, *[pop3("draining", 2)] * 1000)
    ticks = iter(range(0, 1000, 10))
    monkeypatch.setattr(services.time, "monotonic", lambda: float(next(ticks)))
    result = service("stop", "pop3")
    assert (result.exit_code, result.stderr) == (1, "2 sessions did not end; see mailsuite who\n")


def test_stop_for_programs(service: Serve, control: ControlDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    after(control, pop3("draining", 2), 2)
    then(control, monkeypatch, pop3("stopped"))
    answer = json.loads(service("stop", "pop3", "--json").output)
    assert answer == {"service": pop3("stopped"), "sessions_before": 2}
    after(control, pop3("stopped"), 0)
    assert service("stop", "pop3", "--quiet").output == ""


def test_start(service: Serve, control: ControlDouble) -> None:
    after(control, pop3(), 0)
    assert service("start", "pop3").output == "POP3 listens on *:995  192.0.2.10:110.\n"
    assert json.loads(service("start", "pop3", "--json").output)["service"] == pop3()
    assert service("start", "pop3", "--quiet").output == ""
    assert control.requests[0][2] == {"action": "start", "now": False}


@pytest.mark.parametrize(
    ("options", "words"),
    [((), "sessions go on for up to 30 s first (--now ends them)"), (("--now",), "sessions end now")],
)
def test_restart(service: Serve, control: ControlDouble, options: tuple[str, ...], words: str) -> None:
    after(control, pop3(), 3)
    assert service("restart", "pop3", *options).output.splitlines() == [
        f"POP3 restarts; {words}.",
        "POP3 listens on *:995  192.0.2.10:110.",
    ]
    assert control.requests == [("POST", "/v1/services/pop3", {"action": "restart", "now": bool(options)})]
    assert service("restart", "pop3", "--quiet").output == ""


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_what_is_refused(service: Serve, control: ControlDouble, verb: str) -> None:
    words = "there is no service 'imap'; there are smtp, submission, lmtp, pop3"
    control.answers["POST /v1/services/imap"] = (404, {"error": words})
    result = service(verb, "imap", "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"{words}\n")


def test_without_a_server(service: Serve) -> None:
    assert service("list").exit_code == 3
