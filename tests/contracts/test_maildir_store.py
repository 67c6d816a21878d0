"""The maildir store keeps the contract, with work done in place and with a pool of threads."""

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Pool
from tests.contracts.mail_store import MailStoreContract
from tests.contracts.mail_store_views import MailViewsContract
from tests.store.maildirs import MaildirCase


class InPlace(MaildirCase):
    def make_store(self):
        return self.maildir_store(threads=self.make_threads(), clock=self.seconds)

    def make_threads(self):
        return None

    def restarted(self, store):
        store.stop()
        return self.make_store()

    def take_away(self, account, uidl):
        (path,) = [path for path in self.visible(account) if path.name.startswith(uidl)]
        path.unlink()

    def wait_for(self, outcome):
        self.pump.until(lambda: outcome)


class InThreads(InPlace):
    def make_threads(self):
        pool = Pool(self.pump, "store", 4, 16)
        pool.start()
        self.addCleanup(pool.stop)
        return pool


class MaildirStoreContractTests(InPlace, MailStoreContract, SynchronousTestCase):
    pass


class MaildirStoreInThreadsContractTests(InThreads, MailStoreContract, SynchronousTestCase):
    pass


class MaildirViewsContractTests(InPlace, MailViewsContract, SynchronousTestCase):
    pass


class MaildirViewsInThreadsContractTests(InThreads, MailViewsContract, SynchronousTestCase):
    pass
