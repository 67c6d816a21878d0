"""HTTP as a client: requests that hide nothing, and answers read whole, octet by octet, and cut off."""

from __future__ import annotations

import datetime
import http.client
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.http_client import (
    MAX_BODY,
    MAX_FRAMING,
    MAX_HEAD,
    MAX_RETRY_AFTER,
    AnswerReader,
    HttpError,
    encode_post,
    retry_after,
)

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"


def read(octets: bytes, step: int = 0, *, ends: bool = False) -> AnswerReader:
    """What is read of these octets, in pieces of *step*; 0: at once."""
    reader = AnswerReader()
    for start in range(0, len(octets), step or len(octets)):
        reader.receive(octets[start : start + (step or len(octets))])
    if ends:
        reader.closed()
    return reader


# Requests


def test_a_request() -> None:
    request = encode_post("/a?b", "example.net:8443", {"Content-Type": "text/plain", "TTL": "60"}, b"\x00x")
    assert request == (
        b"POST /a?b HTTP/1.1\r\nHost: example.net:8443\r\nContent-Type: text/plain\r\nTTL: 60\r\n"
        b"Content-Length: 2\r\n\r\n\x00x"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a", "b\r\nHost: c"),
        ("a", "b\nc"),
        ("a", "b\x00"),
        ("a", "\u00fc"),
        ("a\r\nb", "c"),
        ("a b", "c"),
        ("a:", "c"),
        ("", "c"),
        ("Host", "c"),
        ("content-length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("CONNECTION", "close"),
        ("Expect", "100-continue"),
        ("Upgrade", "h2c"),
    ],
)
def test_fields_that_could_be_something_else(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="field"):
        encode_post("/", "example.net", {name: value}, b"")


# Answers


@pytest.mark.parametrize("step", [0, 1, 2, 7])
@pytest.mark.parametrize(
    ("octets", "status", "body", "goes_on"),
    [
        (EMPTY, 200, b"", True),
        (OK + b"Content-Length: 5\r\n\r\nhello", 200, b"hello", True),
        (OK + b"content-length:5\r\n\r\nhello", 200, b"hello", True),
        (OK + b"Content-Length: 5, 5\r\n\r\nhello", 200, b"hello", True),
        (OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", True),
        (OK + b"Content-Length: 5\r\nConnection: close\r\n\r\nhello", 200, b"hello", False),
        (OK + b"Content-Length: 5\r\nConnection: x, Close\r\n\r\nhello", 200, b"hello", False),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
        (b"HTTP/1.1 200 \xff\x00\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 200, b"hi", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b"", True),
        (b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n", 302, b"", True),
        (b"HTTP/1.1 503 No\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n", 503, b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + EMPTY, 200, b"", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, b"hello", True),
        (
            OK + b"transfer-encoding: Chunked\r\n\r\n2 ;a=b\r\nhe\r\n0003\r\nllo\r\n0\r\nX: y\r\n\r\n",
            200,
            b"hello",
            True,
        ),
        (
            OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            200,
            b"hi",
            False,
        ),
        (OK + b"X: y\r\n folded\r\n\tonce more\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", True),
        # Wrong behind the head: there is an answer all the same
        (OK + b"Content-Length: five\r\n\r\nhello", 200, b"", False),
        (OK + b"Content-Length: -5\r\n\r\nhello", 200, b"", False),
        (OK + b"Content-Length: 5, 6\r\n\r\nhello", 200, b"", False),
        (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 200, b"", False),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 200, b"", False),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 200, b"", False),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", 200, b"", False),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n", 200, b"he", False),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\n", 200, b"", False),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * MAX_FRAMING + b"\r\n", 200, b"", False),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;aaaaaaaaaa\r\nx\r\n" * 4000,
            200,
            b"x" * (MAX_FRAMING // 16),
            False,
        ),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * MAX_BODY + b"0\r\n\r\n",
            200,
            b"x" * MAX_BODY,
            True,
        ),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
            200,
            b"",
            False,
        ),
        (OK + b"Content-Length: 10485760\r\n\r\n" + b"x" * 20_000, 200, b"x" * MAX_BODY, False),
        (OK + b"Transfer-Encoding: chunked\r\n\r\na00000\r\n" + b"x" * 20_000, 200, b"x" * MAX_BODY, False),
        (OK + b"\r\n" + b"x" * 20_000, 200, b"x" * MAX_BODY, False),
    ],
)
def test_answers(octets: bytes, status: int, body: bytes, goes_on: bool, step: int) -> None:
    reader = read(octets, step)
    assert reader.is_done
    assert (reader.status, bytes(reader.body), reader.can_go_on) == (status, body, goes_on)


