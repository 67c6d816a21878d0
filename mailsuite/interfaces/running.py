"""What runs beside the mail: threads, events, notices, logins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from zope.interface import Attribute, Interface

from mailsuite.model.account import Account
from mailsuite.model.events import Event

T = TypeVar("T")


class IThreads(Interface):
    """Where blocking work goes: a bounded pool of threads."""

    async def run(work: Callable[[], T]) -> T:
        """Call *work* in a thread, answer what it returns or raises. Raises TemporaryFailure(OVERLOADED) at
        once where the pool's queue is full."""


class IEventBus(Interface):
    """Events after the fact. An event may be lost in a crash, or come twice."""

    def publish(event: Event) -> None:
        """Tell all subscribers, later than now; never blocks and never raises."""

    def subscribe(subscriber: Callable[[Event], None]) -> Callable[[], None]:
        """Call *subscriber* for each event; answers the function that ends that."""


class ISubmitter(Interface):
    """Somebody who logged in to send: what the avatar of SMTP AUTH is."""

    account: Account = Attribute("Who, as the directory knew them at the login.")
