"""Mailboxes of twisted.mail behind our POP3: sizes, UIDLs, and mailboxes that behave badly."""

from __future__ import annotations

import errno
import io
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.mail.interfaces import IMailboxPOP3
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailsuite.concurrent.threads import Inline
from mailsuite.interfaces import IMaildrop, IMessageBody
from mailsuite.model.address import Address
from mailsuite.model.failure import MaildropInUse, MessageGone, PermanentFailure, TemporaryFailure
from mailsuite.model.view import Box, View
from mailsuite.store import mailbox_store, mailbox_uidls
from mailsuite.store.mailbox_store import MailboxStore, Sizes, WireText
from mailsuite.store.mailbox_uidls import Doubled

JOE, ANN = Address("joe", "example.test"), Address("ann", "example.test")


@implementer(IMailboxPOP3)
class ListMailbox:
    """Texts in a list; says all wrong sizes but 0."""

    def __init__(self, *texts: Any) -> None:
        self.texts = list(texts)
        self.uidls: list[Any] = [f"u{number}".encode() for number in range(len(texts))]
        self.marked: set[int] = set()
        self.synced = 0
        self.opened = 0
        self.files: list[Any] = []
        self.fails: dict[str, Exception] = {}

    def check(self, name: str) -> None:
        if name in self.fails:
            raise self.fails[name]

    def listMessages(self, i: int | None = None) -> Any:
        self.check("listMessages")
        return [7 if text is not None else 0 for text in self.texts]

    def getMessage(self, index: int) -> Any:
        self.check("getMessage")
        self.opened += 1
        text = self.texts[index]
        self.files.append(io.StringIO(text) if isinstance(text, str) else io.BytesIO(text))
        return self.files[-1]

    def getUidl(self, index: int) -> bytes:
        return self.uidls[index]

    def deleteMessage(self, index: int) -> None:
        self.check("deleteMessage")
        self.marked.add(index)

    def undeleteMessages(self) -> None:
        self.marked.clear()

    def sync(self) -> None:
        self.check("sync")
        self.synced += 1