def test_a_body_as_long_as_is_looked_at_is_a_whole_one() -> None:
    reader = read(OK + b"Content-Length: %d\r\n\r\n" % MAX_BODY + b"x" * MAX_BODY)
    assert reader.is_done
    assert reader.can_go_on


def test_a_body_that_is_ended_by_closing() -> None:
    reader = read(OK + b"\r\nhello")
    assert not reader.is_done
    reader.closed()
    assert (reader.is_done, reader.status, bytes(reader.body), reader.can_go_on) == (
        True,
        200,
        b"hello",
        False,
    )


def test_a_body_that_is_cut_off() -> None:
    reader = read(OK + b"Content-Length: 9\r\n\r\nhello", ends=True)
    assert (reader.is_done, reader.status, bytes(reader.body), reader.can_go_on) == (
        True,
        200,
        b"hello",
        False,
    )


@pytest.mark.parametrize("more", [b"x", EMPTY])
def test_more_than_an_answer(more: bytes) -> None:
    """Somebody would have the next request answered before it is asked."""
    assert not read(EMPTY + more).can_go_on
    reader = read(EMPTY)
    assert reader.can_go_on
    reader.receive(more)
    assert not reader.can_go_on
    assert (reader.status, bytes(reader.body)) == (200, b"")


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP/1.1"),
        (b"220 mail.example.net ESMTP\r\n", "no HTTP/1.1"),
        (b"\r\n", "no HTTP/1.1"),
        (b"HTTP/2 200\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 2000 OK\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 -20 OK\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 000 OK\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 999 OK\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1  200 OK\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 200OK\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "changes the protocol"),
        (OK + b"no field\r\n", "no field"),
        (OK + b"a b: c\r\n", "no field"),
        (OK + b"a : c\r\n", "no field"),
        (OK + b": c\r\n", "no field"),
        (OK + b"X: y\r\n" * 3000, "too long"),
        (OK + b"X: " + b"y" * MAX_HEAD, "too long"),
        (b"HTTP/1.1 200 " + b"y" * MAX_HEAD, "too long"),
        (b"y" * (MAX_HEAD + 1), "too long"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 9, "never comes to the point"),
        (b"HTTP/1.1 103 Hints\r\nX: " + b"y" * 6000 + b"\r\n\r\n" + b"HTTP/1.1 103\r\n" * 1000, "no field"),
        ((b"HTTP/1.1 103 Hints\r\nX: " + b"y" * 6000 + b"\r\n\r\n") * 3, "too long"),
    ],
)
def test_what_is_no_answer(octets: bytes, words: str, step: int) -> None:
    reader = AnswerReader()

    def feed() -> None:
        for start in range(0, len(octets), step or len(octets)):
            reader.receive(octets[start : start + (step or len(octets))])

    with pytest.raises(HttpError, match=words) as raised:
        feed()
    assert str(raised.value).isprintable()
    assert (reader.status, reader.is_done, reader.can_go_on) == (0, True, False)


