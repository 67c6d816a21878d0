"""What administrators type about notices, against a real server: each way told, tried, paused and removed."""

from __future__ import annotations

import json
import smtplib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mailsuite.cli.control import Refused
from mailsuite.cli.main import cli
from tests.system.harness import LIMITS, PATIENCE, Server
from tests.system.outgoing import submit
from tests.system.test_notify import KNOCK, Finger

JOE, ANN = "joe@example.test", "ann@example.test"
LETTER = b"From: Eve <eve@example.org>\r\nSubject: parcel\r\n\r\nIt is on its way.\r\n"

PAGER = """
import sys
with open({told!r}, "a") as told:
    told.write(sys.stdin.read())
"""


@pytest.fixture(scope="module")
def finger() -> Iterator[Finger]:
    listener = Finger()
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, finger: Finger) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "pager.py").write_text(PAGER.format(told=str(folder / "told")))
    server = Server(folder)
    server.extra = (
        f'{LIMITS}\n[notify]\ncoalesce = "0s"\nallow_networks = ["127.0.0.0/8"]\n'
        f"[notify.notifymail]\nports = [{finger.port}]\n"
        f'[[notify.command]]\nname = "pager"\nargv = ["{sys.executable}", "{folder / "pager.py"}"]\n'
    )
    notifymail = f'notifymail = {{ state = "static", address = "127.0.0.1", port = {finger.port} }}\n'
    server.settings = {JOE: notifymail}
    with server:
        yield server


def run(server: Server, *arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["--config", str(server.config), "notify", *arguments])
    assert result.exit_code == status, result.output
    return result


def added(server: Server, account: str, *arguments: str) -> str:
    return run(server, "add", account, *arguments, "-q").stdout.strip()


def shown(server: Server, id: str) -> Any:
    return json.loads(run(server, "show", id, "--json").stdout)["subscription"]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def told(server: Server) -> list[dict[str, Any]]:
    file = Path(server.directory / "told")
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_the_life_of_a_subscription(server: Server) -> None:
    id = added(server, ANN, "exec", "pager", "--level", "sender", "--window", "0s")
    server.deliver(LETTER, ANN)
    until(lambda: shown(server, id)["health"]["sent"] == 1)
    (notice,) = told(server)
    assert (notice["type"], notice["count"], notice["from"]["addr"]) == ("mail.new", 1, "eve@example.org")
    assert "subject" not in notice

    assert "exec   exec:pager   ok, " in run(server, "test", ANN).stdout
    assert [each["type"] for each in told(server)] == ["mail.new", "test"]
    attempts = json.loads(run(server, "deliveries", id, "--json").stdout)["attempts"]
    assert [each["result"] for each in attempts] == ["ok", "ok"]

    run(server, "pause", id)
    server.deliver(LETTER, ANN)
    run(server, "resume", id)  # what came meanwhile is not told any more
    run(server, "change", id, "--from", "*@example.org")
    server.deliver(LETTER, ANN)
    until(lambda: len(told(server)) == 3)
    assert (told(server)[2]["count"], told(server)[2]["type"]) == (1, "mail.new")

    run(server, "remove", id, "--yes")
    assert run(server, "show", id, status=1).stderr == f"there is no subscription {id!r}\n"
    assert json.loads(run(server, "list", ANN, "--json").stdout) == {"subscriptions": []}


def test_a_target_that_has_not_shown_that_it_wants_it_is_not_told(server: Server) -> None:
    """Nobody listens there: the code cannot be sent, and neither can anything else."""
    made = json.loads(run(server, "add", ANN, "webhook", "https://127.0.0.1:8443/S3CRET", "--json").stdout)
    assert made["subscription"]["state"] == "unverified"
    assert made["secret"].startswith("whsec_")
    results = json.loads(run(server, "test", ANN, "--json", status=1).stdout)["results"]
    assert [each["result"] for each in results] == ["unverified"]
    everything = run(server, "show", ANN).output + run(server, "list").output + server.logged()
    assert "S3CRET" not in everything
    assert made["secret"] not in everything
    run(server, "remove", made["subscription"]["id"], "--yes")


def test_notifymail_by_hand_and_what_is_shown_of_it(server: Server, finger: Finger) -> None:
    before = len(finger.heard)
    result = run(server, "test", JOE)
    assert f"notifymail   127.0.0.1:{finger.port}   ok, " in result.stdout
    assert finger.wait_for(before + 1)[-1] == KNOCK
    lines = run(server, "show", JOE).stdout.splitlines()
    assert lines[2] == f"notifymail   a fixed address: 127.0.0.1:{finger.port}"


def test_owners_have_no_more_than_their_rights(server: Server) -> None:
    owners = f"/v1/accounts/{ANN}/notices"
    with pytest.raises(Refused) as refused:  # this command is for administrators to choose
        server.control.post(owners, {"channel": "exec", "target": "pager"})
    assert "there is no command 'pager'" in refused.value.format_message()
    id = added(server, JOE, "exec", "pager")
    path, control = f"{owners}/subscriptions/{id}", server.control
    for ask in (lambda: control.patch(path, {"state": "paused"}), lambda: control.delete(path)):
        with pytest.raises(Refused) as refused:
            ask()
        assert refused.value.status == 404
    run(server, "remove", id, "--yes")


def test_orders_by_mail(server: Server) -> None:
    """By submission alone; from the net there is nobody of that name."""
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        server.deliver(LETTER, "notify@example.test", sender=ANN)
    assert refused.value.recipients["notify@example.test"][0] == 550
    submit(server, b"Subject: list\r\n\r\n", "notify@example.test", sender=ANN)
    answer = server.messages(ANN)[-1]
    assert b"Auto-Submitted: auto-replied" in answer
    assert b"You are told by nothing yet." in answer
    id = added(server, ANN, "exec", "pager", "--name", "S3CRET plans")
    submit(server, b"Subject: Re: off\r\n\r\n", "notify@example.test", sender=ANN)
    assert shown(server, id)["state"] == "paused"
    assert f"{id} ".encode() in server.messages(ANN)[-1]
    run(server, "remove", id, "--yes")


def test_the_key_of_web_push_stays(server: Server) -> None:
    key = run(server, "key").stdout
    assert (len(key.strip()), key[0]) == (87, "B")  # an uncompressed point of P-256 in base64url
    server.stop()
    server.start()
    assert run(server, "key").stdout == key


def test_status_and_figures(server: Server) -> None:
    id = added(server, ANN, "exec", "pager")
    run(server, "test", ANN)
    document = server.control.get("/v1/status")["notices"]
    assert document["subscriptions"]["active"] == 1
    figures = CliRunner().invoke(cli, ["--config", str(server.config), "metrics"]).stdout
    assert 'mailsuite_subscriptions{state="active"} 1.0' in figures
    assert 'mailsuite_notifymail_total{outcome="refused"}' in figures
    run(server, "remove", id, "--yes")
