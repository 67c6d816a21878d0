"""A maildrop of ours as twisted.mail knows mailboxes."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.mail.interfaces import IMailboxPOP3
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.concurrent.threads import Inline
from mailsuite.model.address import Address
from mailsuite.model.failure import MessageGone, TemporaryFailure
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.store.memory import MemoryStore
from mailsuite.store.twisted_mailbox import SPOOL_OCTETS, MaildropMailbox

JOE = Address("joe", "example.test")
FIRST = b"Subject: one\r\n\r\nHello.\r\n..dots\r\n"
SECOND = b"Subject: two\r\n\r\n" + b"0123456\r\n" * 40_000
THIRD = b"Subject: \r three\r\n\r\n\r"


class MailboxTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = MemoryStore()
        for content in (FIRST, SECOND, THIRD):
            delivery = self.store.begin(JOE)
            delivery.write(content)
            self.result(self.store.deliver([delivery]))
        self.maildrop = self.result(self.store.open_maildrop(JOE))
        self.mailbox = MaildropMailbox(self.maildrop, Inline())

    def result(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def text(self, index):
        with self.successResultOf(self.mailbox.getMessage(index)) as file:
            return file.read()

    def sync(self):
        return self.successResultOf(self.mailbox.sync())

    def test_provides_the_interface(self) -> None:
        verifyObject(IMailboxPOP3, self.mailbox)

    def test_sizes_are_those_of_the_wire(self) -> None:
        sizes = [len(FIRST), len(SECOND), len(THIRD)]
        self.assertEqual(self.mailbox.listMessages(), sizes)
        self.assertEqual([self.mailbox.listMessages(i) for i in range(3)], sizes)

    def test_texts_have_the_line_ends_of_twisted_mail(self) -> None:
        """Also where a CR and its LF come in two pieces; a CR of its own stays."""
        self.assertGreater(len(SECOND), SPOOL_OCTETS)
        for index, content in enumerate((FIRST, SECOND, THIRD)):
            self.assertEqual(self.text(index), content.replace(b"\r\n", b"\n"))

    def test_uidls(self) -> None:
        self.assertEqual(
            [self.mailbox.getUidl(i) for i in range(3)],
            [ref.uidl.encode() for ref in self.maildrop.messages],
        )

    def test_nothing_is_removed_before_sync(self) -> None:
        self.mailbox.deleteMessage(0)
        self.mailbox.deleteMessage(2)
        self.assertEqual(self.mailbox.listMessages(), [0, len(SECOND), 0])
        self.assertEqual(self.mailbox.listMessages(0), 0)
        self.assertEqual(len(self.store.contents(JOE)), 3)
        self.sync()
        self.assertEqual(self.store.contents(JOE), (SECOND,))
        self.assertEqual(self.mailbox.listMessages(), [0, len(SECOND), 0])

    def test_what_is_deleted_is_gone_and_comes_back(self) -> None:
        self.mailbox.deleteMessage(0)
        for ask in (self.mailbox.getMessage, self.mailbox.deleteMessage):
            with self.assertRaises(ValueError):
                ask(0)
        self.mailbox.undeleteMessages()
        self.assertEqual(self.text(0), FIRST.replace(b"\r\n", b"\n"))
        self.sync()
        self.assertEqual(len(self.store.contents(JOE)), 3)

    def test_what_is_removed_does_not_come_back(self) -> None:
        self.mailbox.deleteMessage(0)
        self.sync()
        self.mailbox.undeleteMessages()
        self.assertEqual(self.mailbox.listMessages(0), 0)
        with self.assertRaises(ValueError):
            self.mailbox.getMessage(0)

    def test_a_removal_that_fails_is_tried_again(self) -> None:
        self.store.refuse_with = TemporaryFailure(STORE_UNAVAILABLE)
        self.mailbox.deleteMessage(0)
        self.failureResultOf(self.mailbox.sync(), TemporaryFailure)
        self.store.refuse_with = None
        self.sync()
        self.assertEqual(self.store.contents(JOE), (SECOND, THIRD))

    def test_there_is_no_such_message(self) -> None:
        mailbox = self.mailbox
        for ask in (mailbox.listMessages, mailbox.getMessage, mailbox.getUidl, mailbox.deleteMessage):
            for index in (-1, 3):
                with self.assertRaises(ValueError):
                    ask(index)

    def test_a_message_that_was_taken_away_and_one_that_cannot_be_read(self) -> None:
        self.store.take_away(JOE, self.maildrop.messages[0].uidl)
        self.failureResultOf(self.mailbox.getMessage(0), MessageGone)
        self.mailbox._threads = Broken()
        self.failureResultOf(self.mailbox.getMessage(1), OSError)

    def test_the_end_gives_the_maildrop_back_and_closes_the_texts(self) -> None:
        file = self.successResultOf(self.mailbox.getMessage(0))
        for _ in range(2):
            self.successResultOf(self.mailbox.release())
        self.assertTrue(file.closed)
        self.result(self.result(self.store.open_maildrop(JOE)).release())


class Broken:
    async def run(self, work):
        raise OSError(28, "No space left on device")
