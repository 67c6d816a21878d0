"""One service stopped, started and restarted while the others run; who is there, and who is thrown out."""

from __future__ import annotations

import contextlib
import json
import poplib
import smtplib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mailsuite.cli.control import Refused
from mailsuite.frontends.factory import DRAIN_TIMEOUT
from tests.system.clients import Client, connect, pop3, within
from tests.system.harness import DEVICE, LIMITS, PATIENCE, Server

JOE = "joe@example.test"
CYCLES = 20


def service(server: Server, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = server.control.get(f"/v1/services/{name}")["service"]
    return answer


def act(server: Server, name: str, action: str, now: bool = False) -> dict[str, Any]:
    return server.control.post(f"/v1/services/{name}", {"action": action, "now": now})


def refuses(server: Server, listener: str) -> None:
    with pytest.raises(ConnectionRefusedError), connect(server, listener):
        pass


def is_(server: Server, name: str, state: str) -> None:
    assert service(server, name)["state"] == state


def is_logged(server: Server, words: str) -> None:
    """Lines go to the log in batches."""
    assert words in server.logged()


def fixed(server: Server, listener: str) -> int:
    """Give a listener a port that stays its own over a stop and a start."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    head, name, rest = server.listeners.partition(f'name    = "{listener}"')
    server.listeners = head + name + rest.replace("port    = 0", f"port    = {port}", 1)
    return port


def test_stop(own_server: Server) -> None:
    """Nobody comes in, who is there goes on; the other services are not touched."""
    own_server.start()
    own_server.deliver(b"Subject: one\r\n\r\n")
    with pop3(own_server) as client, connect(own_server, "mx") as sender:
        sender.line()
        answer = act(own_server, "pop3", "stop")
        assert (answer["service"]["state"], answer["sessions_before"]) == ("draining", 1)
        for listener in ("pop3", "pop3s", "pop3-trusted"):
            refuses(own_server, listener)
        client.say(b"STAT", b"+OK 1 ")
        client.say(b"DELE 1", b"+OK")
        sender.say(b"NOOP", b"250")
        own_server.deliver(b"Subject: two\r\n\r\n")
        client.say(b"QUIT", b"+OK")
    within(PATIENCE, lambda: is_(own_server, "pop3", "stopped"), AssertionError)
    act(own_server, "pop3", "start")
    own_server.read_ports()
    [message] = own_server.messages()
    assert message.endswith(b"Subject: two\r\n\r\n"), "a QUIT while the service stops removes as ever"


def test_who_stays_is_told_and_keeps_what_was_marked(own_server: Server) -> None:
    own_server.start()
    own_server.deliver(b"Subject: one\r\n\r\n")
    with pop3(own_server) as client, connect(own_server, "mx") as sender:
        sender.line()
        client.say(b"DELE 1", b"+OK")
        said = own_server.cli("service", "stop", "pop3", "--now")
        taken, stopped = said.splitlines()
        assert taken == (
            "POP3 takes no new connections. 1 session ends now; "
            "messages marked deleted are kept if a session is cut."
        )
        assert stopped == "stopped."
        assert client.line().startswith(b"-ERR [SYS/TEMP] ")
        assert client.rest() == b""
        own_server.cli("service", "stop", "smtp", "--now")
        assert sender.line().startswith(b"421 4.3.2 ")
    own_server.cli("service", "start", "pop3")
    own_server.read_ports()
    assert len(own_server.messages()) == 1


def test_who_stays_longer_than_the_drain_is_told(own_server: Server) -> None:
    """The whole 30 seconds: what a person meets who stops a service with sessions in it."""
    own_server.start()
    with pop3(own_server) as client:
        began = time.monotonic()
        act(own_server, "pop3", "stop")
        client.say(b"NOOP", b"+OK")
        client.socket.settimeout(DRAIN_TIMEOUT + PATIENCE)
        assert client.line().startswith(b"-ERR [SYS/TEMP] ")
        assert DRAIN_TIMEOUT - 1 < time.monotonic() - began < DRAIN_TIMEOUT + 10
        assert client.rest() == b""
    within(PATIENCE, lambda: is_(own_server, "pop3", "stopped"), AssertionError)


def test_a_start_lets_those_stay_who_were_about_to_leave(own_server: Server) -> None:
    own_server.start()
    with pop3(own_server) as client:
        act(own_server, "pop3", "stop")
        act(own_server, "pop3", "start")
        own_server.read_ports()
        status = service(own_server, "pop3")
        assert (status["state"], status["sessions"]) == ("running", 1)
        client.say(b"NOOP", b"+OK")
        with own_server.pop3("ann@example.test"):
            assert service(own_server, "pop3")["sessions"] == 2


def test_it_stays_stopped(own_server: Server) -> None:
    """Over a reload, a kill and a start of the server; over a stop of the server, too."""
    own_server.start()
    since = act(own_server, "submission", "stop")["service"]["since"]
    own_server.extra = LIMITS + 'banner = "Good day"\n'
    own_server.write_config()
    own_server.cli("reload")
    refuses(own_server, "submission")
    for end in (own_server.kill, own_server.stop):
        end()
        own_server.start()
        assert "submissions" not in own_server.ports
        status = service(own_server, "submission")
        assert (status["state"], status["listeners"]) == ("stopped", [])
        assert abs(status["since"] - since) < 1
    assert "submission   stopped" in own_server.cli("status")
    own_server.cli("service", "start", "submission")
    own_server.kill()
    own_server.start()
    assert "submissions" in own_server.ports


def test_a_record_that_somebody_spoilt(own_server: Server) -> None:
    """What it names stays closed, the rest is opened; the next change makes it whole."""
    own_server.start()
    act(own_server, "pop3", "stop")
    own_server.stop()
    record = own_server.state / "services.json"
    record.write_text(record.read_text().replace("}", ""))
    own_server.start()
    assert service(own_server, "pop3")["state"] == "stopped"
    assert service(own_server, "smtp")["state"] == "running"
    assert "service.record_broken" in own_server.logged()
    act(own_server, "pop3", "start")
    assert json.loads(record.read_text()) == {"stopped": {}}


def test_a_record_that_cannot_be_read_is_named(own_server: Server) -> None:
    own_server.start()
    own_server.stop()
    (own_server.state / "services.json").mkdir()
    with pytest.raises(AssertionError, match=r"services\.json: Is a directory"):
        own_server.start()


def test_a_busy_port_is_named_and_it_stays_stopped(own_server: Server) -> None:
    port = fixed(own_server, "pop3")
    own_server.start()
    act(own_server, "pop3", "stop", now=True)
    with socket.create_server(("127.0.0.1", port)):
        said = own_server.cli("service", "start", "pop3", status=1)
        words = f"listener pop3: cannot listen on 127.0.0.1 port {port}: Address already in use"
        assert said.strip() == words
        refuses(own_server, "pop3s")
        status = service(own_server, "pop3")
        assert (status["state"], status["last_error"]["words"]) == ("stopped", words)
        assert words in own_server.cli("status")
        assert words in own_server.cli("service", "list")
    own_server.cli("service", "start", "pop3")
    own_server.read_ports()
    with own_server.pop3():
        pass


def test_restart(own_server: Server) -> None:
    """Who is there has the time to end; then it runs again, on the same port."""
    port = fixed(own_server, "pop3-trusted")
    own_server.start()
    with pop3(own_server) as client:
        done: list[dict[str, Any]] = []
        asking = threading.Thread(target=lambda: done.append(act(own_server, "pop3", "restart")))
        asking.start()
        within(PATIENCE, lambda: is_(own_server, "pop3", "draining"), AssertionError)
        refuses(own_server, "pop3-trusted")
        client.say(b"STAT", b"+OK")
        client.say(b"QUIT", b"+OK")
    asking.join(PATIENCE)
    [answer] = done
    assert (answer["service"]["state"], answer["sessions_before"]) == ("running", 1)
    own_server.read_ports()
    assert own_server.ports["pop3-trusted"] == port
    with own_server.pop3():
        pass
    own_server.kill()
    own_server.start()
    assert own_server.ports["pop3-trusted"] == port, "a restart is nothing that is remembered"


def test_a_server_that_stops_waits_for_no_restart(own_server: Server) -> None:
    own_server.start()
    with pop3(own_server) as client:
        with contextlib.suppress(Refused):
            act(own_server, "pop3", "stop")
        began = time.monotonic()
        assert own_server.stop() == 0
        assert time.monotonic() - began < DRAIN_TIMEOUT / 2
        assert client.line().startswith(b"-ERR [SYS/TEMP]")


def test_unknown_names(server: Server) -> None:
    words = "there is no service 'imap'; there are smtp, submission, lmtp, pop3, notify"
    assert server.cli("service", "stop", "imap", status=1).strip() == words
    with pytest.raises(Refused) as caught:
        server.control.get("/v1/services/imap")
    assert (caught.value.status, str(caught.value)) == (404, words)
    with pytest.raises(Refused, match="action is none of start, stop, restart"):
        server.control.post("/v1/services/pop3", {"action": "explode"})


def test_the_list(server: Server) -> None:
    names = [each["service"] for each in server.control.get("/v1/services")["services"]]
    assert names == ["smtp", "submission", "lmtp", "pop3", "notify"]
    said = server.cli("service", "list")
    assert f"127.0.0.1:{server.ports['pop3s']}" in said
    assert said.count("running") == 3


def deliver_until(
    server: Server, port: int, over: threading.Event, sent: list[str], waits: list[float]
) -> None:
    """Hand in one message after the other, each until it is taken; note how long each refusal lasted."""
    while not over.is_set():
        name = f"{threading.get_ident()}-{len(sent)}-{time.monotonic_ns()}"
        began = time.monotonic()
        while True:
            try:
                with smtplib.SMTP("127.0.0.1", port, "client.example", timeout=PATIENCE) as client:
                    waits.append(time.monotonic() - began)
                    client.sendmail("a@elsewhere.example", [JOE], f"Subject: {name}\r\n\r\n")
                break
            except (ConnectionError, smtplib.SMTPConnectError, smtplib.SMTPServerDisconnected):
                time.sleep(0.002)
        sent.append(name)


def test_many_cycles_under_load(own_server: Server) -> None:
    """Whatever was acknowledged is there once, and nobody is kept out for longer than a drain."""
    port = fixed(own_server, "mx")
    own_server.start()
    over, sent, waits = threading.Event(), [], []
    clients = [
        threading.Thread(target=deliver_until, args=(own_server, port, over, sent, waits)) for _ in range(4)
    ]
    for client in clients:
        client.start()
    try:
        for number in range(CYCLES):
            act(own_server, "smtp", "stop" if number % 2 else "restart")
            act(own_server, "smtp", "start")
            before = len(sent)
            within(PATIENCE, lambda before=before: _more_than(before, sent), AssertionError)  # type: ignore[misc]
    finally:
        over.set()
        for client in clients:
            client.join(PATIENCE)
    assert not any(client.is_alive() for client in clients)
    subjects = [message.partition(b"Subject: ")[2].split()[0].decode() for message in own_server.messages()]
    assert sorted(subjects) == sorted(sent)
    assert max(waits) < DRAIN_TIMEOUT


def _more_than(before: int, sent: list[str]) -> None:
    assert len(sent) > before


# Who is there


@contextlib.contextmanager
def three(server: Server) -> Iterator[tuple[Client, Client, Client]]:
    """Joe and Ann over POP3, and somebody over SMTP."""
    with pop3(server) as joe, pop3(server, "ann@example.test") as ann, connect(server, "mx") as sender:
        sender.line()
        yield joe, ann, sender


def is_cut(client: Client) -> bool:
    return client.rest() == b""


def test_who(own_server: Server) -> None:
    own_server.settings = {"joe@example.test": own_server.device("Phone")}
    own_server.start()
    with three(own_server) as (joe, _, _), connect(own_server, "pop3-trusted") as phone:
        phone.line()
        phone.say(b"USER bob@example.test", b"+OK")
        joe.say(b"STAT", b"+OK")
        sessions = json.loads(own_server.cli("who", "--json"))["sessions"]
        assert [(each["service"], each["account"]) for each in sessions] == [
            ("pop3", JOE),
            ("pop3", "ann@example.test"),
            ("smtp", None),
            ("pop3", None),
        ]
        [joes] = json.loads(own_server.cli("who", JOE, "--json"))["sessions"]
        assert (joes["address"], joes["mechanism"], joes["tls"]) == ("127.0.0.1", "USER", "")
        assert joes["octets_in"] >= len(b"USER joe@example.test\r\nSTAT\r\n") < joes["octets_out"]
        assert abs(joes["since"] - time.time()) < PATIENCE
        assert joes["port"] == joe.socket.getsockname()[1]
        said = own_server.cli("who", "--service", "smtp")
        assert JOE not in said
        assert "smtp" in said
        assert own_server.cli("who", joes["id"], "--quiet").strip() == joes["id"]
        assert len(own_server.cli("who", "127.0.0.1", "--quiet").split()) == 4
        assert "Nobody is here" in own_server.cli("who", "192.0.2.1")


def test_who_knows_device_and_tls(own_server: Server) -> None:
    own_server.settings = {JOE: own_server.device("Phone")}
    own_server.start()
    client = poplib.POP3_SSL(
        "127.0.0.1", own_server.ports["pop3s"], timeout=PATIENCE, context=own_server.tls()
    )
    client.user(JOE)
    client.pass_(DEVICE)
    [session] = json.loads(own_server.cli("who", JOE, "--json"))["sessions"]
    assert session["device"]
    assert session["tls"].startswith("TLSv1.3 ")
    client.quit()


@pytest.mark.parametrize("key", ["id", "account"])
def test_kick(server: Server, key: str) -> None:
    """By session and by account: marks are dropped, nobody else is touched."""
    server.deliver(b"Subject: stays\r\n\r\n")
    with three(server) as (joe, ann, sender):
        before = int(joe.say(b"STAT", b"+OK").split()[1])
        joe.say(b"DELE 1", b"+OK")
        [session] = server.control.get(f"/v1/sessions/{JOE}")["sessions"]
        who = session["id"] if key == "id" else JOE.upper()
        assert server.cli("kick", who, "--yes").strip() == "1 session ended."
        assert is_cut(joe)
        ann.say(b"NOOP", b"+OK")
        sender.say(b"NOOP", b"250")
    with pop3(server) as again:
        assert int(again.say(b"STAT", b"+OK").split()[1]) == before
    within(PATIENCE, lambda: is_logged(server, f"sessions.kicked who={who} ended=1"), AssertionError)


def test_kick_an_address(own_server: Server) -> None:
    own_server.start()
    with three(own_server) as everybody:
        said = json.loads(own_server.cli("kick", "127.0.0.1", "--yes", "--json"))
        assert len(said["sessions"]) == 3
        assert all(map(is_cut, everybody))
    with pop3(own_server) as again:
        again.say(b"NOOP", b"+OK")


def test_kick_nobody(server: Server) -> None:
    words = "there is no session of nobody@example.test"
    assert server.cli("kick", "nobody@example.test", "--yes", status=1).strip() == words


def test_nobody_answers_whether_to_kick(server: Server) -> None:
    with pop3(server) as joe:
        said = server.cli("kick", JOE, status=2)
        assert "--yes" in said
        joe.say(b"NOOP", b"+OK")


def test_status_shows_the_states(own_server: Server) -> None:
    own_server.start()
    with pop3(own_server):
        act(own_server, "pop3", "stop")
        act(own_server, "smtp", "stop")
        services = {each["service"]: each for each in own_server.control.get("/v1/status")["services"]}
        assert {name: each["state"] for name, each in services.items()} == {
            "smtp": "stopped",
            "submission": "running",
            "lmtp": "stopped",
            "notify": "stopped",
            "pop3": "draining",
        }
        assert services["pop3"]["sessions"] == 1
        assert "draining" in own_server.cli("status")
