"""What a password that was right is good for, and that nothing is written over."""

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.accounts.keyring import Keyring
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.renewal import Renewal
from mailsuite.accounts.vault import Vault
from mailsuite.concurrent.tasks import Tasks
from mailsuite.concurrent.threads import Inline
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.origin import Origin
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, OVERLOADED
from mailsuite.observe.log import Log
from tests.accounts.fakes import CHEAP, HASH, SECRET
from tests.concurrent.held import HeldThreads

JOE = Account(Address("joe", "example.net"), "Joe", password_hash=HASH)
ANN = attrs.evolve(JOE, address=Address("ann", "example.net"))
OTHER = CHEAP.hash("other-swordfish")
RING = Keyring.new()


class OldHashes:
    """Takes exactly these hashes for old; makes others."""

    def __init__(self, threads, old=()):
        self.old = set(old)
        self.passwords = Passwords(threads, hasher=CHEAP)
        self.hash = self.passwords.hash
        self.is_certain = self.passwords.is_certain

    def needs_rehash(self, stored):
        return stored in self.old


class Racing(MemoryDirectory):
    """Something is done just after the account was looked at."""

    afterwards = None

    async def account(self, address):
        found = await super().account(address)
        if self.afterwards is not None:
            work, self.afterwards = self.afterwards, None
            await work
        return found


class RenewalCase(SynchronousTestCase):
    def setUp(self):
        self.lines = []
        self.lost = []
        self.tasks = Tasks(self.lost.append)
        self.directory = MemoryDirectory((JOE, ANN))
        self.use(Inline())

    def use(self, threads, old=(), **others):
        self.threads = threads
        self.vault = Vault(RING, threads)
        log = Log(lambda line, level: self.lines.append(line))
        passwords = OldHashes(threads, old)
        self.renewal = Renewal(self.directory, self.vault, passwords, self.tasks, log, **others)

    def do(self, work):
        """What comes of it at once."""
        return self.successResultOf(work if isinstance(work, Deferred) else Deferred.fromCoroutine(work))

    def account(self, account=JOE):
        return self.do(self.directory.account(account.address))

    def keys(self, account=JOE):
        """The keys that a proof would be held against now."""
        now = self.account(account)
        sealed = self.do(self.directory.verifiers(account.address))
        return self.vault.open_verifiers(account.address, sealed, now.password_hash)

    def sealed(self):
        return self.do(self.directory.verifiers(JOE.address))


class VerifiersTests(RenewalCase):
    def test_what_is_missing_is_made(self):
        self.renewal.begin(JOE, SECRET)
        self.assertEqual(set(self.keys()), {"sha1", "sha256"})
        self.assertEqual(self.account(), JOE)

    def test_what_is_there_stays(self):
        self.renewal.begin(JOE, SECRET)
        first = self.sealed()
        self.use(Inline())
        self.renewal.begin(JOE, SECRET)
        self.assertEqual(self.sealed(), first)

    def test_those_of_an_older_password_are_replaced(self):
        old = self.do(self.vault.seal_verifiers(JOE.address, "old", OTHER))
        self.do(self.directory.keep_verifiers(JOE.address, old))
        self.renewal.begin(JOE, SECRET)
        self.assertTrue(self.keys())

    def test_those_that_do_not_open_are_told_and_replaced(self):
        self.do(self.directory.keep_verifiers(JOE.address, b"broken"))
        self.renewal.begin(JOE, SECRET)
        self.assertTrue(self.keys())
        self.assertEqual(len(self.lines), 1)
        for word in (" error ", "seal.broken", "account=joe@example.net", 'device=""'):
            self.assertIn(word, self.lines[0])

    def test_an_account_of_a_file_has_verifiers_too(self):
        filed = attrs.evolve(JOE, origin=Origin.FILE)
        self.use(Inline(), old={HASH})
        self.renewal.begin(filed, SECRET)
        self.assertEqual(self.account().password_hash, HASH)
        self.assertTrue(self.keys())

    def test_who_needs_nothing_is_not_looked_at_again(self):
        self.renewal.begin(JOE, SECRET)
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.renewal.begin(JOE, SECRET)
        self.assertEqual(self.lines, [])
        self.renewal.begin(attrs.evolve(JOE, password_hash=OTHER), SECRET)
        self.assertEqual(len(self.lines), 1)

    def test_only_so_many_are_remembered(self):
        self.use(Inline(), max_remembered=1)
        self.renewal.begin(JOE, SECRET)
        self.renewal.begin(ANN, SECRET)
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.renewal.begin(ANN, SECRET)
        self.assertEqual(self.lines, [])
        self.renewal.begin(JOE, SECRET)
        self.assertEqual(len(self.lines), 1)


