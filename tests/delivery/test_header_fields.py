"""A header as fields."""

from __future__ import annotations

from mailsuite.delivery.header_fields import read_header


def test_fields_by_name() -> None:
    header = read_header(b"To: x\r\nFROM : a\r\n b\r\nfrom:c", 100)
    assert header.fields == [b"To: x", b"FROM : a\r\n b", b"from:c"]
    assert header.values(b"from") == [b" a\r\n b", b"c"]
    assert (header.count(b"from"), header.count(b"date")) == (2, 0)
    assert (header.has(b"from"), header.has(b"date")) == (True, False)
    assert header.octets(b"\r\n") == b"To: x\r\nFROM : a\r\n b\r\nfrom:c\r\n"


def test_leaving_out_and_adding() -> None:
    header = read_header(b"To: x\r\nFrom: a\r\nDate: y\r\nFrom: b", 100)
    header.leave_out_one(b"from", 1)
    assert header.octets(b"\r\n") == b"To: x\r\nFrom: a\r\nDate: y\r\n"
    header.leave_out(b"from")
    header.leave_out(b"sender")
    header.add(b"sender", b"Sender: z")
    assert header.octets(b"\r\n") == b"To: x\r\nDate: y\r\nSender: z\r\n"


def test_the_rest() -> None:
    header = read_header(b"To: x\r\ntext\r\n more\r\nFrom: y", 100)
    assert header.rest == [b"text\r\n more", b"From: y"]
    assert not header.has(b"from")
    assert header.octets(b"\r\n") == b"To: x\r\n\r\ntext\r\n more\r\nFrom: y\r\n"


def test_fields_beyond_the_most_are_not_read() -> None:
    header = read_header(b"A: 1\r\nB: 2\r\nFrom: y\r\nC: 3", 2)
    assert header.fields == [b"A: 1", b"B: 2", b"From: y\r\nC: 3"]
