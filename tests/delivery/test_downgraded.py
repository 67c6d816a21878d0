"""Maildrops for clients without UTF8: sizes, headers, bodies, removals, failures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import attrs
import pytest

from mailsuite.concurrent.now import run_now
from mailsuite.delivery import downgraded as module
from mailsuite.delivery.downgraded import MAX_HEADER_OCTETS, PIECE_OCTETS, Downgraded, Surrogate, downgraded
from mailsuite.interfaces import IMaildrop, IMessageBody
from mailsuite.model.address import Address
from mailsuite.model.failure import MessageGone, NeedsUtf8, TemporaryFailure
from mailsuite.model.message import MessageRef
from mailsuite.model.reply import STORE_UNAVAILABLE

JOE = Address("joe", "example.test")
TEXT = "\r\nGrüße\r\n.\r\n".encode()
UTF8 = "From: Jörg <joerg@example.test>\r\nSubject: Grüße\r\n".encode() + TEXT
ASCII = b"Subject: plain\r\n" + TEXT


@attrs.define(eq=False)
class Body:
    """Gives its pieces; an exception among them is raised."""

    pieces: list[bytes | Exception]
    size: int
    descriptor: int = 7
    closed: int = 0

    async def read(self) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self.closed += 1


@attrs.define(eq=False)
class Drop:
    """Its messages by UIDL; how each is cut into pieces is up to the test."""

    contents: dict[str, bytes | Exception]
    utf8: frozenset[str]
    pieces: int = 1_000_000
    account: Address = JOE
    messages: tuple[MessageRef, ...] = attrs.field(init=False)
    bodies: list[Body] = attrs.field(factory=list)
    updates: list[object] = attrs.field(factory=list)
    released: int = 0
    not_removed: int = 0
    breaks: bool = False
    """Every body, in the middle of its header."""

    def __attrs_post_init__(self) -> None:
        self.messages = tuple(
            MessageRef(
                uidl, 0 if isinstance(content, Exception) else len(content), uidl, False, uidl in self.utf8
            )
            for uidl, content in self.contents.items()
        )

    async def open(self, ref: MessageRef) -> Body:
        assert ref in self.messages, "the store knows its own references alone"
        content = self.contents[ref.uidl]
        if isinstance(content, Exception):
            raise content
        if self.breaks:
            self.bodies.append(Body([content[:10], TemporaryFailure(STORE_UNAVAILABLE)], len(content)))
            return self.bodies[-1]
        step = self.pieces
        self.bodies.append(
            Body([content[at : at + step] for at in range(0, len(content), step)], len(content))
        )
        return self.bodies[-1]

    async def update(self, deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> int:
        assert {*deleted, *retrieved} <= set(self.messages)
        self.updates.append((deleted, retrieved))
        return self.not_removed

    async def release(self) -> None:
        self.released += 1


def shown(drop: Drop, policy: str = "downgrade") -> Any:
    return run_now(downgraded(cast(IMaildrop, drop), cast(Any, policy)))


def text(maildrop: Any, ref: MessageRef) -> bytes:
    """All of a message, which has the size that it says."""

    async def read() -> bytes:
        body = await maildrop.open(ref)
        data = b""
        while piece := await body.read():
            assert len(piece) <= PIECE_OCTETS
            data += piece
        assert body.size == len(data)
        body.close()
        return data

    return run_now(read())


@pytest.mark.parametrize("pieces", [1, 7, 1_000_000])
def test_a_header_of_ascii_and_the_body_as_it_is(pieces: int) -> None:
    drop = Drop({"a": ASCII, "u": UTF8}, frozenset("u"), pieces)
    maildrop = shown(drop)
    plain, other = maildrop.messages
    assert plain is drop.messages[0]
    assert (other.uidl, other.key, other.utf8_header) == ("u", "u", True)
    said = text(maildrop, other)
    assert len(said) == other.size != len(UTF8)
    header, _, body = said.partition(b"\r\n\r\n")
    assert header.isascii()
    assert b"=?utf-8?" in header.lower()
    assert b"\r\n" + body == TEXT
    assert text(maildrop, plain) == ASCII
    assert all(body.closed == 1 for body in drop.bodies)


def test_what_goes_by_the_kernel_is_the_plain_one_alone() -> None:
    drop = Drop({"a": ASCII, "u": UTF8}, frozenset("u"))
    maildrop = shown(drop)
    assert [run_now(maildrop.open(ref)).descriptor for ref in maildrop.messages] == [7, -1]
    assert [ref.dot_lines for ref in maildrop.messages] == [False, True]


def test_nothing_to_hide_is_no_other_maildrop() -> None:
    drop = Drop({"a": ASCII}, frozenset())
    assert shown(drop) is drop
    assert shown(drop, "refuse") is drop


def test_removals_lock_and_account_are_the_other_s() -> None:
    drop = Drop({"a": ASCII, "u": UTF8}, frozenset("u"), not_removed=1)
    maildrop = shown(drop)
    assert run_now(maildrop.update(maildrop.messages, maildrop.messages[1:])) == 1
    assert drop.updates == [(drop.messages, drop.messages[1:])]
    run_now(maildrop.release())
    assert (drop.released, maildrop.account) == (1, JOE)


def test_a_site_that_refuses() -> None:
    drop = Drop({"a": ASCII, "u": UTF8}, frozenset("u"))
    maildrop = shown(drop, "refuse")
    assert maildrop.messages == drop.messages
    with pytest.raises(NeedsUtf8):
        run_now(maildrop.open(maildrop.messages[1]))
    assert text(maildrop, maildrop.messages[0]) == ASCII
    assert run_now(maildrop.update(maildrop.messages, ())) == 0


def test_a_message_that_is_all_header() -> None:
    whole = "Subject: Grüße\r\n".encode()
    maildrop = shown(Drop({"u": whole}, frozenset("u"), 3))
    assert text(maildrop, maildrop.messages[0]).isascii()


def test_a_header_without_an_end_is_given_as_it_is() -> None:
    whole = b"X: \xc3\xbc\r\n" * (MAX_HEADER_OCTETS // 4)
    maildrop = shown(Drop({"u": whole}, frozenset("u"), 60_000))
    assert text(maildrop, maildrop.messages[0]) == whole


def test_what_cannot_be_read_at_the_login_is_listed_as_it_is_stored() -> None:
    drop = Drop({"gone": MessageGone(), "u": UTF8}, frozenset(("gone", "u")))
    maildrop = shown(drop)
    assert maildrop.messages[0].size == 0
    with pytest.raises(MessageGone):
        run_now(maildrop.open(maildrop.messages[0]))
    assert text(maildrop, maildrop.messages[1]).partition(b"\r\n\r\n")[0].isascii()


def test_a_body_that_breaks_is_closed() -> None:
    drop = Drop({"u": UTF8}, frozenset("u"))
    drop.breaks = True
    maildrop = shown(drop)
    assert (drop.bodies[0].closed, maildrop.messages[0].size) == (1, len(UTF8))
    with pytest.raises(TemporaryFailure):
        run_now(maildrop.open(maildrop.messages[0]))
    assert drop.bodies[1].closed == 1


def test_not_more_than_so_many_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MEASURED", 2)
    drop = Drop(dict.fromkeys("uvwx", UTF8), frozenset("uvwx"))
    maildrop = shown(drop)
    assert len(drop.bodies) == 2
    assert [ref.size == len(UTF8) for ref in maildrop.messages] == [False, False, True, True]
    assert text(maildrop, maildrop.messages[3]) == text(maildrop, maildrop.messages[0])
    run_now(maildrop.update(maildrop.messages, ()))


def test_the_doubles_and_the_real_ones_are_what_they_stand_for() -> None:
    for kind, interface in (
        (Drop, IMaildrop),
        (Body, IMessageBody),
        (Surrogate, IMessageBody),
        (Downgraded, IMaildrop),
    ):
        names = {field.name for field in attrs.fields(cast(Any, kind))} | set(vars(kind))
        assert set(interface.names()) <= names
