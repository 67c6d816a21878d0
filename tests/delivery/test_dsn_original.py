"""What is known of the message that a notice is about."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.delivery.dsn_original import MAX_RETURNED, Original, original_of, read_original
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import STORE_UNAVAILABLE


@pytest.mark.parametrize(
    ("octets", "whole", "header"),
    [
        (b"A: b\r\n\r\nbody\r\n", True, b"A: b\r\n"),
        (b"A: b\r\nC: d\r\n\r\n", True, b"A: b\r\nC: d\r\n"),
        (b"\r\nbody\r\n\r\n", True, b""),
        (b"A: b\r\n", True, b"A: b\r\n"),
        (b"A: b", True, b"A: b\r\n"),
        (b"", True, b""),
        (b"A: b\r\nC: d", False, b"A: b\r\n"),
        (b"A: b", False, b""),
        (b"A: b\r\n", False, b"A: b\r\n"),
    ],
)
def test_the_header(octets: bytes, whole: bool, header: bytes) -> None:
    found = original_of(octets, whole)
    assert found.header == header
    assert found.content == (octets if whole else None)


def with_field(field: bytes) -> Original:
    return original_of(b"Received: from x\r\n" + field + b"\r\nTo: y\r\n\r\nSubject: body\r\n", True)


@pytest.mark.parametrize(
    ("field", "subject"),
    [
        (b"Subject: Offer 2026", "Offer 2026"),
        (b"SUBJECT:Offer\r\n 2026", "Offer 2026"),
        (b"Subject: =?utf-8?B?R3LDvMOfZQ==?= 2026", "Gr\u00fc\u00dfe 2026"),
        (b"Subject: =?iso-8859-1?Q?Gr=FC=DFe?=", "Gr\u00fc\u00dfe"),
        ("Subject: Gr\u00fc\u00dfe".encode(), "Gr\u00fc\u00dfe"),
        ("Subject: Gr\u00fc\u00dfe =?utf-8?q?=C3=BC?=".encode(), "Gr\u00fc\u00dfe \u00fc"),
        (b"Subject: \xff\xfe", "\ufffd\ufffd"),
        (b"Subject: =?utf-8?q?a=0D=0AX:_b?=", "a X: b"),
        (b"Subject: =?utf-8?q?=E2=80=AEgnp.exe?=", "?gnp.exe"),
        (b"Subject: =?unicode_escape?q?\\q?=", "\\q"),
        (b"Subject: =?iso-8859-99?q?abc?=", "abc"),
        (b"Subject: =?utf-8?b?a?=", "=?utf-8?b?a?="),
        (b"Subject: " + b"x" * 500, "x" * 150),
        (b"X-Subject: no", ""),
        (b"Keywords: a\r\n Subject: no", ""),
    ],
)
def test_the_subject(field: bytes, subject: str) -> None:
    assert with_field(field).subject == subject


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (b"Message-ID: <a.b@c.example>", "<a.b@c.example>"),
        (b"Message-Id:\r\n <a@b>", "<a@b>"),
        (b"Message-ID: <a@b> <c@d>", ""),
        (b"Message-ID: <a b@c>", ""),
        (b"Message-ID: <a@b>\r\n\tX: y", ""),
        (b"Message-ID: <" + b"a" * 300 + b"@b>", ""),
        (b"Date: x", ""),
    ],
)
def test_the_message_id(field: bytes, found: str) -> None:
    assert with_field(field).message_id == found


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (b"List-Id: <a.example>", True),
        (b"List-Unsubscribe: <https://x>", True),
        (b"Precedence: bulk", True),
        (b"precedence:  Junk", True),
        (b"Precedence: first-class", False),
        (b"Precedence: listless", False),
        (b"X-List-Id: no", False),
        (b"Comments: a\r\n List-Id: no", False),
    ],
)
def test_bulk(field: bytes, found: bool) -> None:
    assert with_field(field).is_bulk is found


@given(st.binary(max_size=300), st.booleans())
def test_any_octets(octets: bytes, whole: bool) -> None:
    found = original_of(octets, whole)
    assert len(found.subject) <= 150
    assert found.message_id.isascii()
    assert found.is_bulk in {True, False}
    assert not found.header or found.header.endswith(b"\r\n")
    assert octets.startswith(found.header) or found.header == octets.removesuffix(b"\r\n") + b"\r\n"


@given(st.from_regex(rb"(=\?[a-z0-9_-]{1,12}\?[bBqQ]\?[!-~]{0,20}\?=[ ]?){1,3}", fullmatch=True))
def test_any_encoded_word(value: bytes) -> None:
    assert isinstance(with_field(b"Subject: " + value).subject, str)


@attrs.define(eq=False)
class Content:
    """A content that hands out small pieces."""

    octets: bytes
    broken: bool = False
    closed: int = 0
    read_octets: int = 0

    async def read(self, octets: int) -> bytes:
        if self.broken:
            raise TemporaryFailure(STORE_UNAVAILABLE)
        piece = self.octets[self.read_octets :][: min(octets, 1000)]
        self.read_octets += len(piece)
        return piece

    def close(self) -> None:
        self.closed += 1


class Reading(SynchronousTestCase):
    def original(self, content: Content) -> Original:
        return self.successResultOf(Deferred.fromCoroutine(read_original(content)))  # type: ignore[arg-type]

    def test_a_small_message(self) -> None:
        content = Content(b"A: b\r\n\r\n" + b"x" * 5000)
        self.assertEqual(self.original(content), Original(b"A: b\r\n", content.octets))
        self.assertEqual(content.closed, 1)

    def test_one_of_the_largest_size(self) -> None:
        content = Content((b"A: b\r\n\r\n" + b"x" * MAX_RETURNED)[:MAX_RETURNED])
        self.assertEqual(self.original(content).content, content.octets)

    def test_a_large_one_is_not_read_to_its_end(self) -> None:
        content = Content(b"A: b\r\n\r\n" + b"x" * MAX_RETURNED * 3)
        self.assertEqual(self.original(content), Original(b"A: b\r\n", None))
        self.assertEqual(content.read_octets, MAX_RETURNED + 1)
        self.assertEqual(content.closed, 1)

    def test_a_header_without_end_is_cut(self) -> None:
        content = Content(b"A: b\r\n" * MAX_RETURNED)
        header = self.original(content).header
        self.assertLessEqual(len(header), MAX_RETURNED)
        self.assertEqual(header, b"A: b\r\n" * (MAX_RETURNED // 6))

    def test_it_is_closed_where_it_cannot_be_read(self) -> None:
        content = Content(b"", broken=True)
        self.failureResultOf(
            Deferred.fromCoroutine(read_original(content)),  # type: ignore[arg-type]
            TemporaryFailure,
        )
        self.assertEqual(content.closed, 1)
