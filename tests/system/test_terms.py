"""What a running server says of retention follows its accounts, and a view goes with its device."""

from __future__ import annotations

import poplib
import time
from collections.abc import Callable
from urllib.parse import quote

from mailsuite.store.maildir.views import DIRECTORY as VIEWS
from tests.system.harness import PATIENCE, Server

JOE = "joe@example.test"
NEW = "new@example.test"


def expire(server: Server) -> str:
    """What CAPA says before the login."""
    client = poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], timeout=PATIENCE, context=server.tls())
    try:
        return " ".join(client.capa()["EXPIRE"])
    finally:
        client.quit()


def wait_for(condition: Callable[[], bool], server: Server) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, server.logged()


def test_expire_follows_the_accounts(own_server: Server) -> None:
    server = own_server.start()
    assert expire(server) == "NEVER"
    server.control.post("/v1/accounts", {"address": NEW, "name": "New"})
    server.control.patch(f"/v1/accounts/{quote(NEW)}", {"delete_after": "30d"})
    assert expire(server) == "30 USER"
    server.settings[JOE] = 'delete_after = "7d"'
    server.reload()
    wait_for(lambda: expire(server) == "7 USER", server)  # it is learnt behind the answer
    server.settings.clear()
    server.reload()
    wait_for(lambda: expire(server) == "30 USER", server)
    server.settings[JOE] = 'delete_after = "9d"'
    server.stop()
    server.start()
    assert expire(server) == "9 USER", "the file's own are known from the beginning"
    server.settings.clear()
    server.stop()
    server.start()
    assert expire(server) == "30 USER"
    server.control.delete(f"/v1/accounts/{quote(NEW)}")
    assert expire(server) == "NEVER"


def test_a_view_goes_with_its_device(own_server: Server) -> None:
    server = own_server.start()
    server.deliver(b"Subject: x\r\n\r\nx\r\n", JOE)
    password = server.add_device(JOE, "phone", view=True)
    client = poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], timeout=PATIENCE, context=server.tls())
    client.user(JOE)
    client.pass_(password)
    client.dele(1)
    client.quit()
    folder = server.maildir(JOE) / VIEWS
    device = server.control.get(f"/v1/accounts/{quote(JOE)}/devices")["devices"][0]["id"]
    assert device in {each.name for each in folder.iterdir()}
    server.control.delete(f"/v1/accounts/{quote(JOE)}/devices/phone")
    wait_for(lambda: not any(device in each.name for each in folder.iterdir()), server)
