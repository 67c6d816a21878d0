"""The administrator's side of the outbound queue: a real server, whose name servers answer nothing, so that
mail for others stays where it is."""

from __future__ import annotations

import json
import os
import re
import smtplib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mailsuite.cli.main import cli
from tests.system.harness import PATIENCE, Server
from tests.system.outgoing import ANN, JOE, SENDER, hand_in, reports, submit, to_others
from tests.system.sockets import letters
from tests.zones import Net

LETTER = (
    b"From: joe@example.test\r\nSubject: offer\r\nDate: Sat, 21 Nov 2026 09:14:02 +0000\r\n"
    b"Message-ID: <1@example.test>\r\n\r\n.Hello\r\n"
)


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Net() as net:
        net.trouble("", "servfail")
        server = to_others(Server(tmp_path_factory.mktemp("server")), net, 25, 'retry_fixed = "2h"')
        server.extra = server.extra.replace("[submission]\n", '[submission]\nfuture_release_quota = "0,3"\n')
        with server:
            yield server


@pytest.fixture(autouse=True)
def _nothing_left(queue: Server) -> Iterator[None]:
    yield
    run(queue, "remove", "--all", "--yes")


def run(server: Server, *arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["--config", str(server.config), "queue", *arguments])
    assert result.exit_code == status, result.output
    return result


def listed(server: Server, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(server, "list", "--json", *arguments).stdout)["messages"]
    return found


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def until_tried(server: Server, times: int = 1) -> list[dict[str, Any]]:
    """Until each recipient that is due has been tried so often."""

    def all_tried() -> bool:
        recipients = [one for each in listed(server) if not each["release"] for one in each["recipients"]]
        return all(one["tries"] >= times and one["state"] == "waiting" for one in recipients)

    until(all_tried)
    return listed(server)


def test_what_can_be_seen(queue: Server) -> None:
    submit(queue, LETTER, "a@there.example", "b@other.example")
    hand_in(queue, LETTER, "c@there.example", sender="")
    mine, bounce = until_tried(queue)
    assert (mine["sender"], mine["account"], mine["states"]) == (JOE, JOE, {"waiting": 2})
    assert (bounce["sender"], bounce["account"]) == (None, None)
    lines = run(queue, "list").stdout.splitlines()
    assert len(lines) == 4
    assert re.search(r" <> +c@there\.example +waiting, next .* +451 4\.4\.3 The domain name system", lines[2])
    assert lines[-1].startswith("2 messages, ")
    assert [each["id"] for each in listed(queue, "--account", JOE)] == [mine["id"]]
    assert run(queue, "list", "-q", "--sender", "<>").stdout == f"{bounce['id']}\n"
    assert listed(queue, "--domain", "other.example", "--error", "DOMAIN NAME", "--state", "waiting") == [
        mine
    ]
    assert listed(queue, "--older-than", "1h") == []
    shape = run(queue, "shape").stdout.splitlines()
    assert [line.split()[:3] for line in shape[1:]] == [
        ["TOTAL", "3", "3"],
        ["there.example", "2", "2"],
        ["other.example", "1", "1"],
    ]
    assert re.search(r" 3   451 4\.4\.3 ", run(queue, "errors").stdout)
    shown = run(queue, "show", mine["id"]).stdout
    assert "to           a@there.example  waiting, next " in shown
    assert "Subject: offer" in shown
    content = run(queue, "show", mine["id"], "--content").stdout_bytes
    assert b"\r\nReceived: " in content
    assert content.endswith(LETTER)
    status = CliRunner().invoke(cli, ["--config", str(queue.config), "status"]).stdout
    assert re.search(r"^queue +2 messages, oldest \d+ s \(\w+\.example: 451 4\.4\.3 ", status, re.MULTILINE)
    assert 'mailsuite_queue_messages{state="waiting"}' in queue.control.get("/v1/metrics")["text"]


