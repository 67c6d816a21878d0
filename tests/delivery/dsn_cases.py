"""Values that the tests of notices have in common."""

from __future__ import annotations

from typing import Any

from mailsuite.delivery.dsn_languages import LANGUAGES
from mailsuite.delivery.dsn_report import Report
from mailsuite.model.address import Address
from mailsuite.model.envelope import MailParameters, NotifyOn, OutboundRecipient, RecipientParameters
from mailsuite.model.outbound import Fate, Outcome, Owed, QueuedMessage, QueuedRecipient
from mailsuite.model.reply import Reply

JOE = Address("joe", "example.net")
EVE = Address("eve", "example.org")
MAX = Address("max", "example.com")
JUERGEN = Address("jürgen", "example.org")
POSTMASTER = Address("postmaster", "mail.example.net")
HOST = "mx.example.org [192.0.2.1]"
ARRIVED = 1_795_000_000.0
"""2026-11-18 11:06:40 UTC."""
DAY = 86_400.0
LETTER = (
    b"From: joe@example.net\r\nTo: eve@example.org\r\nSubject: Offer\r\nMessage-ID: <m1@example.net>\r\n"
    b"\r\nHi.\r\n"
)


def message(**changes: Any) -> QueuedMessage:
    given: dict[str, Any] = {
        "id": "0a1b2c3d",
        "sender": JOE,
        "account": JOE,
        "arrived": ARRIVED,
        "parameters": MailParameters(),
    }
    return QueuedMessage(**{**given, **changes})


def reply(code: int, enhanced: str = "", *text: str) -> Reply:
    return Reply(code, enhanced, text or ("No",))


def outcome(fate: Fate, said: Reply, host: str = HOST, at: float = ARRIVED + 60, **more: Any) -> Outcome:
    return Outcome(fate, said, host, at, **more)


REFUSED = outcome(Fate.FAILED, reply(550, "5.1.1", "User unknown"))
DEFERRED = outcome(Fate.DEFERRED, reply(450, "4.2.2", "Mailbox full"))
RELAYED = outcome(Fate.RELAYED, reply(250, "2.0.0", "Ok: queued"))
DELIVERED = outcome(Fate.DELIVERED, reply(250, "2.0.0", "Ok"), host="")
EXPIRED = outcome(Fate.FAILED, reply(450, "4.2.2", "Mailbox full"), at=ARRIVED + 5 * DAY)


def recipient(
    number: int = 0,
    address: Address = EVE,
    last: Outcome | None = REFUSED,
    notify: set[NotifyOn] | None = None,
    original: str = "",
    **more: Any,
) -> QueuedRecipient:
    parameters = RecipientParameters(None if notify is None else frozenset(notify), original)
    return QueuedRecipient(number, OutboundRecipient(address, parameters), 1, last, **more)


def owed(*recipients: QueuedRecipient, kind: NotifyOn = NotifyOn.FAILURE, **changes: Any) -> Owed:
    return Owed(message(**changes), kind, recipients or (recipient(),))


def report(which: Owed | None = None, **changes: Any) -> Report:
    given: dict[str, Any] = {
        "owed": owed() if which is None else which,
        "to": JOE,
        "hostname": "mail.example.net",
        "contact": POSTMASTER,
        "texts": LANGUAGES["en"],
        "now": ARRIVED + 100,
    }
    return Report(**{**given, **changes})