class LateMailbox(ListMailbox):
    """Answers all by Deferreds."""

    def listMessages(self, i: int | None = None) -> Any:
        return self.late(super().listMessages())

    def getMessage(self, index: int) -> Any:
        return self.late(super().getMessage(index))

    def getUidl(self, index: int) -> Any:
        return self.late(super().getUidl(index))

    def late(self, answer: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.waits.append((done, answer))
        return done

    waits: list[Any]


class StoreCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.mailbox = ListMailbox()
        self.logouts = 0
        self.store = MailboxStore(self.open, Inline())

    async def open(self, account: Address) -> Any:
        return self.mailbox, self.logout

    def logout(self) -> None:
        self.logouts += 1

    def result(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def failure(self, coroutine: Any, kind: type[Exception]) -> Any:
        return self.failureResultOf(Deferred.fromCoroutine(coroutine), kind).value

    def opened(self, *texts: Any) -> Any:
        if texts:
            self.mailbox = ListMailbox(*texts)
        return self.result(self.store.open_maildrop(JOE))

    def content(self, drop: Any, ref: Any) -> bytes:
        body = self.result(drop.open(ref))
        chunks = []
        while chunk := self.result(body.read()):
            self.assertLessEqual(len(chunk), 65_536)
            chunks.append(chunk)
        body.close()
        self.assertEqual(body.size, len(b"".join(chunks)))
        return b"".join(chunks)


class TextTests(StoreCase):
    def test_provides_the_interfaces(self) -> None:
        drop = self.opened(b"a\n")
        verifyObject(IMaildrop, drop)
        verifyObject(IMessageBody, self.result(drop.open(drop.messages[0])))

    def test_sizes_are_what_is_sent_whatever_the_mailbox_says(self) -> None:
        texts = (
            b"a\nb\n",
            b"a\r\nb\r\n",
            b"no end",
            b"\r",
            b"\n" * 100_000,
            "grüße\n",
            "\U0001f600" * 20_000,
        )
        wire = (
            b"a\r\nb\r\n",
            b"a\r\nb\r\n",
            b"no end\r\n",
            b"\r\r\n",
            b"\r\n" * 100_000,
            "grüße\r\n".encode(),
            ("\U0001f600" * 20_000).encode() + b"\r\n",
        )
        drop = self.opened(*texts)
        self.assertEqual([ref.size for ref in drop.messages], [len(each) for each in wire])
        self.assertEqual([self.content(drop, ref) for ref in drop.messages], list(wire))
        self.assertTrue(all(file.closed for file in self.mailbox.files))

    def test_octets_of_a_text_file(self) -> None:
        """As twisted.mail's own maildirs hand out; what is no UTF-8 in it would be an error."""
        raw = io.BytesIO(b"\xff\r\n")
        self.mailbox = ListMailbox(b"?")
        self.mailbox.getMessage = lambda index: io.TextIOWrapper(io.BytesIO(raw.getvalue()))  # type: ignore
        drop = self.opened()
        self.assertEqual(self.content(drop, drop.messages[0]), b"\xff\r\n")

    def test_a_file_that_cannot_be_closed(self) -> None:
        class Bare:
            read = io.BytesIO(b"").read

        self.assertEqual(WireText(Bare()).read(), b"")
        WireText(Bare()).close()

    def test_deleted_ones_are_not_there(self) -> None:
        drop = self.opened(b"a\n", None, b"c\n")
        self.assertEqual([ref.uidl for ref in drop.messages], ["u0", "u2"])
        self.assertEqual(self.content(drop, drop.messages[1]), b"c\r\n")

    def test_answers_that_come_later(self) -> None:
        self.mailbox = mailbox = LateMailbox(b"a\n", b"bb\n")
        mailbox.waits = []
        opening = Deferred.fromCoroutine(self.store.open_maildrop(JOE))
        while mailbox.waits:
            self.assertNoResult(opening)
            done, answer = mailbox.waits.pop()
            done.callback(answer)
        drop = self.successResultOf(opening)
        self.assertEqual([(ref.uidl, ref.size) for ref in drop.messages], [("u0", 3), ("u1", 4)])

    def test_what_was_measured_is_not_read_again(self) -> None:
        self.result(self.opened(b"a\n", b"b\n").release())
        self.mailbox.texts.append(b"c\n")
        self.mailbox.uidls.append(b"u2")
        self.mailbox.opened = 0
        drop = self.opened()
        self.assertEqual((self.mailbox.opened, [ref.size for ref in drop.messages]), (1, [3, 3, 3]))

    async def whole(self, body: Any) -> None:
        while await body.read():
            pass

    def test_a_message_that_has_changed(self) -> None:
        """It is not sent as if nothing had happened, and is measured again the next time."""
        for content in (b"longer\n", b"", b"a"):
            drop = self.opened(b"ab\n")
            self.mailbox.texts[0] = content
            body = self.result(drop.open(drop.messages[0]))
            self.assertIn("has others now", str(self.failure(self.whole(body), TemporaryFailure)))
            self.result(drop.release())
            drop = self.opened()
            self.assertEqual(drop.messages[0].size, len(content and content.rstrip() + b"\r\n"))
            self.result(drop.release())
            self.store._sizes.forget(JOE, "u0")

    def test_a_disk_that_fails(self) -> None:
        drop = self.opened(b"a\n")
        body = self.result(drop.open(drop.messages[0]))
        body._text.file = Failing()
        self.failure(body.read(), TemporaryFailure)

    def test_after_the_end(self) -> None:
        drop = self.opened(b"a\n")
        body = self.result(drop.open(drop.messages[0]))
        body.close()
        body.close()
        self.failure(body.read(), RuntimeError)


class Failing:
    def read(self, octets: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")


class UidlTests(StoreCase):
    def uidls(self, *found: Any) -> list[str]:
        self.mailbox = ListMailbox(*[b"a\n"] * len(found))
        self.mailbox.uidls = list(found)
        drop = self.opened()
        self.result(drop.release())
        return [ref.uidl for ref in drop.messages]

    def test_good_ones_stay(self) -> None:
        self.assertEqual(self.uidls(b"!~", "text", b"x" * 70), ["!~", "text", "x" * 70])

    def test_what_cannot_be_sent_is_hashed_and_stays_the_same(self) -> None:
        bad = (b"", b"with blank", b"x" * 71, "\udcff", b"\xff", b"new\nline", 7.5j)
        first = self.uidls(*bad)
        self.assertEqual(self.uidls(*bad), first)
        self.assertEqual(len(set(first)), len(bad))
        for each in first[:-1]:
            self.assertRegex(each, "^[0-9a-f]{40}$")

    def test_two_of_the_same_are_told_apart(self) -> None:
        before = self.uidls(b"same", b"other", b"same", b"same")
        self.assertEqual((len(set(before)), before[1], "same" in before), (4, "other", False))
        self.assertEqual(self.uidls(b"same", b"other", b"same", b"same"), before)

    def by_content(self, *texts: bytes) -> dict[bytes, str]:
        """The UIDLs of messages that all have the same one in their mailbox; sizes must be right, too."""
        self.mailbox = ListMailbox(*texts)
        self.mailbox.uidls = [b"same"] * len(texts)
        drop = self.opened()
        found = {self.content(drop, ref): ref.uidl for ref in drop.messages}
        self.result(drop.release())
        return found

    def test_none_takes_over_what_another_was_called(self) -> None:
        alone = self.by_content(b"first\n")
        both = self.by_content(b"first\n", b"second, longer\n")
        self.assertEqual(alone, {b"first\r\n": "same"})
        self.assertEqual(len({*alone.values(), *both.values()}), 3)
        self.assertEqual(self.by_content(b"second, longer\n", b"first\n"), both)
        second = self.by_content(b"second, longer\n")
        self.assertEqual(second, {b"second, longer\r\n": both[b"second, longer\r\n"]})

    def test_a_hash_that_another_is_called_already(self) -> None:
        (hashed,) = self.uidls(b"with blank")
        self.assertEqual(len(set(self.uidls(hashed, b"with blank"))), 2)


class SessionTests(StoreCase):
    def test_one_at_a_time(self) -> None:
        drop = self.opened(b"a\n")
        self.failure(self.store.open_maildrop(JOE), MaildropInUse)
        self.result(self.result(self.store.open_maildrop(ANN)).release())
        for _ in range(2):
            self.result(drop.release())
        self.assertEqual(self.logouts, 2)
        self.opened()

    def test_no_views_and_no_trash(self) -> None:
        for view in (View(Box.TRASH), View(device="d")):
            self.failure(self.store.open_maildrop(JOE, view), PermanentFailure)
        self.opened()

    def test_a_mailbox_that_does_not_open_or_list(self) -> None:
        self.mailbox.fails["listMessages"] = ZeroDivisionError()
        self.failure(self.store.open_maildrop(JOE), ZeroDivisionError)
        self.assertEqual(self.logouts, 1)

        async def fail(account: Address) -> Any:
            raise ZeroDivisionError

        self.failure(MailboxStore(fail, Inline()).open_maildrop(JOE), ZeroDivisionError)
        self.mailbox.fails.clear()
        self.result(self.opened().release())

    def test_messages_that_cannot_be_opened(self) -> None:
        drop = self.opened(b"a\n")
        for error, kind in (
            (ValueError("no such"), MessageGone),
            (IndexError("no such"), MessageGone),
            (FileNotFoundError(errno.ENOENT, "gone"), MessageGone),
            (OSError(errno.EIO, "Input/output error"), TemporaryFailure),
        ):
            self.mailbox.fails["getMessage"] = error
            self.failure(drop.open(drop.messages[0]), kind)

    def test_nothing_is_marked_before_the_end(self) -> None:
        drop = self.opened(b"a\n", b"b\n", b"c\n")
        self.assertEqual(self.result(drop.update((drop.messages[0], drop.messages[2]), drop.messages)), 0)
        self.assertEqual((self.mailbox.marked, self.mailbox.synced), ({0, 2}, 1))

    def test_what_cannot_be_deleted_is_counted(self) -> None:
        drop = self.opened(b"a\n")
        for error in (ValueError(), IndexError(), OSError()):
            self.mailbox.fails["deleteMessage"] = error
            self.assertEqual(self.result(drop.update(drop.messages, ())), 1)
        self.mailbox.fails = {"sync": OSError(errno.EROFS, "Read-only file system")}
        self.failure(drop.update(drop.messages, ()), TemporaryFailure)


def test_only_the_last_sizes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox_store, "MAX_SIZES", 2)
    sizes = Sizes()
    sizes.put(JOE, "a", 1)
    sizes.put(JOE, "b", 2)
    assert sizes.get(JOE, "a") == 1
    sizes.put(ANN, "a", 3)
    assert [sizes.get(JOE, "a"), sizes.get(JOE, "b"), sizes.get(ANN, "a")] == [1, None, 3]
    sizes.forget(JOE, "never known")


def test_only_the_last_doubled_ones_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox_uidls, "MAX_DOUBLED", 2)
    doubled = Doubled()
    assert doubled.all_of(JOE, ["a", "b", "c", "a", "b"]) == {"a", "b"}
    assert doubled.all_of(ANN, ["a", "b"]) == set()
    assert doubled.all_of(JOE, ["a", "c"]) == {"a"}
    assert doubled.all_of(JOE, ["c", "c"]) == {"c"}
    assert doubled.all_of(JOE, ["a", "b", "c"]) == {"a", "c"}
