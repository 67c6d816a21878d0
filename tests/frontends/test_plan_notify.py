"""From the configuration to the doors that users come to over HTTPS."""

from __future__ import annotations

from mailsuite.frontends.factory import Refusal
from mailsuite.frontends.http import HttpSession
from tests.frontends.planned import Make

CLEAR = 'tls = "off"'
GET = ("GET /notify/v1/stream HTTP/1.1", "Host: x", "")


def test_what_is_spoken_there_is_http_and_nobody_answers_who_was_not_named(world: Make) -> None:
    built = world("notify", "", CLEAR)
    talk = built.connect("notify")
    assert isinstance(talk.session, HttpSession)
    assert talk.say(*GET).startswith("HTTP/1.1 404 Not Found\r\n")
    assert (talk.session.door.service, talk.session.door.idle_timeout) == ("notify", 60.0)


def test_under_tls_from_the_beginning(world: Make) -> None:
    built = world("notify", "", 'tls = "implicit"')
    assert built.listeners["notify"].implicit_tls is not None
    assert built.connect("notify", tls=True).say(*GET).startswith("HTTP/1.1 404 ")


def test_limits_and_lists(world: Make) -> None:
    more = '[notify.access]\nlist = ["198.51.100.0/24"]\n'
    built = world("notify", "max_connections = 9", f"{CLEAR}\nmax_connections_per_address = 2", more)
    talks = [built.connect("notify") for _ in range(2)]
    beyond = built.connect("notify")
    assert isinstance(beyond.session, Refusal)
    assert beyond.read().startswith("HTTP/1.1 503 Service Unavailable\r\n")
    assert built.connect_or_none("notify", peer="198.51.100.1") is None
    talks[0].lose()
    assert isinstance(built.connect("notify").session, HttpSession)


def test_a_reload_changes_what_holds_for_new_connections(world: Make) -> None:
    built = world("notify", "", CLEAR)
    before = built.connect("notify")
    other = world("notify", 'idle_timeout = "5s"', CLEAR)
    built.plan(other.config)
    assert built.connect("notify").session.door.idle_timeout == 5.0
    assert before.session.door.idle_timeout == 60.0
