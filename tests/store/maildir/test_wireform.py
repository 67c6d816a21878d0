"""Conversion to CRLF, against a plain reference, at every chunk edge."""

import contextlib
import os
import re
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.store.maildir import wireform
from mailsuite.store.maildir.wireform import SizeMismatch, WireReader, measure, to_crlf

awkward = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"\n\n", b"\r\r\n", b".", b"a", b"line", b"\0", b"\xff"]),
    max_size=40,
).map(b"".join)


def reference(content):
    converted = re.sub(rb"(?<!\r)\n", b"\r\n", content)
    return converted if not converted or converted.endswith(b"\n") else converted + b"\r\n"


@contextlib.contextmanager
def opened(content):
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.fileno()


@contextlib.contextmanager
def reading(octets):
    """Read so many octets at a time."""
    before = wireform.READ_OCTETS, wireform.CONVERTED_READ_OCTETS
    wireform.READ_OCTETS, wireform.CONVERTED_READ_OCTETS = octets, octets
    try:
        yield
    finally:
        wireform.READ_OCTETS, wireform.CONVERTED_READ_OCTETS = before


def read_all(reader, descriptor):
    chunks = []
    while chunk := reader.read(descriptor):
        chunks.append(chunk)
    assert reader.done
    return chunks


@given(awkward, st.integers(1, 64))
def test_conversion_does_not_see_chunk_edges(content, step):
    converted, last = b"", b""
    for start in range(0, len(content), step):
        chunk = content[start : start + step]
        converted += to_crlf(chunk, last == b"\r")
        last = chunk[-1:]
    assert converted == re.sub(rb"(?<!\r)\n", b"\r\n", content)


@given(awkward, st.integers(1, 64))
def test_measured_size_is_what_is_read(content, step):
    with opened(content) as descriptor, reading(step):
        size = measure(descriptor)
        assert size == len(reference(content))
        assert b"".join(read_all(WireReader(size, convert=True), descriptor)) == reference(content)


@given(awkward, st.integers(1, 64))
def test_wire_form_is_read_as_it_stands(content, step):
    with opened(content) as descriptor, reading(step):
        assert b"".join(read_all(WireReader(len(content), convert=False), descriptor)) == content


@given(awkward, st.integers(1, 64), st.integers(-4, 4).filter(bool))
def test_another_size_than_announced_is_an_error(content, step, difference):
    size = len(reference(content)) + difference
    trusted = len(content) + content.count(b"\n") - content.count(b"\r\n")  # no CRLF added at the end
    if size in (trusted, len(reference(content))) or size < 0:
        return
    with opened(content) as descriptor, reading(step):
        with pytest.raises(SizeMismatch):
            read_all(WireReader(size, convert=True), descriptor)
        if size > len(content):
            with pytest.raises(SizeMismatch):
                read_all(WireReader(size, convert=False), descriptor)


def test_a_size_that_counts_no_final_line_end_is_kept():
    """Dovecot's W= for a file whose last line has no end."""
    with opened(b"a\nb") as descriptor:
        assert read_all(WireReader(4, convert=True), descriptor) == [b"a\r\nb"]


def test_a_small_message_is_read_in_one_go():
    for content in (b"", b"a\n", b"a", b"a\r"):
        with opened(content) as descriptor:
            reader = WireReader(len(reference(content)), convert=True)
            assert reader.read(descriptor) == reference(content)
            assert reader.done


@pytest.mark.parametrize("content", [b"\n" * 200_000, b"a\r\n" * 50_000, b"x" * 200_000])
def test_no_chunk_is_too_large(content):
    with opened(content) as descriptor:
        chunks = read_all(WireReader(measure(descriptor), convert=True), descriptor)
        assert b"".join(chunks) == reference(content)
        assert max(map(len, chunks)) <= 65_536


def test_a_file_that_shrinks_while_it_is_read():
    with opened(b"x" * 200_000) as descriptor:
        reader = WireReader(200_000, convert=False)
        reader.read(descriptor)
        os.ftruncate(descriptor, 100_000)
        with pytest.raises(SizeMismatch):
            read_all(reader, descriptor)
