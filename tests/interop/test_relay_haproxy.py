"""A balancer stands before the servers that take our mail, and does what they do when those are away."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.interop.haproxy import Haproxy, Way, needs_haproxy
from tests.ports import free_port
from tests.sinks.sink import Sink
from tests.system.harness import Server
from tests.system.load import Letter
from tests.system.outgoing import SOON, HandIn, to_others
from tests.zones import Net

pytestmark = needs_haproxy

COUNT = 50
_RELAYS = """
[[relay]]
match = ["through.example"]
host = "127.0.0.1"
port = {through}
tls = "off"
[[relay]]
match = ["broken.example"]
host = "127.0.0.1"
port = {broken}
tls = "off"
fallback = ["127.0.0.1:{behind}"]
"""


@attrs.frozen
class Scene:
    server: Server
    sink: Sink
    """Behind the one way of haproxy; behind the other is nobody."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    base: Path = tmp_path_factory.mktemp("haproxy")
    server = Server(tmp_path_factory.mktemp("server"))
    with contextlib.closing(server), Net() as net, Sink() as sink:
        ways = {"through": Way(sink.port, ""), "broken": Way(free_port(), "")}
        with Haproxy(base, ways):
            ports = {name: way.port for name, way in ways.items()}
            relays = _RELAYS.format(behind=sink.port, **ports)
            to_others(server, net, 25, SOON, relays=relays).start()
            yield Scene(server, sink)


@pytest.mark.parametrize("domain", ["through.example", "broken.example"])
def test_each_message_comes_once(scene: Scene, domain: str) -> None:
    """Who is let in by the balancer, and then told nothing, goes to the next server."""
    letters = [Letter(f"{domain}.{number}", (f"a@{domain}",)) for number in range(COUNT)]
    wanted = {(letter.name, f"a@{domain}") for letter in letters}
    HandIn(scene.server, letters).run()
    scene.sink.record.until(lambda record: record.copies().keys() >= wanted)
    assert {scene.sink.record.copies()[key] for key in wanted} == {1}


def test_what_is_behind_ends_amid(scene: Scene) -> None:
    """The sink ends and comes back while mail goes through."""
    letters = [Letter(f"amid.{number}", ("a@through.example",)) for number in range(COUNT)]
    wanted = {(letter.name, "a@through.example") for letter in letters}
    record = scene.sink.record
    before = len(record.messages)
    handed = HandIn(scene.server, letters).start()
    record.until_taken(before + 5)
    scene.sink.stop()
    scene.sink.__enter__()
    handed.join()
    record.until(lambda _: record.copies().keys() >= wanted)
    excused = sum(not message.answered for message in record.messages)
    assert sum(record.copies()[key] for key in wanted) <= COUNT + excused