class RehashTests(RenewalCase):
    def setUp(self):
        super().setUp()
        self.use(Inline(), old={HASH})

    def test_an_old_hash_is_replaced_and_the_verifiers_are_those_of_the_new_one(self):
        self.renewal.begin(JOE, SECRET)
        now = self.account()
        self.assertNotEqual(now.password_hash, HASH)
        self.assertTrue(CHEAP.verify(now.password_hash, SECRET))
        self.assertEqual(attrs.evolve(now, password_hash=HASH), JOE)
        self.assertTrue(self.keys())
        self.assertIn("login.rehashed account=joe@example.net", self.lines[0])

    def test_it_is_known_what_took_whose_place(self):
        self.assertEqual(self.renewal.successor(JOE.address, HASH), HASH)
        self.renewal.begin(JOE, SECRET)
        self.assertEqual(self.renewal.successor(JOE.address, HASH), self.account().password_hash)
        self.assertEqual(self.renewal.successor(ANN.address, HASH), HASH)
        self.assertEqual(self.renewal.successor(JOE.address, OTHER), OTHER)

    def test_what_else_was_changed_meanwhile_stays(self):
        self.use(HeldThreads(), old={HASH})
        self.renewal.begin(JOE, SECRET)
        self.do(self.directory.change_account(attrs.evolve(JOE, name="Joseph")))
        self.threads.release()
        self.assertEqual(self.account().name, "Joseph")
        self.assertNotEqual(self.account().password_hash, HASH)

    def test_a_password_that_may_have_been_mistyped_is_made_nothing_of(self):
        """crypt(3) of old reads eight characters: by the next login the owner's own would be wrong."""
        des = attrs.evolve(JOE, password_hash="{CRYPT}k9lc5WfPHTzec")
        self.directory = MemoryDirectory((des,))
        self.use(Inline(), old={des.password_hash})
        for _ in range(2):
            self.renewal.begin(des, "canary-swordfihs")
        self.assertEqual((self.account(), self.sealed()), (des, b""))
        self.assertEqual(len(self.lines), 1)
        self.assertIn("login.hash_kept account=joe@example.net", self.lines[0])

    def test_a_short_password_of_an_old_form_is_renewed(self):
        des = attrs.evolve(JOE, password_hash="{CRYPT}//EsnG9FLTKjo")
        self.directory = MemoryDirectory((des,))
        self.use(Inline(), old={des.password_hash})
        self.renewal.begin(des, "test")
        self.assertTrue(CHEAP.verify(self.account().password_hash, "test"))
        self.assertTrue(self.keys())

    def test_whoever_is_about_to_write_the_account_goes_first(self):
        """Else they would write the old hash back, which they have read already."""
        turn = DeferredLock()
        self.use(Inline(), old={HASH}, turn=turn)
        self.do(turn.acquire())
        self.renewal.begin(JOE, SECRET)
        self.do(self.directory.change_account(attrs.evolve(JOE, name="Joseph")))
        self.assertEqual(self.account().password_hash, HASH)
        turn.release()
        self.assertEqual(self.account().name, "Joseph")
        self.assertNotEqual(self.account().password_hash, HASH)
        self.assertFalse(turn.locked)