@pytest.mark.parametrize("octets", [b"", b"HTTP/1.1", OK, OK + b"X: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_closed_before_an_answer(octets: bytes) -> None:
    reader = AnswerReader()
    reader.receive(octets)
    with pytest.raises(HttpError, match="closed before an answer"):
        reader.closed()


def test_of_several_fields_of_one_name_there_is_the_first() -> None:
    octets = OK + b"Retry-After:  5 \r\nretry-after: 6\r\nContent-Length: 0\r\n\r\n"
    assert read(octets).fields == {b"retry-after": b"5", b"content-length": b"0"}


def test_fields_of_informational_answers_are_not_those_of_the_answer() -> None:
    assert read(b"HTTP/1.1 103 Hints\r\nRetry-After: 5\r\n\r\n" + EMPTY).fields == {b"content-length": b"0"}


def test_a_long_answer_is_not_kept_in_memory() -> None:
    reader = read(OK + b"\r\n")
    for _ in range(1000):
        reader.receive(b"x" * 10_000)
    assert len(reader.body) == MAX_BODY
    assert len(reader._buffer) <= 10_000


chunks = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


@given(
    st.integers(200, 599).filter(lambda status: status not in {204, 304}),
    st.dictionaries(st.sampled_from(["X-A", "Retry-After", "Server"]), st.text("abc 123", max_size=20)),
    chunks,
    st.sampled_from(["length", "chunked", "close"]),
    st.integers(1, 50),
)
def test_as_the_standard_library_reads_it(
    status: int, fields: dict[str, str], parts: list[bytes], framing: str, step: int
) -> None:
    lines = [f"HTTP/1.1 {status} Words", *(f"{name}: {value}" for name, value in fields.items())]
    body = b"".join(parts)
    if framing == "length":
        lines.append(f"Content-Length: {len(body)}")
    elif framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    octets = "\r\n".join([*lines, "", ""]).encode() + body

    class Socket:
        def makefile(self, mode: str) -> io.BytesIO:
            return io.BytesIO(octets)

    theirs = http.client.HTTPResponse(Socket(), method="POST")  # type: ignore[arg-type]
    theirs.begin()
    ours = read(octets, step, ends=framing == "close")
    assert (ours.status, bytes(ours.body)) == (theirs.status, theirs.read())
    assert ours.can_go_on == (framing != "close")
    for name in fields:
        assert ours.fields[name.lower().encode()].decode() == (theirs.getheader(name) or "").strip()


@given(st.lists(st.binary(max_size=40) | st.sampled_from([OK, b"\r\n", b"5\r\n", b"X: y\r\n"])))
def test_whatever_comes_is_an_answer_or_none(pieces: list[bytes]) -> None:
    reader = AnswerReader()
    try:
        for piece in pieces:
            reader.receive(piece)
        reader.closed()
    except HttpError:
        assert reader.status == 0
    else:
        assert 200 <= reader.status < 600
    assert reader.is_done
    assert not reader.can_go_on


# Retry-After

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.UTC).timestamp()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"0", 0.0),
        (b"120", 120.0),
        (b" 7 ", 7.0),
        (b"86401", MAX_RETRY_AFTER),
        (b"9" * 400, MAX_RETRY_AFTER),
        (b"Sat, 21 Nov 2026 12:01:30 GMT", 90.0),
        (b"Saturday, 21-Nov-26 12:01:30 GMT", 90.0),
        (b"Sat Nov 21 12:01:30 2026", 90.0),
        (b"Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        (b"Sat, 21 Nov 2099 11:00:00 GMT", MAX_RETRY_AFTER),
        (b"-5", 0.0),
        (b"1.5", 0.0),
        (b"soon", 0.0),
        (b"", 0.0),
        (b"\xff", 0.0),
        ("\u0665".encode(), 0.0),
        (b"Sat, 99 Nov 2026 12:01:30 GMT", 0.0),
        (b"Sat, 21 Nov 99999 12:01:30 GMT", 0.0),
    ],
)
def test_how_long_to_wait(value: bytes, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@given(st.binary(max_size=60))
def test_whatever_it_says_the_wait_is_bounded(value: bytes) -> None:
    assert 0.0 <= retry_after(value, NOW) <= MAX_RETRY_AFTER
