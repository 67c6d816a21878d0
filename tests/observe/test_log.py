"""One line for each event, whatever its fields are."""

from __future__ import annotations

import json
import shlex
from ipaddress import ip_address
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as some
from twisted.python.failure import Failure

from mailsuite.model.address import Address
from mailsuite.observe.log import (
    LEVELS,
    MAX_FIELD_CHARACTERS,
    MAX_TRACEBACK_CHARACTERS,
    Format,
    Log,
    discard,
)

NOON = 1_700_000_000.25
CANARY = "canary-of-the-log"


class Sink:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.levels: list[str] = []

    def __call__(self, line: str, level: str) -> None:
        self.lines.append(line)
        self.levels.append(level)

    @property
    def one(self) -> str:
        [line] = self.lines
        return line


def log(sink: Sink, level: str = "debug", format: Format = "text") -> Log:
    return Log(sink, level, format, lambda: NOON)


@pytest.fixture
def sink() -> Sink:
    return Sink()


def write_all(a_log: Log) -> None:
    for level in LEVELS:
        getattr(a_log, level)("an.event")


@pytest.mark.parametrize(("level", "written"), [(level, LEVELS[at:]) for at, level in enumerate(LEVELS)])
def test_levels(sink: Sink, level: str, written: tuple[str, ...]) -> None:
    write_all(log(sink, level))
    assert tuple(sink.levels) == written


def test_text(sink: Sink) -> None:
    log(sink).info("smtp.accepted", session="ab12", size=4096, tls="", done=True, peer=ip_address("::1"))
    assert sink.one == (
        '2023-11-14T22:13:20.250Z info    smtp.accepted session=ab12 size=4096 tls="" done=true peer=::1'
    )


def test_json(sink: Sink) -> None:
    fields = {"size": 1, "ratio": 0.5, "on": False, "nothing": None, "name": "Jöe", "raw": b"\xff"}
    log(sink, format="json").warning("an.event", **fields)
    assert json.loads(sink.one) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warning",
        "event": "an.event",
        "size": 1,
        "ratio": 0.5,
        "on": False,
        "nothing": None,
        "name": "Jöe",
        "raw": "\\xff",
    }
    assert "Jöe" in sink.one, "readable"


def test_bound_fields_come_first_and_are_overruled(sink: Sink) -> None:
    bound = log(sink).bind(session="ab12", peer="x").bind(account=Address("joe", "example.test"))
    bound.info("an.event", peer="y")
    assert sink.one.endswith("an.event session=ab12 peer=y account=joe@example.test")
    log(sink).info("other")
    assert sink.lines[1].endswith("other"), "the log itself stays as it was"


def test_a_bound_field_is_cut_as_any_other(sink: Sink) -> None:
    log(sink).bind(helo="x" * 2 * MAX_FIELD_CHARACTERS).bind(session="ab12").info("an.event")
    assert sink.one.endswith(f" helo={'x' * MAX_FIELD_CHARACTERS}… session=ab12")


def test_the_time_goes_on(sink: Sink) -> None:
    times = iter((1_700_000_000.25, 1_700_000_000.75, 1_700_000_001.0))
    telling = Log(sink, clock=lambda: next(times))
    for _ in range(3):
        telling.info("an.event")
    ends = [line.partition("Z")[0][-6:] for line in sink.lines]
    assert ends == ["20.250", "20.750", "21.000"]


def test_a_change_holds_for_all_that_were_bound(sink: Sink) -> None:
    first = log(sink, "error")
    bound = first.bind(session="ab12")
    bound.info("unheard")
    first.change("info", "json")
    bound.info("heard")
    assert json.loads(sink.one)["session"] == "ab12"


def test_fields_cannot_take_the_place_of_what_is_ours(sink: Sink) -> None:
    log(sink, format="json").bind(level="x", time="y").info("an.event")
    record = json.loads(sink.one)
    assert (record["level"], record["event"]) == ("info", "an.event")
    assert record["time"].startswith("2023-")


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize(
    "value",
    [
        "a\nb",
        "a\r\nsmtp.accepted session=forged",
        "\x00\x1b[2J\x7f",
        "\x85\u2028\u2029",
        "\u202egnp.exe",
        "\ud800",
        "\u200b",
        b"\n\xff\x00",
        'a "quote" = b \\',
        ["a\nlist"],
        {"a": "dict\n"},
        float("nan"),
        float("inf"),
        pytest.param(10**5000, id="huge"),
        1 << 64,
        -(1 << 63),
        object(),
    ],
)
def test_awkward_values(sink: Sink, format: Format, value: object) -> None:
    log(sink, format=format).info("an.event", field=value)
    assert len(sink.one.splitlines()) == 1
    assert sink.one.isprintable()
    if format == "json":
        assert list(json.loads(sink.one, parse_constant=pytest.fail)) == ["time", "level", "event", "field"]
    else:
        assert len(shlex.split(sink.one)) == 4, "one word is one field"


class Broken:
    def __str__(self) -> str:
        raise ValueError(CANARY)


def test_a_value_that_cannot_be_shown(sink: Sink) -> None:
    log(sink).info("an.event", field=Broken())
    assert sink.one.endswith('field="<Broken that cannot be shown>"')


@pytest.mark.parametrize("format", ["text", "json"])
@given(
    fields=some.dictionaries(
        some.sampled_from(("a", "b", "traceback", "level", "time")),
        some.text() | some.binary() | some.integers() | some.floats() | some.booleans() | some.none(),
    )
)
def test_anything_is_one_line(format: Literal["text", "json"], fields: dict[str, Any]) -> None:
    sink = Sink()
    log(sink, format=format).info("an.event", **fields)
    assert sink.one.isprintable()
    if format == "json":
        record = json.loads(sink.one, parse_constant=pytest.fail)
        assert set(record) == {"time", "level", "event"} | set(fields)


@given(text=some.text(max_size=MAX_FIELD_CHARACTERS).filter(lambda text: text.isprintable()))
def test_what_can_be_read_comes_back(text: str) -> None:
    sink = Sink()
    log(sink, format="json").info("an.event", field=text)
    assert json.loads(sink.one)["field"] == text
    log(sink).info("an.event", field=text)
    shown = sink.lines[1].partition("field=")[2]
    assert (json.loads(shown) if shown.startswith('"') else shown) == text


def test_long_fields_are_cut(sink: Sink) -> None:
    log(sink).info("an.event", field="x" * 10_000, exact="y" * MAX_FIELD_CHARACTERS)
    assert f"field={'x' * MAX_FIELD_CHARACTERS}… exact={'y' * MAX_FIELD_CHARACTERS}" in sink.one
    assert "y…" not in sink.one


def test_a_failure_has_code_and_lines_and_no_values(sink: Sink) -> None:
    def wrong(password: str) -> None:
        raise ValueError("what it says")

    try:
        wrong(CANARY)
    except ValueError:
        log(sink, "error").failure("a.failure", Failure(), session="ab12")
    assert "session=ab12" in sink.one
    assert "what it says" in sink.one
    assert "test_log.py" in sink.one
    assert CANARY not in sink.one
    assert sink.levels == ["error"]


def test_a_long_traceback_keeps_its_end(sink: Sink) -> None:
    def deep(left: int) -> None:
        if not left:
            raise ValueError("at the bottom")
        deep(left - 1)

    try:
        deep(900)
    except ValueError:
        log(sink).failure("a.failure", Failure())
    assert len(sink.one) < 2 * MAX_TRACEBACK_CHARACTERS
    assert sink.one.endswith('deep\\n"')


def test_no_log_at_all() -> None:
    discard("a line", "error")
    Log().error("unheard")
