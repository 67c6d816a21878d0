"""Streams of server-sent events: written so that nobody can add to them, read however they are cut."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.sse import Event, EventReader, StreamTooLarge, comment, reconnect_after


def read(stream: bytes, step: int = 0) -> list[Event]:
    reader = EventReader()
    step = step or len(stream) or 1
    return [event for at in range(0, len(stream), step) for event in reader.feed(stream[at : at + step])]


STREAMS = [
    (b"", []),
    (b"\n\r\r\n", []),
    (b"data: a", []),
    (b"data: a\n", []),
    (b"data: a\n\n", [Event("a", id="")]),
    (b"data: a\r\n\r\n", [Event("a", id="")]),
    (b"data: a\r\r", [Event("a", id="")]),
    (b"data: a\n\r", [Event("a", id="")]),
    (b"data: a\r\n\rdata: b\n\n", [Event("a", id=""), Event("b", id="")]),
    (b"data: a\r\n\n\r\n", [Event("a", id="")]),
    (b"data:a\ndata:  b\ndata\ndata:\n\n", [Event("a\n b\n\n", id="")]),
    (b"data\n\n", [Event("", id="")]),
    (b"data\n\ndata\ndata\n\ndata:", [Event("", id=""), Event("\n", id="")]),
    (b"data:test\n\ndata: test\n\n", [Event("test", id=""), Event("test", id="")]),
    (b": a comment\n:\n:data: x\ndata: a:b: c\n\n", [Event("a:b: c", id="")]),
    (b"event: mail\ndata: a\n\ndata: b\n\n", [Event("a", "mail", ""), Event("b", id="")]),
    (b"event: mail\nevent:\ndata: a\n\n", [Event("a", id="")]),
    (b"event: mail\n\ndata: a\n\n", [Event("a", id="")]),
    (
        b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
        [Event("a", id="1"), Event("b", id="1"), Event("c", id="")],
    ),
    (b"id: 1\nid: 2\0\ndata: a\n\n", [Event("a", id="1")]),
    (b"id: 7\n\ndata: a\n\n", [Event("a", id="7")]),
    (b"\xef\xbb\xbfdata: a\n\n", [Event("a", id="")]),
    (b"\xef\xbb\xbf\ndata: a\n\n", [Event("a", id="")]),
    (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [Event("b", id="")]),
    (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [Event("a", id="")]),
    (b"Data: a\n data: b\nunknown: c\n\n", []),
    ("data: grüße 📨\n\n".encode(), [Event("grüße 📨", id="")]),
    (b"data: \xff\xc3\n\n", [Event("\ufffd\ufffd", id="")]),
    (b"data: a\0b\x0b\x85\xe2\x80\xa8\n\n", [Event("a\0b\x0b\ufffd\u2028", id="")]),
]


@pytest.mark.parametrize(("stream", "events"), STREAMS)
def test_what_a_stream_says(stream: bytes, events: list[Event]) -> None:
    for step in (0, 1, 2, 3, 5):
        assert read(stream, step) == events


@pytest.mark.parametrize(("stream", "events"), STREAMS)
def test_nothing_is_said_twice_by_an_empty_piece(stream: bytes, events: list[Event]) -> None:
    reader = EventReader()
    found = []
    for at in range(len(stream)):
        found += reader.feed(stream[at : at + 1]) + reader.feed(b"")
    assert found == events


def test_an_event_is_there_with_its_last_octet() -> None:
    for end in (b"\n\n", b"\r\r", b"\r\n\r", b"\r\n\n"):
        reader = EventReader()
        stream = b"data: a" + end
        assert [len(reader.feed(stream[at : at + 1])) for at in range(len(stream))][-1] == 1


def test_where_to_go_on() -> None:
    reader = EventReader(last_id="41")
    assert reader.feed(b"data: a\n\n") == [Event("a", id="41")]
    assert reader.feed(b"id: 42\ndata: b\n") == []
    assert reader.last_id == "41"  # of an event that has not come whole nothing is known
    assert reader.feed(b"\n") == [Event("b", id="42")]
    assert reader.last_id == "42"


@pytest.mark.parametrize(
    ("line", "retry"),
    [
        (b"retry: 5000\n", 5000),
        (b"retry:0\n", 0),
        (b"retry: 5.0\n", None),
        (b"retry: -5\n", None),
        (b"retry\n", None),
        ("retry: ٣\n".encode(), None),
        (b"retry: " + b"9" * 5000 + b"\n", None),
    ],
)
def test_how_long_to_wait(line: bytes, retry: int | None) -> None:
    reader = EventReader()
    assert reader.feed(line) == []
    assert reader.retry == retry


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))
EVENTS = st.builds(Event, TEXTS, WORDS.filter(bool), st.none() | WORDS)


@given(st.lists(EVENTS, max_size=5), st.data())
def test_what_was_written_is_read_however_it_is_cut(events: list[Event], data: st.DataObject) -> None:
    stream = b"".join(comment(event.data) + event.encode() + reconnect_after(7) for event in events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = EventReader()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += reader.feed(stream[start:end])
    last = ""
    for event, was in zip(found, events, strict=True):
        last = was.id if was.id is not None else last
        lines = was.data.replace("\r\n", "\n").replace("\r", "\n")
        assert event == Event(lines, was.type, last)


@given(
    st.lists(
        st.sampled_from([b"\r", b"\n", b":", b" ", b"data", b"id", b"event", b"\xef\xbb\xbf", b"\0", b"\xff"])
    )
)
def test_any_octets_say_the_same_however_they_are_cut(pieces: list[bytes]) -> None:
    stream = b"".join(pieces)
    whole = read(stream)
    assert read(stream, 1) == whole
    reader = EventReader()
    assert [event for piece in pieces for event in reader.feed(piece)] == whole


@given(st.binary())
def test_no_octets_are_too_strange(data: bytes) -> None:
    assert read(data) == read(data, 1)


def test_events_as_octets() -> None:
    assert Event('{"v":1}', "mail", "912").encode() == b'id: 912\nevent: mail\ndata: {"v":1}\n\n'
    assert Event("a\nb\r\nc\rd").encode() == b"data: a\ndata: b\ndata: c\ndata: d\n\n"
    assert Event("", id="").encode() == b"id: \ndata: \n\n"
    assert Event("a\udc80").encode() == b"data: a?\n\n"
    assert comment() == b": \n\n"
    assert comment("ping\r\ndata: x") == b": ping\n: data: x\n\n"
    assert reconnect_after(5000) == b"retry: 5000\n\n"
    assert reconnect_after(5000, 0) == b"retry: 5000\nid: 0\n\n"


def test_where_to_go_on_is_known_before_the_first_event() -> None:
    reader = EventReader()
    assert reader.feed(reconnect_after(5000, 912)) == []
    assert (reader.last_id, reader.retry) == ("912", 5000)


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b", "a\r\ndata: forged"])
def test_nobody_begins_a_field_of_their_own(text: str) -> None:
    with pytest.raises(ValueError, match="no type"):
        Event("x", text).encode()
    with pytest.raises(ValueError, match="no id"):
        Event("x", id=text).encode()
    assert len(read(Event(text).encode())) == 1


def test_what_cannot_be_said() -> None:
    with pytest.raises(ValueError, match="no type"):
        Event("x", "").encode()
    with pytest.raises(ValueError, match="no time"):
        reconnect_after(-1)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_lines_have_a_limit(step: int) -> None:
    reader = EventReader(max_line=100)
    line = b"data: " + b"x" * 94
    assert reader.feed(line + b"\n\n") == [Event("x" * 94, id="")]
    longer = line + b"x"
    cut = (len(longer) - 1) // step * step
    for at in range(0, cut, step):
        assert reader.feed(longer[at : at + step]) == []
    with pytest.raises(StreamTooLarge, match="a line has more than 100 octets"):
        reader.feed(longer[cut:])


def test_a_comment_without_end_is_a_line_too() -> None:
    with pytest.raises(StreamTooLarge):
        EventReader(max_line=100).feed(b":" * 101)


def test_events_have_a_limit() -> None:
    reader = EventReader(max_event=100)
    assert len(reader.feed(b"data: 1234\n" * 10 + b"\n" + b"data: 1234\n" * 10 + b"\n")) == 2
    reader.feed(b"data: 1234\n" * 10)
    with pytest.raises(StreamTooLarge, match="an event has more than 100 octets"):
        reader.feed(b"data\n")


def test_empty_lines_of_data_count() -> None:
    with pytest.raises(StreamTooLarge):
        EventReader(max_event=100).feed(b"data\n" * 26)


def test_time_is_linear_in_what_was_sent() -> None:
    reader = EventReader(max_line=200_000)
    began = time.process_time()
    for _ in range(100_000):
        reader.feed(b"x")
    assert reader.feed(b"\n\n") == []
    assert time.process_time() - began < 2
