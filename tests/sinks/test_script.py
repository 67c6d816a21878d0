"""What a table says is done."""

from __future__ import annotations

import threading

import pytest

from tests.sinks.script import (
    DROP,
    GOODBYE,
    HANG,
    RESET,
    Plan,
    Say,
    Scene,
    Script,
    endless,
    failing,
    greylisting,
    many_lines,
    tarpit,
)

RCPT = Scene("RCPT", "joe@x.example", 1, "a@y.example")


def test_nothing_said_is_as_usual() -> None:
    assert Script({}).act(RCPT) is None
    assert Script({"MAIL": DROP}).act(RCPT) is None


def test_always() -> None:
    script = Script({"RCPT": "550 No"})
    assert [script.act(RCPT), script.act(RCPT)] == [Say("550 No")] * 2


def test_each_at_its_time() -> None:
    script = Script({"RCPT": [DROP, None, HANG]})
    assert [script.act(RCPT) for _ in range(5)] == [DROP, None, HANG, None, None]


def test_by_what_it_is_about() -> None:
    script = Script({"RCPT": {"joe@x.example": ["450 Later"], "bob@x.example": "550 No"}})
    assert script.act(Scene("RCPT", "bob@x.example", 1)) == Say("550 No")
    assert [script.act(RCPT), script.act(RCPT)] == [Say("450 Later"), None]
    assert script.act(Scene("RCPT", "ann@x.example", 1)) is None


def test_somebody_is_asked() -> None:
    asked: list[Scene] = []

    def plan(scene: Scene) -> Plan:
        asked.append(scene)
        return "250 Ok"

    assert Script({"RCPT": plan}).act(RCPT) == Say("250 Ok")
    assert asked == [RCPT]


def test_a_list_that_somebody_makes_each_time_is_a_new_one() -> None:
    script = Script({"RCPT": lambda _: [DROP]})
    assert [script.act(RCPT) for _ in range(3)] == [DROP] * 3


def test_otherwise() -> None:
    script = Script({"MAIL": None}, otherwise=GOODBYE)
    assert script.act(RCPT) == GOODBYE
    assert script.act(Scene("MAIL", "", 1)) is None


def test_greylisting_knows_who_was_there() -> None:
    script = Script({"RCPT": greylisting()})
    other = Scene("RCPT", "joe@x.example", 2, "other@y.example")
    assert script.act(RCPT) == Say("450 4.7.1 Greylisted, come again")
    assert script.act(other) is not None
    assert [script.act(RCPT), script.act(other)] == [None, None]


def test_failing_is_repeated_by_its_seed() -> None:
    first, again, other = (Script({}, otherwise=failing(seed, 0.3)) for seed in (7, 7, 8))
    acts = [first.act(RCPT) for _ in range(200)]
    assert acts == [again.act(RCPT) for _ in range(200)]
    assert acts != [other.act(RCPT) for _ in range(200)]
    assert 30 < sum(act is not None for act in acts) < 90


def test_failing_answers_nobody_who_has_not_asked() -> None:
    script = Script({}, otherwise=failing(7, 1.0))
    unasked = {script.act(Scene(point, "", 1)) for point in ("BODY", "AFTER") for _ in range(200)}
    assert unasked == {DROP, RESET, GOODBYE, None}


@pytest.mark.parametrize(
    ("say", "code"),
    [
        (Say("250 Ok"), 250),
        (Say("250-a\n250 b"), 250),
        (Say("250-a\n550 b"), 550),
        (Say(b"354 a\r\n250 b\r\n"), 354),
        (Say(b"nonsense"), 0),
        (many_lines(220, 3), 220),
        (endless(250, 100), 250),
        (tarpit("450 x"), 450),
    ],
)
def test_codes(say: Say, code: int) -> None:
    assert say.code == code


def test_octets() -> None:
    assert Say("250-a\n250 b").octets == b"250-a\r\n250 b\r\n"
    assert Say(b"250 a\n").octets == b"250 a\n"
    assert many_lines(250, 2, 3).octets == b"250-xxx\r\n250 xxx\r\n"


def test_many_threads_use_a_list_up_once() -> None:
    script = Script({"RCPT": [DROP] * 100})
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.extend(script.act(RCPT) for _ in range(50))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(DROP) == 100
