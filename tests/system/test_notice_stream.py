"""The stream over HTTPS: from the SMTP 250 to the event on the user's screen, with real processes."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness import LIMITS, PATIENCE, Server, password_of
from tests.system.streams import ANN, JOE, WITH_NOTIFY, Listening, ask, authorization
from tests.system.test_notify import Finger

MAIL = b"From: Ann <ann@elsewhere.example>\r\nTo: joe@example.test\r\nSubject: Lunch?\r\n\r\nAt one.\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), listeners=WITH_NOTIFY) as running:
        yield running


def test_curl_is_told_while_mail_arrives(server: Server) -> None:
    command = [
        "curl",
        "--silent",
        "--no-buffer",
        "--max-time",
        str(PATIENCE),
        "--cacert",
        str(server.certificate),
        "--user",
        f"{JOE}:{password_of(JOE)}",
        f"https://localhost:{server.ports['notify']}/notify/v1/stream?closeafter=state",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        assert curl.stdout.readline().startswith(b"retry: ")
        server.deliver(MAIL)
        said = curl.stdout.read().decode()
    assert curl.returncode == 0, said
    fields = dict(line.split(": ", 1) for line in said.splitlines() if line.strip(": "))
    document = json.loads(fields["data"])
    assert (fields["event"], fields["id"]) == ("mail", str(document["seq"]))
    assert (document["type"], document["subject"]) == ("mail.new", "Lunch?")
    assert document["from"] == {"name": "Ann", "addr": "ann@elsewhere.example"}
    assert "example.test" not in fields["data"], "nobody else learns whose it is"


def test_everybody_hears_of_their_own(server: Server) -> None:
    joe, ann = Listening.open(server), Listening.open(server, who=authorization(ANN))
    server.deliver(MAIL, ANN)
    (event,) = ann.next()
    assert event.type == "mail"
    server.deliver(MAIL)
    joe.next()
    assert (joe.events, ann.events) == ([], [])
    joe.close()
    ann.close()


def test_a_wrong_password_and_one_for_something_else(server: Server) -> None:
    fetching = server.add_device(JOE, "only fetches", scopes=["pop3"])
    for who in (authorization(JOE, "wrong"), authorization(JOE, fetching), {}):
        stream = Listening.open(server, who=who)
        assert stream.status == 401
        stream.close()


def test_a_device_that_is_removed_ends_its_streams_at_once(server: Server) -> None:
    password = server.add_device(JOE, "desktop", scopes=["notify"])
    desktop = Listening.open(server, who=authorization(JOE, password))
    own = Listening.open(server)
    server.deliver(MAIL)
    assert desktop.next()[0].id == own.next()[0].id
    server.control.delete("/v1/accounts/joe@example.test/devices/desktop")
    assert not desktop.end(), "cut, in the middle"
    stream = Listening.open(server, who=authorization(JOE, password))
    assert stream.status == 401
    stream.close()
    server.deliver(MAIL)
    own.next()
    own.close()
    devices = [each["device"] for each in ask(server, "GET /subscriptions")[1]["subscriptions"]]
    assert devices == [None], "what it followed by has gone with it"


def test_from_where_it_stood_over_a_restart(tmp_path: Path) -> None:
    with Server(tmp_path, listeners=WITH_NOTIFY) as server:
        stream = Listening.open(server)
        server.deliver(MAIL)
        (first,) = stream.next()
        assert first.id is not None
        server.stop()
        assert stream.end(), "it ends whole"
        assert stream.retry is not None
        assert 5000 <= stream.retry <= 30_000
        server.start()
        server.deliver(MAIL)
        server.deliver(MAIL)
        again = Listening.open(server, last=first.id)
        assert [event.id for event in again.next(2)] == [str(int(first.id) + 1), str(int(first.id) + 2)]
        nowhere = Listening.open(server, last="4711")
        assert nowhere.next()[0].type == "resync"
        for each in (again, nowhere):
            each.close()


def test_the_service_is_stopped_and_started(server: Server) -> None:
    stream = Listening.open(server)
    server.control.post("/v1/services/notify", {"action": "stop", "now": True})
    stream.end()
    server.control.post("/v1/services/notify", {"action": "start"})
    server.read_ports()
    Listening.open(server).close()


def test_a_burst_is_told_in_few_events_and_the_last_is_there(server: Server) -> None:
    stream = Listening.open(server)
    with server.smtp() as client:
        for _ in range(60):
            client.sendmail("sender@elsewhere.example", [JOE], MAIL)
    events = stream.until(lambda events: sum(json.loads(each.data)["count"] for each in events) >= 60)
    assert sum(json.loads(each.data)["count"] for each in events) == 60
    stream.close()


def test_so_many_of_one_account_and_one_more_when_one_has_gone(server: Server) -> None:
    streams = [Listening.open(server) for _ in range(20)]
    beyond = Listening.open(server)
    beyond.close()
    assert (streams[-1].status, beyond.status) == (200, 429)
    streams.pop().close()
    begun, status = time.monotonic(), 0
    while status != 200:
        assert time.monotonic() - begun < PATIENCE
        streams.append(Listening.open(server))
        status = streams[-1].status
    for each in streams:
        each.close()


def test_a_stream_tells_where_somebody_is_where_that_is_wanted(tmp_path: Path) -> None:
    finger = Finger()
    extra = (
        f'{LIMITS}\n[notify]\ncoalesce = "0s"\nallow_networks = ["127.0.0.0/8"]\n'
        f'[notify.notifymail]\nports = [{finger.port}]\nlearn_from = ["stream"]\n'
    )
    last_ip = f'{{ state = "last-ip", port = {finger.port} }}'
    try:
        with Server(tmp_path, listeners=WITH_NOTIFY, extra=extra, notifymail=last_ip) as server:
            assert ask(server, "GET /subscriptions")[0] == 200
            stream = Listening.open(server)
            server.deliver(MAIL)
            stream.next()
            assert finger.wait_for(1) == [b"nm_notifyuser\r\n"]
            stream.close()
    finally:
        finger.close()
