"""How a seam says no. Each failure carries the reply that a client may see, never more.

Anything else that escapes from a seam is a mistake of ours: it is logged with its traceback and
answered as temporary (DESIGN section 2, promise 6).
"""

from __future__ import annotations

from mailsuite.model.reply import MAILDROP_BUSY, MESSAGE_GONE, NO_ANSWER, NOBODY_LISTENS, Reply


class MailFailure(Exception):
    """The base of both kinds; ``reply`` is what an SMTP client is told."""

    def __init__(self, reply: Reply, detail: str = "") -> None:
        """*detail* is for our log only, never for the wire."""
        super().__init__(detail or " ".join(reply.text))
        self.reply = reply
        self.detail = detail

    @property
    def reason(self) -> str:
        """Why, for our log: the detail, or what the client is told where there is none."""
        return self.detail or self.reply.text[0]


class TemporaryFailure(MailFailure):
    """Trying again later may help. POP3 says [SYS/TEMP] (RFC 3206)."""


class PermanentFailure(MailFailure):
    """Trying again will not help. POP3 says [SYS/PERM] (RFC 3206)."""


class MaildropInUse(TemporaryFailure):
    """Another session holds the maildrop. POP3 says [IN-USE] (RFC 2449 section 8.1.2)."""

    def __init__(self) -> None:
        super().__init__(MAILDROP_BUSY)


class AccountCrowded(MaildropInUse):
    """The account has as many sessions as it may have. POP3 says [IN-USE], too: another session has to end
    first."""

    def __init__(self) -> None:
        MailFailure.__init__(self, MAILDROP_BUSY, "the account has as many sessions as it may have")


class LoginTooSoon(TemporaryFailure):
    """Right credentials, but the last login was too short a time ago. POP3 says [LOGIN-DELAY] (RFC 2449
    section 8.1.1)."""

    def __init__(self, left: float) -> None:
        """*left* is how many seconds are."""
        super().__init__(MAILDROP_BUSY, f"the last login was too short a time ago; {left:.0f} s are left")
        self.left = left


class MessageGone(TemporaryFailure):
    """The message was listed, and another program has taken or blocked it meanwhile."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(MESSAGE_GONE, detail)


class NeedsUtf8(PermanentFailure):
    """The message is shown to clients alone that have said UTF8. POP3 says [UTF8] (RFC 6856 section 5)."""

    def __init__(self) -> None:
        super().__init__(MESSAGE_GONE, "the client has not said UTF8")


class TellingFailed(TemporaryFailure):
    """A subscriber could not be told of something now. ``detail`` is for its owner and our log: no word of
    the other side's."""

    def __init__(self, detail: str, code: int = 0, retry_after: float = 0.0) -> None:
        """*code* is the HTTP status, 0 where there was none; *retry_after* the seconds that the other side
        asked for."""
        super().__init__(NO_ANSWER, detail)
        self.code = code
        self.retry_after = retry_after


class TellingRefused(PermanentFailure):
    """A subscriber will never take this notice."""

    def __init__(self, detail: str, code: int = 0) -> None:
        super().__init__(NOBODY_LISTENS, detail)
        self.code = code


class TargetGone(TellingRefused):
    """A subscriber is no more: its subscription ends."""