class MeanwhileTests(RenewalCase):
    """The hash is made first, then the verifiers; something happens while either is made."""

    def changed_while(self, pieces, change, old):
        self.use(HeldThreads(), old)
        self.renewal.begin(JOE, SECRET)
        for _ in range(pieces - 1):
            self.threads.release()
        self.do(change)
        self.threads.release()
        self.assertEqual(self.threads.held, [])
        self.assertEqual((self.lost, len(self.tasks)), ([], 0))

    def test_a_password_that_is_changed_meanwhile_is_left_alone(self):
        for pieces, old in ((1, {HASH}), (1, ()), (2, {HASH})):
            self.directory = MemoryDirectory((JOE,))
            changed = attrs.evolve(JOE, password_hash=OTHER)
            self.changed_while(pieces, self.directory.change_account(changed), old)
            self.assertEqual(self.account(), changed)
            self.assertEqual(self.sealed(), b"")

    def test_a_password_that_is_changed_at_the_last_moment_is_left_alone(self):
        """No moment is left between a look at the account and what is written."""
        for old in ({HASH}, ()):
            self.directory = Racing((JOE,))
            self.use(Inline(), old)
            self.directory.afterwards = self.new_password()
            self.renewal.begin(JOE, SECRET)
            self.assertEqual(self.account().password_hash, OTHER)
            self.assertEqual(self.sealed(), b"of the new one")
            self.assertEqual(self.lost, [])

    async def new_password(self):
        await self.directory.change_account(attrs.evolve(JOE, password_hash=OTHER))
        await self.directory.keep_verifiers(JOE.address, b"of the new one")

    def test_an_account_that_is_removed_meanwhile_stays_so(self):
        for pieces, old in ((1, {HASH}), (1, ()), (2, {HASH})):
            self.directory = MemoryDirectory((JOE,))
            self.changed_while(pieces, self.directory.remove_account(JOE.address), old)
            self.assertIsNone(self.account())
            self.assertEqual(self.lines[1:], [])

    def test_the_next_login_finds_what_is_left_to_do(self):
        changed = attrs.evolve(JOE, password_hash=OTHER)
        self.changed_while(1, self.directory.change_account(changed), ())
        self.renewal.begin(changed, "other-swordfish")
        self.threads.release()
        self.assertTrue(self.keys())

    def test_not_twice_at_once_for_one_account(self):
        self.use(HeldThreads(), old={HASH})
        self.renewal.begin(JOE, SECRET)
        self.renewal.begin(JOE, SECRET)
        self.assertEqual(len(self.threads.held), 1)
        self.renewal.begin(ANN, SECRET)
        self.assertEqual(len(self.threads.held), 2)


class FailureTests(RenewalCase):
    def test_what_fails_is_told_and_tried_again(self):
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "the disk is on fire")
        self.renewal.begin(JOE, SECRET)
        self.assertEqual(len(self.lines), 1)
        for word in ("warning", "login.renewal_failed", "account=joe@example.net", "the disk is on fire"):
            self.assertIn(word, self.lines[0])
        self.directory.refuse_with = None
        self.renewal.begin(JOE, SECRET)
        self.assertTrue(self.keys())

    def test_threads_that_are_all_busy_leave_it_for_later(self):
        async def busy(work):
            raise TemporaryFailure(OVERLOADED)

        threads = Inline()
        threads.run = busy
        self.use(threads, old={HASH})
        self.renewal.begin(JOE, SECRET)
        self.assertIn("login.renewal_failed", self.lines[0])
        self.assertEqual(self.account(), JOE)

    def test_a_mistake_of_ours_is_not_lost_and_stands_in_nobody_s_way(self):
        self.directory.refuse_with = ZeroDivisionError()
        self.renewal.begin(JOE, SECRET)
        self.assertTrue(self.lost[0].check(ZeroDivisionError))
        self.directory.refuse_with = None
        self.renewal.begin(JOE, SECRET)
        self.assertTrue(self.keys())

    def test_nothing_is_shown(self):
        self.renewal.begin(JOE, SECRET)
        self.assertNotIn("argon2", repr(self.renewal))
        self.assertNotIn("canary", repr(self.renewal) + "".join(self.lines))