def test_what_can_be_done(queue: Server) -> None:
    for _ in range(3):
        submit(queue, LETTER, "a@there.example")
    one, two, three = (each["id"] for each in until_tried(queue))
    before = len(queue.logged())
    assert run(queue, "hold", one, two).stdout == "2 messages held.\n"
    assert run(queue, "retry", "--all").stdout == "1 of 3 messages due now; the rest stays as it is.\n"
    until(lambda: listed(queue, "--id", three)[0]["recipients"][0]["tries"] == 2)
    assert run(queue, "release", "--state", "held", "--dry-run").stdout.startswith("2 messages match.")
    assert run(queue, "release", "--state", "held").stdout == "2 messages released.\n"
    until_tried(queue, 2)
    assert run(queue, "redirect", one, "--to", ANN, "--yes").stdout == "1 message redirected.\n"
    until(lambda: letters(queue, ANN))
    assert letters(queue, ANN)[0].endswith(LETTER)
    assert run(queue, "bounce", two, "--yes", "--reason", "Sent twice").stdout == "1 message given up.\n"
    until(lambda: reports(queue))
    assert "554 5.0.0 Sent twice" in str(reports(queue)[0])
    assert run(queue, "remove", three, "--yes").stdout == "1 message removed.\n"
    until(lambda: not listed(queue))
    assert run(queue, "remove", three, "--yes", status=1).stderr.endswith("1 message is not in the queue\n")
    until(lambda: f'done=removed which="ids {three}" messages=1' in queue.logged())  # lines come in batches
    log = queue.logged()[before:]
    assert f'queue.changed user={os.getuid()} done=held ids="{one} {two}"' in log
    assert f"queue.change_ended user={os.getuid()} done=released which=" in log
    assert f"done=bounced ids={two} reason=" in log


def test_somebody_cancels_his_own_mail_before_its_time(queue: Server) -> None:
    submit(queue, LETTER, "a@there.example", mail=("HOLDFOR=3600",))
    hand_in(queue, LETTER, "b@there.example", sender=SENDER)
    place = f"/v1/accounts/{JOE}/queue"
    (mine,) = queue.control.get(place)["messages"]
    assert (mine["release"] - mine["arrived"], mine["states"]) == (pytest.approx(3600, abs=5), {"waiting": 1})
    assert queue.control.post(f"{place}/remove", {"filter": {"ids": [mine["id"]]}})["changed"] == 1
    assert [each["sender"] for each in listed(queue)] == [SENDER]


def test_no_more_of_one_account_waits_than_may(queue: Server) -> None:
    for _ in range(3):
        submit(queue, LETTER, "a@there.example", mail=("HOLDFOR=3600",))
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        submit(queue, LETTER, "a@there.example", mail=("HOLDFOR=3600",))
    assert refused.value.smtp_code == 452
    assert refused.value.smtp_error.startswith(b"4.2.2 ")
    submit(queue, LETTER, "b@there.example")
    until(lambda: "submission.held_exceeded session=" in queue.logged())
    assert run(queue, "remove", "--recipient", "a@there.example", "--yes").stdout == "3 messages removed.\n"
    submit(queue, LETTER, "a@there.example", mail=("HOLDFOR=3600",))


def test_the_files_of_a_stopped_server(queue: Server) -> None:
    submit(queue, LETTER, "a@there.example")
    running = run(queue, "fsck", status=1)
    assert running.stderr.startswith("the server is running")
    queue.stop()
    try:
        assert "The queue is well.\n" in run(queue, "fsck").stdout
        assert run(queue, "list", status=3).stderr.startswith("mailsuite is not running")
    finally:
        queue.start()
    assert len(listed(queue)) == 1


def test_a_load_for_the_running_server(queue: Server) -> None:
    said = queue.cli("bench", "source", "--to", JOE, "--messages", "20", "--sessions", "2")
    assert said.startswith("20 messages, ")
    assert len(letters(queue, JOE)) >= 20
