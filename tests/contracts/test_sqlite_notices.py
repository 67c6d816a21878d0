"""The log and the subscriptions in notify.db keep the contracts."""

from twisted.trial.unittest import SynchronousTestCase

from tests.contracts.event_log import EventLogContract
from tests.contracts.subscriptions import SubscriptionsContract
from tests.notices.files import NotifyDbCase


class SqliteEventLogContractTests(EventLogContract, NotifyDbCase, SynchronousTestCase):
    def make_event_log(self):
        return self.opened().event_log


class SqliteSubscriptionsContractTests(SubscriptionsContract, NotifyDbCase, SynchronousTestCase):
    def make_subscriptions(self):
        return self.opened().subscriptions


class ReopenedSubscriptionsContractTests(SqliteSubscriptionsContractTests):
    """All that is asked is asked of the file: whoever reads it is not who wrote it."""

    def all(self):
        self.subscriptions = self.opened().subscriptions
        return super().all()
