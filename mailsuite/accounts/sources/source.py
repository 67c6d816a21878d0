"""One source: a twisted.cred checker with a limit in time, a memory, and a notion of being down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import LoginDenied, UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from mailsuite.accounts.sources.health import Health
from mailsuite.accounts.sources.question import Question, plain
from mailsuite.accounts.sources.verdicts import Verdicts
from mailsuite.config.sources import NameForm
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, OVERLOADED


async def nothing_to_close() -> None:
    """For a checker that keeps nothing open."""


@attrs.define(eq=False)
class Source:
    """Asks *checker*, whoever made it.

    UnauthorizedLogin is a no, an avatar id is a yes. Whatever else comes, or nothing within *timeout*
    seconds, means that the source is down.
    """

    name: str
    checker: ICredentialsChecker
    clock: IReactorTime
    health: Health
    verdicts: Verdicts
    timeout: float | None
    """None: the checker itself sees to it."""
    domains: frozenset[str] = frozenset()
    """Whose accounts it knows; empty: all."""
    username: NameForm = "address"
    close: Callable[[], Awaitable[None]] = nothing_to_close

    def serves(self, address: Address) -> bool:
        return not self.domains or address.domain in self.domains

    async def check(self, address: Address, password: bytes) -> bool:
        """Whether *password* is right. Raises TemporaryFailure where that cannot be known now."""
        known = self.verdicts.recall(address, password)
        if known is not None:
            return known
        forgotten = self.verdicts.forgotten
        name = address.local if self.username == "local" else plain(address)
        with self.health.turn():
            verdict = await self._ask(Question(address, name.encode("utf-8"), password))
        self.verdicts.remember(address, password, verdict, forgotten)
        return verdict

    async def _ask(self, question: Question) -> bool:
        answer = asked(self.checker, question)
        if self.timeout is not None:
            answer.addTimeout(self.timeout, self.clock)
        try:
            avatar_id = await answer
        except (UnauthorizedLogin, LoginDenied):
            self.health.answered()
            return False
        except CancelledError:  # whoever wanted to know has gone
            raise
        except Exception as error:
            if isinstance(error, TemporaryFailure) and error.reply == OVERLOADED:
                raise  # our own threads are busy: that says nothing about the source
            reason = self._reason(error)
            self.health.failed(reason)
            # Without its cause: an exception of somebody else may say the password.
            raise TemporaryFailure(DIRECTORY_UNAVAILABLE, f"{self.name}: {reason}") from None
        self.health.answered()
        return bool(avatar_id)  # twisted.cred's ANONYMOUS is (), and nobody's password

    def _reason(self, error: Exception) -> str:
        """Why there is no answer, for the log; of exceptions of others only what they are."""
        if isinstance(error, TemporaryFailure):
            return error.detail or type(error).__name__
        if isinstance(error, TimedOut) and self.timeout is not None:
            return f"no answer within {self.timeout:g} seconds"
        if isinstance(error, OSError | ConnectError | ConnectionLost):
            return str(error)
        return type(error).__name__


def asked(checker: ICredentialsChecker, question: Question) -> Deferred[object]:
    """The checker's answer. Cancelling this is always heard, even where the checker does not listen; a
    CancelledError of the checker's own making becomes a failure like others."""
    wanted = True

    def give_up(_: Deferred[object]) -> None:
        nonlocal wanted
        wanted = False
        asking.cancel()

    def deliver(result: object) -> None:
        if not wanted or answer.called:
            return
        if isinstance(result, Failure) and result.check(CancelledError):
            result = Failure(TemporaryFailure(DIRECTORY_UNAVAILABLE, "the checker gave up"))
        answer.callback(result)  # a Failure makes it fail

    answer: Deferred[object] = Deferred(give_up)
    asking: Deferred[object] = maybeDeferred(checker.requestAvatarId, question)
    asking.addBoth(deliver)
    return answer
