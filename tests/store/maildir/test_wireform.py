"""Conversion to CRLF, against a plain reference, at every chunk edge."""

import contextlib
import os
import re
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.store.maildir import wireform
from mailsuite.store.maildir.wireform import (
    ConvertingReader,
    PlainReader,
    SizeMismatch,
    measure,
    pread_cached,
    to_crlf,
)

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


def converting(content, announced=None):
    return ConvertingReader(len(content), len(reference(content)) if announced is None else announced)


@given(awkward, st.integers(1, 64))
def test_measured_size_is_what_is_read(content, step):
    with opened(content) as descriptor, reading(step):
        reader = converting(content)
        assert b"".join(read_all(reader, descriptor)) == reference(content)
        assert reader.answered == measure(descriptor) == len(reference(content))


@given(awkward, st.integers(1, 64))
def test_wire_form_is_read_as_it_stands(content, step):
    with opened(content) as descriptor, reading(step):
        assert b"".join(read_all(PlainReader(len(content)), descriptor)) == content


@given(awkward, st.integers(1, 64), st.integers(-40, 40))
def test_a_wrong_size_that_was_announced_changes_no_text(content, step, difference):
    """All that it decides is whether a last line without an end gets one."""
    announced = len(reference(content)) + difference
    without = reference(content).removesuffix(b"\r\n")
    with opened(content) as descriptor, reading(step):
        text = b"".join(read_all(converting(content, announced), descriptor))
    assert text == (
        without if announced == len(without) and not content.endswith(b"\n") else reference(content)
    )


@given(awkward, st.integers(1, 64), st.integers(1, 4))
def test_a_file_with_less_than_it_had_is_an_error(content, step, more):
    for reader in (PlainReader(len(content) + more), ConvertingReader(len(content) + more, 1000)):
        with opened(content) as descriptor, reading(step), pytest.raises(SizeMismatch):
            read_all(reader, descriptor)


@pytest.mark.parametrize("reader", [PlainReader(70_000), ConvertingReader(70_000, 70_000)])
def test_a_file_that_grew_is_read_as_far_as_it_was(reader):
    with opened(b"x\r\n" * 30_000) as descriptor:
        text = b"".join(read_all(reader, descriptor))
    assert text.removesuffix(b"\r\n") == (b"x\r\n" * 30_000)[:70_000].removesuffix(b"\r\n")


def test_a_size_that_counts_no_final_line_end_is_kept():
    """Dovecot's W= for a file whose last line has no end."""
    with opened(b"a\nb") as descriptor:
        assert read_all(converting(b"a\nb", 4), descriptor) == [b"a\r\nb"]


def test_a_small_message_is_read_in_one_go():
    for content in (b"", b"a\n", b"a", b"a\r"):
        with opened(content) as descriptor:
            reader = converting(content)
            assert reader.read(descriptor) == reference(content)
            assert reader.done


@pytest.mark.parametrize("content", [b"\n" * 200_000, b"a\r\n" * 50_000, b"x" * 200_000])
def test_no_chunk_is_too_large(content):
    with opened(content) as descriptor:
        chunks = read_all(converting(content), descriptor)
        assert b"".join(chunks) == reference(content)
        assert max(map(len, chunks)) <= 65_536


@pytest.mark.parametrize("reader", [PlainReader(200_000), ConvertingReader(200_000, 200_000)])
def test_a_file_that_shrinks_while_it_is_read(reader):
    with opened(b"x" * 200_000) as descriptor:
        reader.read(descriptor)
        os.ftruncate(descriptor, 100_000)
        with pytest.raises(SizeMismatch):
            read_all(reader, descriptor)


@pytest.mark.parametrize("kind", [PlainReader, lambda size: ConvertingReader(size, size)])
def test_a_read_that_fails_changes_nothing(kind):
    def refuse(descriptor, octets, position):
        raise BlockingIOError

    content = b"line\r\n" * 40_000
    with opened(content) as descriptor:
        reader, chunks = kind(len(content)), []
        while not reader.done:
            with pytest.raises(BlockingIOError):
                reader.read(descriptor, refuse)
            chunks.append(reader.read(descriptor))
    assert b"".join(chunks) == content


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="this system cannot read only what is cached")
def test_what_is_in_memory_is_read_without_waiting(tmp_path):
    (tmp_path / "file").write_bytes(b"0123456789")
    with open(tmp_path / "file", "rb") as file:
        assert pread_cached(file.fileno(), 4, 0) == b"0123"
        assert pread_cached(file.fileno(), 40, 8) == b"89"
        assert pread_cached(file.fileno(), 40, 10) == b""


def test_where_the_system_cannot_tell_it_is_an_error(monkeypatch):
    monkeypatch.setattr(wireform, "_NOWAIT", -1)
    with opened(b"x") as descriptor, pytest.raises(OSError, match=r".*"):
        pread_cached(descriptor, 1, 0)
