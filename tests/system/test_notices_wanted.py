"""Which mail users are told of, and when: what is noise, what is for another time, what was read meanwhile.

That nobody is told of something is seen by what comes behind it: each webhook is told in order.
"""

from __future__ import annotations

import datetime
import json
import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.system.harness import PATIENCE, Server, password_of
from tests.system.hooks import Hooks, subjects, subscribe
from tests.system.streams import ANN, JOE, WITH_NOTIFY, Listening, authorization

BOB = "bob@example.test"


@pytest.fixture(scope="module")
def hooks() -> Iterator[Hooks]:
    with Hooks() as listening:
        yield listening


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, hooks: Hooks) -> Iterator[Server]:
    path = tmp_path_factory.mktemp("server")
    running = Server(path, extra=hooks.settings(), listeners=WITH_NOTIFY)
    with running:
        yield running


def letter(subject: str, *fields: str, sender: str = "Eve <eve@elsewhere.example>") -> bytes:
    lines = (f"From: {sender}", f"Subject: {subject}", *fields, "", "text")
    return "".join(f"{line}\r\n" for line in lines).encode()


@contextmanager
def subscribed(server: Server, hooks: Hooks, path: str, account: str = JOE, **fields: Any) -> Iterator[str]:
    """A webhook, for as long as it is needed; its id."""
    id = subscribe(server, account, hooks.url(path), **fields)["subscription"]["id"]
    yield id
    server.control.delete(f"/v1/notices/subscriptions/{id}")


def test_one_notice_for_each_copy(server: Server, hooks: Hooks) -> None:
    """An alias for JOE and ANN, and JOE by name beside it, in one message and with a tag."""
    server.control.post("/v1/aliases", {"address": "team@example.test", "targets": [JOE, ANN]})
    with subscribed(server, hooks, "/alias-joe"), subscribed(server, hooks, "/alias-ann", ANN):
        server.deliver(letter("all"), "team@example.test", JOE, "joe+work@example.test")
        server.deliver(letter("end"), JOE, ANN)
        hooks.until_last("end", "/alias-joe", "/alias-ann")
        for path in ("/alias-joe", "/alias-ann"):
            assert hooks.subjects(path) == ["all", "end"]
            assert [each.json["count"] for each in hooks.at(path)] == [1, 1]
    for account in (JOE, ANN):
        assert sum(b"Subject: all" in each for each in server.messages(account)) == 1


def test_noise_is_quiet_unless_somebody_wants_it(server: Server, hooks: Hooks) -> None:
    wants = {"wanted": ["bulk", "own", "auto"]}
    with subscribed(server, hooks, "/quiet"), subscribed(server, hooks, "/loud", filter=wants):
        server.deliver(letter("list", "List-Id: <news.example>"))
        server.deliver(letter("bulk", "Precedence: bulk"))
        server.deliver(letter("reply", "Auto-Submitted: auto-replied"))
        server.deliver(letter("junk", "X-Spam-Flag: YES"))
        server.deliver(letter("bounce"), sender="")
        with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=PATIENCE) as client:
            client.starttls(context=server.tls())
            client.login(JOE, password_of(JOE))
            client.sendmail(JOE, [JOE], letter("own", sender=JOE))
        server.deliver(letter("end"))
        hooks.until_last("end", "/quiet", "/loud")
        assert hooks.subjects("/quiet") == ["end"]
        assert hooks.subjects("/loud") == ["list", "bulk", "reply", "bounce", "own", "end"], "never junk"


