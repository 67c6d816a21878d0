"""Mail leaves for servers that fail at any point: it comes there once, unless nobody can know (RFC 1047)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import pytest

from tests.sinks.offer import Offer
from tests.sinks.script import (
    DROP,
    GOODBYE,
    HANG,
    RESET,
    Act,
    Plan,
    Point,
    Say,
    endless,
    failing,
    many_lines,
    tarpit,
)
from tests.sinks.sink import never_answering
from tests.system.harness import Server
from tests.system.load import Letter
from tests.system.outgoing import SOON, HandIn, Place, Shore, to_others
from tests.zones import Exchanger, Net

POINTS: tuple[Point, ...] = ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "BDAT", "BODY", "END", "AFTER")
ACTS: Mapping[str, Act] = {"drop": DROP, "reset": RESET, "421": GOODBYE}
NONSENSE: Mapping[str, tuple[Point, Plan]] = {
    "no digits": ("MAIL", [Say(b"hello there\r\n", then=DROP)]),
    "octets": ("EHLO", [Say(bytes(range(256)) * 4 + b"\r\n", then=DROP)]),
    "another code in each line": ("EHLO", [Say("250-mx\n220 mx", then=DROP)]),
    "354 to RCPT": ("RCPT", ["354 Go ahead"]),
    "250 to DATA": ("DATA", ["250 Ok"]),
    "250 to BDAT and 354 behind it": ("END", [Say("451 4.3.0 Later\n354 Go ahead")]),
    "too early": ("MAIL", [Say(b"250 a\r\n250 b\r\n354 c\r\n250 d\r\n", then=DROP)]),
    "many lines": ("EHLO", [many_lines(250, 20_000)]),
    "a line without end": ("CONNECT", [endless(220, 1 << 20)]),
    "a reply without end": ("MAIL", [Say(b"250-x\r\n" * 200_000, then=DROP)]),
    "unknown code": ("RCPT", ["799 What?"]),
    "421 without being asked": ("AFTER", [GOODBYE]),
}
"""All of it once; then all is well."""


@pytest.fixture(scope="module")
def shore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shore]:
    folder = tmp_path_factory.mktemp("server")
    with Net() as net, contextlib.closing(Server(folder)) as server:
        shore = Shore(server, net)
        to_others(server, net, shore.port, SOON).start()
        yield shore


def once(place: Place, letters: list[Letter], twice: int = 0) -> None:
    """Each has been taken, once; but for so many copies that nobody can blame us for."""
    wanted = {(letter.name, recipient) for letter in letters for recipient in letter.recipients}
    place.record.until(
        lambda record: (
            record.copies().keys() >= wanted and sum(record.copies().values()) >= len(wanted) + twice
        )
    )
    copies = place.record.copies()
    assert copies.keys() == wanted
    assert sum(copies.values()) == len(wanted) + twice, place.record.told()
    texts = {letter.name: letter.text for letter in letters}
    assert all(message.body.endswith(texts[message.name]) for message in place.record.messages)
    assert place.record.faults == (), place.record.told()


@pytest.mark.parametrize("offer", [Offer(), Offer(extensions=("8BITMIME",))], ids=["chunks", "lines"])
def test_the_session_ends_anywhere(shore: Shore, offer: Offer) -> None:
    """At each point, in each way, the first time; at all of them at once."""
    with contextlib.ExitStack() as stack:
        places: list[tuple[Point, str, Place, list[Letter]]] = []
        for point in POINTS:
            for name, act in ACTS.items():
                place = stack.enter_context(shore.place({point: [act]}, offer))
                letters = [Letter(f"{point}.{name}.{place.domain}", (place.at("a"), place.at("b")))]
                places.append((point, name, place, letters))
        HandIn(shore.server, [letter for *_, letters in places for letter in letters]).run()
        for point, name, place, letters in places:
            unknown = point == "END" and name != "421"
            once(place, letters, twice=2 if unknown else 0)


def test_nonsense(shore: Shore) -> None:
    with contextlib.ExitStack() as stack:
        places = {
            name: stack.enter_context(shore.place({point: plan})) for name, (point, plan) in NONSENSE.items()
        }
        letters = {name: Letter(f"nonsense.{place.domain}", (place.at(),)) for name, place in places.items()}
        HandIn(shore.server, letters.values()).run()
        for name, place in places.items():
            once(place, [letters[name]])


def test_a_slow_server_holds_up_nobody(shore: Shore) -> None:
    """Tarpits, servers that never answer, and hosts that are not there, twenty of each; then one that is."""
    with contextlib.ExitStack() as stack:
        slow: list[Place] = []
        for _ in range(20):
            slow.append(stack.enter_context(shore.place({"CONNECT": tarpit("220 wait", 5.0)})))
            slow.append(stack.enter_context(shore.place({"MAIL": HANG})))
        letters = [Letter(f"slow.{place.domain}", (place.at(),)) for place in slow]
        for number in range(20):
            address = shore.address()
            stack.enter_context(never_answering(address, shore.port))
            domain = f"away{number}.example"
            shore.net.domain(domain, Exchanger(10, f"mx.{domain}", (address,)))
            letters.append(Letter(f"away.{number}", (f"a@{domain}",)))
        HandIn(shore.server, letters).run()
        quick = stack.enter_context(shore.place())
        last = [Letter("quick", (quick.at(),))]
        HandIn(shore.server, last).run()
        once(quick, last)


def test_failing_at_random(shore: Shore) -> None:
    """Whatever was taken more than once was taken by a server that did not say so."""
    count = 200
    with shore.place() as place:
        place.sink.script.otherwise = failing(7, 0.02)
        letters = [Letter(f"random.{number}", (place.at(),)) for number in range(count)]
        HandIn(shore.server, letters).run()
        wanted = {(letter.name, place.at()) for letter in letters}
        place.record.until(lambda record: record.copies().keys() >= wanted)
        excused = sum(not message.answered for message in place.record.messages)
        assert sum(place.record.copies().values()) <= count + excused
        assert place.record.faults == ()
