"""What every IKnocker promises. Subclass it, say how to make the channel and how each knock ends."""

from __future__ import annotations

from ipaddress import ip_address

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IKnocker
from mailsuite.model.failure import PermanentFailure, TemporaryFailure

PEER = ip_address("198.41.0.4")


class KnockerContract:
    """Mix into a SynchronousTestCase."""

    def make_channel(self) -> IKnocker:
        raise AssertionError("a subclass makes the channel")

    def accept(self) -> None:
        """Let the knock under way succeed."""
        raise AssertionError("a subclass lets the knock succeed")

    def refuse(self) -> None:
        """Let the knock under way find nobody listening."""
        raise AssertionError("a subclass lets the knock be refused")

    def keep_silent(self) -> None:
        """Let the knock under way time out."""
        raise AssertionError("a subclass lets the knock time out")

    def gave_up(self) -> bool:
        """Whether the channel let go of the knock that was under way."""
        raise AssertionError("a subclass knows what is under way")

    def setUp(self: SynchronousTestCase) -> None:
        self.channel = self.make_channel()

    def start(self) -> Deferred[str]:
        return Deferred.fromCoroutine(self.channel.knock(PEER, 79))

    def test_provides_the_interface(self: SynchronousTestCase) -> None:
        verifyObject(IKnocker, self.channel)
        self.assertRegex(self.channel.name, r"^[a-z-]+$")

    def test_a_knock_answers_its_outcome_in_a_word(self: SynchronousTestCase) -> None:
        outcome = self.start()
        self.assertNoResult(outcome)
        self.accept()
        self.assertRegex(self.successResultOf(outcome), r"^[a-z]+$")

    def test_nobody_listens(self: SynchronousTestCase) -> None:
        outcome = self.start()
        self.refuse()
        self.failureResultOf(outcome, PermanentFailure)

    def test_no_answer(self: SynchronousTestCase) -> None:
        outcome = self.start()
        self.keep_silent()
        self.failureResultOf(outcome, TemporaryFailure)

    def test_a_cancelled_knock_lets_go(self: SynchronousTestCase) -> None:
        outcome = self.start()
        outcome.cancel()
        self.failureResultOf(outcome, CancelledError)
        self.assertTrue(self.gave_up())

    def test_one_knock_after_another(self: SynchronousTestCase) -> None:
        self.test_nobody_listens()
        self.test_a_knock_answers_its_outcome_in_a_word()
