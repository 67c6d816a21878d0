"""Avatars: what the realm opens, and that no lock outlives its session."""

from twisted.cred.checkers import ANONYMOUS
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface
from zope.interface.verify import verifyObject

from mailsuite.accounts.realm import MailRealm
from mailsuite.concurrent.tasks import Tasks
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.interfaces import IMaildrop, ISubmitter
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.failure import MaildropInUse, TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, STORE_UNAVAILABLE
from mailsuite.model.view import View
from mailsuite.store.memory import MemoryStore

JOE = Account(Address("joe", "example.net"), "Joe")
CLASSIC = View()


class SlowStore(MemoryStore):
    """Opens when the test says so, as a store with threads does; deaf to cancellation as those are."""

    def __init__(self):
        super().__init__()
        self.slow = []

    async def open_maildrop(self, account, view=CLASSIC):
        ready = Deferred(lambda cancelled: None)
        self.slow.append(ready)
        await ready
        return await super().open_maildrop(account, view)


class RealmCase(SynchronousTestCase):
    def setUp(self):
        self.lost = []
        self.tasks = Tasks(self.lost.append)
        self.directory = MemoryDirectory((JOE,))
        self.use(MemoryStore())

    def use(self, store):
        self.store = store
        self.realm = MailRealm(store, self.directory, self.tasks)

    def ask(self, *interfaces, avatar_id=b"joe@example.net"):
        return self.realm.requestAvatar(avatar_id, None, *interfaces)

    def is_free(self):
        opening = Deferred.fromCoroutine(MemoryStore.open_maildrop(self.store, JOE.address))
        result = []
        opening.addBoth(result.append)
        if hasattr(result[0], "check"):
            self.assertTrue(result[0].check(MaildropInUse))
            return False
        self.successResultOf(Deferred.fromCoroutine(result[0].release()))
        return True


class MailRealmTests(RealmCase):
    def test_provides_the_interface(self):
        verifyObject(IRealm, self.realm)

    def test_a_maildrop_is_opened_and_logging_out_releases_it(self):
        interface, maildrop, logout = self.successResultOf(self.ask(IMaildrop))
        self.assertIs(interface, IMaildrop)
        verifyObject(IMaildrop, maildrop)
        self.assertEqual(maildrop.account, JOE.address)
        self.assertFalse(self.is_free())
        logout()
        self.assertTrue(self.is_free())
        logout()
        self.assertEqual(self.lost, [])

    def test_a_second_session_hears_that_the_maildrop_is_in_use(self):
        self.successResultOf(self.ask(IMaildrop))
        self.failureResultOf(self.ask(IMaildrop), MaildropInUse)
        self.assertEqual(self.lost, [])

    def test_a_store_that_is_away_is_told(self):
        self.store.refuse_with = TemporaryFailure(STORE_UNAVAILABLE)
        self.failureResultOf(self.ask(IMaildrop), TemporaryFailure)

    def test_a_submitter_is_the_account(self):
        interface, submitter, logout = self.successResultOf(self.ask(ISubmitter))
        self.assertIs(interface, ISubmitter)
        verifyObject(ISubmitter, submitter)
        self.assertEqual(submitter.account, JOE)
        logout()
        self.assertTrue(self.is_free())

    def test_an_avatar_id_is_in_utf_8(self):
        account = Account(Address("jo\u00eb", "example.net"))
        self.directory = MemoryDirectory((account,))
        self.use(self.store)
        submitter = self.successResultOf(self.ask(ISubmitter, avatar_id="jo\u00eb@example.net".encode()))[1]
        self.assertEqual(submitter.account, account)

    def test_a_submitter_who_was_removed_just_now_is_nobody(self):
        self.failureResultOf(self.ask(ISubmitter, avatar_id=b"ann@example.net"), UnauthorizedLogin)

    def test_a_directory_that_is_away_is_told(self):
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.failureResultOf(self.ask(ISubmitter), TemporaryFailure)

    def test_nobody_is_served_without_a_name(self):
        self.failureResultOf(self.ask(IMaildrop, avatar_id=ANONYMOUS), UnauthorizedLogin)

    def test_the_first_interface_it_knows_is_given(self):
        class IOther(Interface):
            pass

        self.assertIs(self.successResultOf(self.ask(IOther, ISubmitter))[0], ISubmitter)
        self.failureResultOf(self.ask(IOther), NotImplementedError)


class CancelledOpeningTests(RealmCase):
    def setUp(self):
        super().setUp()
        self.use(SlowStore())

    def test_a_maildrop_that_opens_for_nobody_is_released(self):
        asking = self.ask(IMaildrop)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual(len(self.tasks), 1)
        self.store.slow[0].callback(None)
        self.assertEqual(len(self.tasks), 0)
        self.assertTrue(self.is_free())

    def test_one_that_opens_in_time_is_kept(self):
        asking = self.ask(IMaildrop)
        self.assertNoResult(asking)
        self.store.slow[0].callback(None)
        self.successResultOf(asking)
        self.assertFalse(self.is_free())

    def test_what_fails_for_nobody_is_told_to_nobody(self):
        asking = self.ask(IMaildrop)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.store.slow[0].errback(MaildropInUse())
        self.assertEqual((len(self.tasks), self.lost), (0, []))

    def test_a_mistake_of_ours_is_not_lost(self):
        asking = self.ask(IMaildrop)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.store.slow[0].errback(ZeroDivisionError())
        self.assertTrue(self.lost[0].check(ZeroDivisionError))

    def test_a_mistake_of_ours_reaches_the_session_that_waits(self):
        asking = self.ask(IMaildrop)
        self.store.slow[0].errback(ZeroDivisionError())
        self.failureResultOf(asking, ZeroDivisionError)
        self.assertEqual(self.lost, [])