def test_filters(server: Server, hooks: Hooks) -> None:
    boss = {"senders": ["*@boss.example"]}
    shop = {"labels": ["shop"], "subjects": ["*order*"]}
    urgent = {"importance": "high"}
    paths = {"/boss": boss, "/shop": shop, "/urgent": urgent}
    ids = [subscribe(server, JOE, hooks.url(path), filter=each) for path, each in paths.items()]
    server.deliver(letter("one", sender="Boss <me@Boss.example>"))
    server.deliver(letter("Your ORDER 7"), "joe+shop@example.test")
    server.deliver(letter("Your order 8"))
    server.deliver(letter("now", "X-Priority: 1"))
    final = letter("order end", "Importance: high", sender="me@boss.example")
    server.deliver(final, "joe+shop@example.test")
    hooks.until_last("order end", *paths)
    assert hooks.subjects("/boss") == ["one", "order end"]
    assert hooks.subjects("/shop") == ["Your ORDER 7", "order end"]
    assert hooks.subjects("/urgent") == ["now", "order end"]
    for each in ids:
        server.control.delete(f"/v1/notices/subscriptions/{each['subscription']['id']}")


def test_quiet_times_and_who_breaks_through(server: Server, hooks: Hooks) -> None:
    """All day but the hour that is half a day away, and then for ever: what is held is told when the quiet
    time is taken away."""
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=12)
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    span = {"days": days, "begin": f"{(then.hour + 1) % 24:02}:00", "end": f"{then.hour:02}:00"}
    quiet = {"zone": "UTC", "spans": [span], "manner": "hold", "breakthrough": ["*@boss.example"]}
    with subscribed(server, hooks, "/night", quiet=quiet) as id:
        server.deliver(letter("sleeps"))
        server.deliver(letter("sleeps, too"))
        server.deliver(letter("fire", sender="me@boss.example"))
        hooks.until(lambda: hooks.subjects("/night"))
        assert hooks.subjects("/night") == ["fire"]
        server.control.patch(f"/v1/notices/subscriptions/{id}", {"quiet": None})
        hooks.until(lambda: len(hooks.at("/night")) >= 3)
        assert hooks.subjects("/night") == ["fire", "sleeps", "sleeps, too"]


def test_the_second_screen_is_told_of_what_nobody_has_fetched(server: Server, hooks: Hooks) -> None:
    """Escalation, cancelled by RETR; the other screen drops what it shows of it."""
    later = {"if_unfetched_after": "1s"}
    stream = Listening.open(server, who=authorization(BOB))
    with subscribed(server, hooks, "/phone", BOB, filter=later):
        began = time.monotonic()
        server.deliver(letter("fetched"), BOB)
        server.deliver(letter("fetched, too"), BOB)
        with server.pop3(BOB) as client:
            for number in (1, 2):
                client.retr(number)
        assert time.monotonic() - began < 1.0, "this machine is too slow for this test"
        mail, cleared = stream.next(2), stream.next(1)
        while (
            len(cleared) < 2 and cleared[-1].type == "cleared" and json.loads(cleared[-1].data)["count"] < 2
        ):
            cleared += stream.next(1)
        server.deliver(letter("left alone"), BOB)
        [told] = hooks.wait_for("/phone")
        assert told.json["subject"] == "left alone"
        assert told.at - began >= 1.0
    assert subjects(mail) == ["fetched", "fetched, too"]
    assert {each.type for each in cleared} == {"cleared"}
    assert sum(json.loads(each.data)["count"] for each in cleared) == 2
    stream.close()


def test_limits_of_level(server: Server, hooks: Hooks) -> None:
    """Nobody is told more than the domain allows, whatever he asks for."""
    with subscribed(server, hooks, "/level", level="preview"):
        server.deliver(letter("subject is the most by default"))
        [first] = hooks.wait_for("/level")
        assert first.json["subject"] == "subject is the most by default"
        assert "preview" not in first.json
        server.domain = 'notify_max_level = "count"'
        server.reload()
        server.deliver(letter("secret"))
        second = hooks.wait_for("/level", 2)[1]
        assert second.json["count"] == 1
        assert not {"subject", "from", "preview", "list"} & second.json.keys()
        assert b"secret" not in second.body
        server.domain = ""
        server.reload()
