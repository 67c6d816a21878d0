"""The log and the subscriptions in memory keep the contracts."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.notices.memory import MemoryEventLog, MemorySubscriptions
from tests.contracts.event_log import JOE, EventLogContract
from tests.contracts.subscriptions import SubscriptionsContract


class MemoryEventLogContractTests(EventLogContract, SynchronousTestCase):
    def make_event_log(self):
        return MemoryEventLog()


class MemorySubscriptionsContractTests(SubscriptionsContract, SynchronousTestCase):
    def make_subscriptions(self):
        return MemorySubscriptions()


class RefusingTests(SynchronousTestCase):
    def test_they_fail_where_a_test_wants_that(self):
        failure = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        log, subscriptions = MemoryEventLog(failure), MemorySubscriptions(failure)
        for coroutine in (log.append([]), log.heads([JOE]), subscriptions.all(), subscriptions.record([])):
            self.failureResultOf(Deferred.fromCoroutine(coroutine), TemporaryFailure)
