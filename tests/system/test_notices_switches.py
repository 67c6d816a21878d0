"""Switches that act at a reload, and what is left of a subscription that is removed: nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from mailsuite.cli.control import Refused
from tests.system.harness import PATIENCE, Server
from tests.system.hooks import Hooks, subscribe
from tests.system.streams import ANN, JOE, WITH_NOTIFY, Listening, ask, ask_on, authorization, connect

TOKEN = "correcthorsebatterystaple"
"""In the URL and in options: what must be found nowhere."""
SECRET = "whsec_Q29ycmVjdEhvcnNlQmF0dGVyeVN0YXBsZQ=="


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    with Hooks() as listening:
        yield listening


def letter(subject: str) -> bytes:
    return f"Subject: {subject}\r\n\r\ntext\r\n".encode()


def reload(server: Server, extra: str, domain: str = "") -> None:
    server.extra, server.domain = extra, domain
    server.reload()


def test_switches(own_server: Server, hooks: Hooks) -> None:
    """The channel, all of it, and one domain. What comes while a channel is off is told when it is on again;
    what comes while nobody is to be told is never told."""
    on = hooks.settings()
    own_server.extra, own_server.listeners = on, WITH_NOTIFY
    with own_server.start() as server, closing(connect(server)) as open_all_along:
        assert ask_on(open_all_along, "GET /subscriptions")[0] == 200
        id = subscribe(server, JOE, hooks.url())["subscription"]["id"]
        stream = Listening.open(server)

        reload(server, on + "enabled = false\n")
        server.deliver(letter("channel off"))
        assert stream.next()[0].type == "mail", "another channel"
        assert ask_on(open_all_along, "GET /subscriptions")[0] == 200, "the same password, read anew"
        with pytest.raises(Refused, match="webhook"):
            subscribe(server, JOE, hooks.url())
        reload(server, on)
        hooks.until_last("channel off", "/hook")

        reload(server, on.replace("[notify]\n", "[notify]\nenabled = false\n"))
        server.deliver(letter("all off"))
        reload(server, on)
        server.deliver(letter("on"))
        hooks.until_last("on", "/hook")
        assert "all off" not in hooks.subjects("/hook")

        reload(server, on, 'notify = "deny"')
        server.deliver(letter("domain off"))
        assert (
            ask(server, "POST /subscriptions", body={"channel": "webhook", "target": hooks.url()})[0] == 403
        )
        reload(server, on)
        server.deliver(letter("end"))
        hooks.until_last("end", "/hook")
        assert hooks.subjects("/hook") == ["channel off", "on", "end"]

        server.control.patch(f"/v1/notices/subscriptions/{id}", {"state": "paused"})
        server.deliver(letter("paused"))
        server.control.patch(f"/v1/notices/subscriptions/{id}", {"state": "active"})
        server.deliver(letter("resumed"))
        hooks.until_last("resumed", "/hook")
        assert "paused" not in hooks.subjects("/hook")
        stream.close()


def sealed(database: Path) -> list[bytes]:
    """What is kept of secrets, as it stands on the disk."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=PATIENCE)) as connection:
        return [octets for (octets,) in connection.execute("SELECT sealed FROM subscription")]


def files_with(server: Server, *words: bytes) -> list[str]:
    """Below the server's directory, but for what holds the configuration."""
    found = []
    for path in sorted(server.directory.rglob("*")):
        if path.is_file() and path != server.config:
            octets = path.read_bytes()
            found += [f"{path}: {word!r}" for word in words if word in octets]
    return found


def made(server: Server, hooks: Hooks, account: str, password: str) -> str:
    """A webhook that a device makes, which was told, and has failed."""
    options = {"secret": SECRET, "header.Authorization": f"Bearer {TOKEN}"}
    target = hooks.url(f"/{TOKEN}/hook")
    wanted = {"channel": "webhook", "target": target, "level": "subject", "options": options}
    status, document = ask(server, "POST /subscriptions", authorization(account, password), wanted)
    assert status == 201, document
    return str(document["subscription"]["id"])


def test_nothing_is_left_of_what_is_removed(own_server: Server, hooks: Hooks) -> None:
    """By its owner, with its device, and with the account; also where it was told, and failed."""
    own_server.extra, own_server.listeners = hooks.settings(), WITH_NOTIFY
    with own_server.start() as server:
        server.control.post(
            "/v1/accounts", {"address": "new@example.test", "password": "harbor-signal-mosaic-31"}
        )
        device = server.add_device(ANN, "phone", scopes=["notify"])
        ids = [
            made(server, hooks, JOE, ""),
            made(server, hooks, ANN, device),
            made(server, hooks, "new@example.test", ""),
        ]
        everybody = (JOE, ANN, "new@example.test")
        server.deliver(letter("told"), *everybody)
        hooks.wait_for(f"/{TOKEN}/hook", 3)
        assert all(each.fields["authorization"] == f"Bearer {TOKEN}" for each in hooks.posted)
        hooks.answer = lambda posted: (500, TOKEN.encode())
        server.deliver(letter("failed"), *everybody)
        hooks.wait_for(f"/{TOKEN}/hook", 6)
        shown = [
            server.cli("notify", "show", each) + server.cli("notify", "deliveries", each) for each in ids
        ]
        assert all("http 500" in each for each in shown)
        assert not any(TOKEN in each or SECRET in each for each in shown), "a URL may hold a password"

        hidden = sealed(server.state / "notify.db")
        assert len(hidden) == 3
        assert files_with(server, *hidden), "this test can find them"

        assert ask(server, f"DELETE /subscriptions/{ids[0]}")[0] == 200
        server.control.delete(f"/v1/accounts/{quote(ANN)}/devices/phone")
        server.control.delete(f"/v1/accounts/{quote('new@example.test')}")
        for each in ids:
            with pytest.raises(Refused, match="no subscription"):
                server.control.get(f"/v1/notices/subscriptions/{each}")
        assert tables_with(server.state / "notify.db", ids) == []
        assert files_with(server, TOKEN.encode(), SECRET.encode(), *hidden) == []
    log = server.logged()
    assert f"127.0.0.1:{hooks.port}" in log, "the host may be told"
    for secret in (TOKEN, SECRET):
        assert secret not in log


def tables_with(database: Path, ids: list[str]) -> list[str]:
    """Tables that still name one of these; the database may be open elsewhere."""
    found = []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=PATIENCE)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()
            found += [table for row in rows if set(row) & set(ids)]
    return found
