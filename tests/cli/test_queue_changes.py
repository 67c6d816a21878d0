"""queue hold, release, retry, remove, bounce, redirect: what is asked of the server, and what is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailsuite.cli.queue_changes import IDS_AT_ONCE
from tests.cli.conftest import Run
from tests.cli.control_double import ControlDouble


def answers(control: ControlDouble, verb: str, matched: int, changed: int | None = None) -> None:
    done = matched if changed is None else changed
    answer = {"matched": matched, "changed": done, "dry_run": False}
    control.answers[f"POST /v1/queue/{verb}"] = (200, answer)


def asked(control: ControlDouble) -> list[Any]:
    return [body for _, _, body in control.requests]


@pytest.mark.parametrize(
    ("command", "done"),
    [
        ("hold", "held"),
        ("release", "released"),
        ("retry", "due now"),
        ("remove --yes", "removed"),
        ("bounce --yes", "given up"),
        ("redirect --yes --to eve@a.example", "redirected"),
    ],
)
def test_by_ids(run: Run, control: ControlDouble, command: str, done: str) -> None:
    verb, *options = command.split()
    answers(control, verb, 2)
    result = run("queue", verb, "0a", "0b", "--id", "0a", *options)
    assert (result.exit_code, result.output) == (0, f"2 messages {done}.\n")
    body = {"filter": {"ids": ["0a", "0b"]}, "dry_run": False}
    assert asked(control) == [body | ({"to": "eve@a.example"} if verb == "redirect" else {})]


def test_by_a_filter(run: Run, control: ControlDouble) -> None:
    answers(control, "hold", 12, 11)
    result = run("queue", "hold", "--sender", "@a.example", "--older-than", "3d")
    assert result.output == "11 of 12 messages held; the rest stays as it is.\n"
    assert asked(control)[0]["filter"] == {"sender": "@a.example", "older_than": 3 * 86400.0}


def test_all_must_be_said(run: Run, control: ControlDouble) -> None:
    answers(control, "hold", 3)
    for arguments in ([], ["--all", "0a"], ["--all", "--state", "held"]):
        result = run("queue", "hold", *arguments)
        assert result.exit_code == 2
        assert "name messages by their ids or by a filter, or say --all" in result.stderr
    assert asked(control) == []
    assert run("queue", "hold", "--all").output == "3 messages held.\n"
    assert asked(control) == [{"all": True, "dry_run": False}]


def test_what_cannot_be_undone_is_asked_first(run: Run, control: ControlDouble) -> None:
    for verb, options, question in (
        ("remove", [], "Remove, and tell nobody?"),
        ("bounce", ["--reason", "Sent twice"], "Give up, and tell the senders?"),
        ("redirect", ["--to", "eve@a.example"], "Send to eve@a.example in the place of whom they are for?"),
    ):
        answers(control, verb, 1)
        control.requests.clear()
        refused = run("queue", verb, "--all", *options, input="n\n")
        assert refused.exit_code == 1
        assert f"1 message matches. {question} [y/N]" in refused.stderr
        assert [body["dry_run"] for body in asked(control)] == [True]
        assert run("queue", verb, "--all", *options, input="y\n").exit_code == 0
        assert [body["dry_run"] for body in asked(control)] == [True, True, False]
    assert run("queue", "remove", "--all").exit_code == 2  # nobody is there to answer


def test_nothing_is_asked_where_nothing_matches(run: Run, control: ControlDouble) -> None:
    answers(control, "remove", 0)
    result = run("queue", "remove", "--sender", "x@a.example")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No message matches.\n")


def test_a_dry_run(run: Run, control: ControlDouble) -> None:
    answer = {"matched": 12, "changed": 0, "dry_run": True}
    control.answers["POST /v1/queue/remove"] = (200, answer)
    assert run("queue", "remove", "--all", "--dry-run").output == "12 messages match. Nothing was changed.\n"
    assert json.loads(run("queue", "remove", "--all", "--dry-run", "--json").output) == answer
    assert asked(control) == [{"all": True, "dry_run": True}] * 2


def test_ids_that_are_not_there(run: Run, control: ControlDouble) -> None:
    answers(control, "hold", 1)
    result = run("queue", "hold", "0a", "0b")
    assert (result.exit_code, result.stdout) == (1, "1 message held.\n")
    assert result.stderr == "1 message is not in the queue\n"
    quiet = run("queue", "hold", "0a", "0b", "0c", "-q")
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (1, "", "2 messages are not in the queue\n")
    with_filter = run("queue", "hold", "0a", "0b", "--state", "waiting")
    assert with_filter.exit_code == 0


def test_many_ids_are_several_requests(run: Run, control: ControlDouble) -> None:
    answers(control, "hold", IDS_AT_ONCE)
    names = [f"{number:x}" for number in range(2 * IDS_AT_ONCE)]
    assert json.loads(run("queue", "hold", *names, "--json").output) == {
        "matched": 2 * IDS_AT_ONCE,
        "changed": 2 * IDS_AT_ONCE,
        "dry_run": False,
    }
    assert [body["filter"]["ids"] for body in asked(control)] == [names[:IDS_AT_ONCE], names[IDS_AT_ONCE:]]


def test_the_reason_of_a_bounce(run: Run, control: ControlDouble) -> None:
    answers(control, "bounce", 1)
    run("queue", "bounce", "0a", "--yes", "--reason", "Sent twice")
    assert asked(control)[0]["reason"] == "Sent twice"


def test_what_the_server_refuses(run: Run, control: ControlDouble) -> None:
    control.answers["POST /v1/queue/redirect"] = (400, {"error": "to: 'x' is no address"})
    result = run("queue", "redirect", "0a", "--to", "x", "--yes")
    assert (result.exit_code, result.stderr) == (1, "to: 'x' is no address\n")
