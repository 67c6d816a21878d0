"""queue list, show, shape, errors: what people and programs see of the queue."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from mailsuite.cli.terminal import time_text
from tests.cli.conftest import Run
from tests.cli.control_double import ControlDouble

NOW = 1_795_000_000.0
LATER = time_text(NOW + 600)[-5:]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)


def recipient(address: str, state: str = "waiting", **rest: Any) -> dict[str, Any]:
    due = NOW + 600 if state == "waiting" else None
    return {"address": address, "state": state, "due": due, "tries": 0, "last": None, "notify": None, **rest}


def said(
    text: str, fate: str = "deferred", host: str | None = "mx.gmail.example [192.0.2.1]"
) -> dict[str, Any]:
    return {"fate": fate, "said": text, "host": host, "at": NOW - 60}


def message(id: str, *recipients: dict[str, Any], **rest: Any) -> dict[str, Any]:
    states: dict[str, int] = {}
    for each in recipients:
        states[each["state"]] = states.get(each["state"], 0) + 1
    return {
        "id": id,
        "sender": "ann@example.net",
        "account": None,
        "arrived": NOW - 41 * 60,
        "release": None,
        "size": 84 << 10,
        "states": states,
        "recipients": list(recipients),
        "more": 0,
        **rest,
    }


FULL = message(
    "0a1b2c3d4e5f6071",
    recipient("bob@gmail.example", tries=3, last=said("421 4.7.28 rate limited")),
    recipient("max@gmail.example", "over", tries=1, last=said("550 5.1.1 no such user", "failed")),
    account="ann@example.net",
    release=None,
    body="7BIT",
    smtputf8=False,
    require_tls=False,
    ret=None,
    envid=None,
)
BOUNCE = message("0b", recipient("eve@a.example", "leased"), sender=None, size=812, arrived=NOW - 5, more=3)
HELD = message("0c", recipient("x\x1b[2J@a.example", "held"), arrived=NOW - 200_000)
PAGE = "count=500"


@pytest.fixture
def queue(control: ControlDouble) -> ControlDouble:
    messages = [FULL, BOUNCE, HELD]
    control.answers |= {
        f"GET /v1/queue?after=&{PAGE}": (200, {"messages": messages, "after": None}),
        "GET /v1/queue/count?": (200, {"messages": 3}),
    }
    return control


def test_one_line_for_each_message_and_a_sum(run: Run, queue: ControlDouble) -> None:
    listed = run("queue", "list")
    assert listed.exit_code == 0
    assert listed.stdout.splitlines() == [
        "ID                    AGE     SIZE   FROM              TO                          "
        "STATE                 LAST REPLY",
        "0a1b2c3d4e5f6071   41 min   84 KiB   ann@example.net   bob@gmail.example, 1 more   "
        f"waiting, next {LATER}   421 4.7.28 rate limited",
        "0b                    5 s    812 B   <>                eve@a.example, 3 more       "
        "being sent            -",
        r"0c                    2 d   84 KiB   ann@example.net   x\x1b[2J@a.example          "
        "held                  -",
        "3 messages, 169 KiB.",
    ]


def test_a_message_for_nobody(run: Run, control: ControlDouble) -> None:
    control.answers |= {
        f"GET /v1/queue?after=&{PAGE}": (200, {"messages": [message("0e")], "after": None}),
        "GET /v1/queue/count?": (200, {"messages": 1}),
    }
    assert run("queue", "list").stdout.splitlines()[1].split()[-3:] == ["nobody", "over", "-"]


def test_the_list_for_programs(run: Run, queue: ControlDouble) -> None:
    assert json.loads(run("queue", "list", "--json").stdout) == {"messages": [FULL, BOUNCE, HELD], "total": 3}
    assert run("queue", "list", "-q").stdout == "0a1b2c3d4e5f6071\n0b\n0c\n"


def test_filters_are_asked_for(run: Run, control: ControlDouble) -> None:
    asked = (
        "sender=%3C%3E&domain=a.example&account=ann%40example.net&older_than=7200.0&error=rate+limited"
        "&state=held&ids=0b&ids=0c"
    )
    control.answers |= {
        f"GET /v1/queue?{asked}&after=&{PAGE}": (200, {"messages": [HELD], "after": None}),
        f"GET /v1/queue/count?{asked}": (200, {"messages": 1}),
    }
    options = "--sender <> --domain a.example --account ann@example.net --older-than 2h --state held"
    listed = run("queue", "list", *options.split(), "--error", "rate limited", "--id", "0b", "--id", "0c")
    assert listed.stdout.splitlines()[1].startswith("0c")
    assert listed.stdout.splitlines()[-1] == "1 message, 84 KiB."


def test_pages_are_put_together(run: Run, control: ControlDouble) -> None:
    control.answers |= {
        "GET /v1/queue?after=&count=2": (200, {"messages": [FULL, BOUNCE], "after": "0b"}),
        "GET /v1/queue/count?": (200, {"messages": 7000}),
        f"GET /v1/queue?after=&{PAGE}": (200, {"messages": [FULL, BOUNCE], "after": "0b"}),
        f"GET /v1/queue?after=0b&{PAGE}": (200, {"messages": [HELD], "after": None}),
    }
    assert run("queue", "list", "-q").stdout.split() == ["0a1b2c3d4e5f6071", "0b", "0c"]
    limited = run("queue", "list", "--limit", "2")
    assert limited.stdout.splitlines()[-1] == "2 of 7000 messages; --limit 7000 shows all."
    assert limited.stdout.count("\n") == 4


def test_nothing_is_there(run: Run, control: ControlDouble) -> None:
    empty = {"messages": [], "after": None}
    control.answers |= {
        f"GET /v1/queue?after=&{PAGE}": (200, empty),
        f"GET /v1/queue?state=held&after=&{PAGE}": (200, empty),
        "GET /v1/queue/count?": (200, {"messages": 0}),
        "GET /v1/queue/count?state=held": (200, {"messages": 0}),
        "GET /v1/queue/shape?count=100": (200, {"destinations": []}),
        "GET /v1/queue/errors?count=100": (200, {"errors": []}),
    }
    for arguments, words in (
        (["list"], "The queue is empty.\n"),
        (["list", "--state", "held"], "No message matches.\n"),
        (["shape"], "The queue is empty.\n"),
        (["errors"], "No attempt has failed of what is in the queue.\n"),
    ):
        result = run("queue", *arguments)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", words)


def test_one_message(run: Run, control: ControlDouble) -> None:
    document = {"message": FULL, "header": "Subject: offer\x1b[2J\n\tfolded\nFrom: ann@example.net"}
    control.answers["GET /v1/queue/messages/0a1b2c3d4e5f6071"] = (200, document)
    shown = run("queue", "show", "0a1b2c3d4e5f6071")
    assert shown.stdout.splitlines() == [
        "id           0a1b2c3d4e5f6071",
        "from         ann@example.net  (logged in as ann@example.net)",
        "size         84 KiB",
        f"arrived      {time_text(NOW - 41 * 60)}, 41 min ago",
        f"to           bob@gmail.example  waiting, next {LATER}, tried 3 times",
        "                 421 4.7.28 rate limited  (mx.gmail.example [192.0.2.1])",
        "             max@gmail.example  failed, tried 1 time",
        "                 550 5.1.1 no such user  (mx.gmail.example [192.0.2.1])",
        "",
        r"Subject: offer\x1b[2J",
        "\tfolded",
        "From: ann@example.net",
    ]
    assert json.loads(run("queue", "show", "0a1b2c3d4e5f6071", "--json").stdout) == document


def test_one_message_with_all_that_can_be_said(run: Run, control: ControlDouble) -> None:
    rare = message(
        "0d",
        recipient("a@a.example", "held", last=said("554 5.0.0 given up", host=None)),
        recipient("b@a.example", "over"),
        sender=None,
        more=2,
        release=NOW + 86400,
        require_tls=True,
    )
    control.answers["GET /v1/queue/messages/0d"] = (200, {"message": rare, "header": None})
    lines = run("queue", "show", "0d").stdout.splitlines()
    assert lines[1] == "from         <>"
    assert lines[4:] == [
        f"not before   {time_text(NOW + 86400)}",
        "needs        TLS all the way (REQUIRETLS)",
        "to           a@a.example  held",
        "                 554 5.0.0 given up",
        "             b@a.example  over",
        "             and 2 more recipients",
        "",
        "The message cannot be read; the server's log says why.",
    ]


def test_the_content(run: Run, control: ControlDouble) -> None:
    octets = b"Subject: x\r\n\r\n\xff\0 .\r\n" * 5000
    control.answers["GET /v1/queue/messages/0d/content"] = (200, octets)
    assert run("queue", "show", "0d", "--content").stdout_bytes == octets
    control.answers["GET /v1/queue/messages/0d/content"] = (404, {"error": "there is no message 0d"})
    missing = run("queue", "show", "0d", "--content")
    assert (missing.exit_code, missing.stderr) == (1, "there is no message 0d\n")
    assert run("queue", "show", "0d", "--content", "--json").exit_code == 2


def test_the_shape(run: Run, control: ControlDouble) -> None:
    document = {
        "ages": [300.0, 600.0, 1800.0, 7200.0, 43200.0],
        "total": 6,
        "counts": [1, 0, 1, 4, 0, 0],
        "destinations": [
            {
                "destination": "gmail.example",
                "total": 4,
                "counts": [0, 0, 0, 4, 0, 0],
                "last": "421 4.7.28 rate limited",
                "blocked_until": NOW + 600,
            },
            {
                "destination": "",
                "total": 2,
                "counts": [1, 0, 1, 0, 0, 0],
                "last": None,
                "blocked_until": NOW - 1,
            },
        ],
        "more": 3,
    }
    control.answers["GET /v1/queue/shape?count=100"] = (200, document)
    shown = run("queue", "shape")
    assert shown.stdout.splitlines() == [
        "                total   <5m   <10m   <30m   <2h   <12h   older",
        "TOTAL               6     1      0      1     4      0       0",
        "gmail.example       4     0      0      0     4      0       0   "
        f"421 4.7.28 rate limited, next try {LATER}",
        "(this server)       2     1      0      1     0      0       0",
    ]
    assert shown.stderr == "And 3 more destinations.\n"
    assert json.loads(run("queue", "shape", "--json").stdout) == document


def test_errors(run: Run, control: ControlDouble) -> None:
    document = {"errors": [{"error": "421 rate\x1b", "recipients": 40}, {"error": "450 x", "recipients": 1}]}
    control.answers["GET /v1/queue/errors?count=100"] = (200, document)
    lines = run("queue", "errors").stdout.splitlines()
    assert lines == ["RECIPIENTS   LAST REPLY", r"        40   421 rate\x1b", "         1   450 x"]
    assert json.loads(run("queue", "errors", "--json").stdout) == document


@pytest.mark.parametrize(
    "command",
    ["list", "list -q", "shape", "errors", "show 0d", "show 0d --content", "hold 0d", "remove --all"],
)
def test_without_a_server(run: Run, command: str) -> None:
    result = run("queue", *command.split())
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("mailsuite is not running (tried /")


def test_wrong_usage(run: Run) -> None:
    for arguments, words in (
        (["list", "--older-than", "soon"], "is no duration"),
        (["list", "--state", "frozen"], "'frozen' is not one of"),
        (["list", "--domain", "a.example", "--recipient", "b@a.example"], "exclude each other"),
        (["list", "--limit", "0"], "0 is not in the range"),
    ):
        result = run("queue", *arguments)
        assert result.exit_code == 2
        assert words in result.stderr
