"""How long mail stays, as values (features rows S-A21, P-17, P-18, B-02)."""

from __future__ import annotations

import attrs

DAY = 86400.0
"""Seconds."""


@attrs.frozen
class Retention:
    """How long after their delivery messages stay in a maildrop, in seconds; None: for ever."""

    read: float | None = None
    """Those that somebody has retrieved or read."""
    unread: float | None = None
    """All others."""

    @property
    def least(self) -> float | None:
        """How long any message stays at least."""
        known = [seconds for seconds in (self.read, self.unread) if seconds is not None]
        return min(known, default=None)


@attrs.frozen
class MaildropRules:
    """What a store goes by, for all its maildrops; seconds."""

    keep_deleted: float = 14 * DAY
    """How long deleted mail can be brought back; 0: deleted is gone."""
    view_forget: float = 60 * DAY
    """A device that was not seen for so long holds no mail any more."""
    view_history: float | None = None
    """How old mail a device sees at its first login at most; None: all there is."""
    mark_seen: bool = True
    """Whether what was retrieved gets the flag S that other mail programs show as read."""


@attrs.frozen
class Usage:
    """How much is in a maildrop; what is deleted and can be brought back is counted apart."""

    messages: int = 0
    octets: int = 0
    deleted_messages: int = 0
    deleted_octets: int = 0

    def plus(self, messages: int, octets: int) -> Usage:
        """With so much more that is not deleted."""
        return Usage(
            self.messages + messages, self.octets + octets, self.deleted_messages, self.deleted_octets
        )


@attrs.frozen
class Deleted:
    """A message that is deleted and can be brought back."""

    uidl: str
    size: int
    """Octets in wire form."""
    at: float
    """When it was deleted, in seconds since the epoch."""


@attrs.frozen
class Terms:
    """What holds for POP3 sessions of one account, or is announced for all of a listener before the login."""

    expire: int | None = None
    """Days that a message which was left behind stays (RFC 2449 section 6.7); None: for ever; 0: a message
    that was retrieved is removed at QUIT (RFC 1939 section 8)."""
    login_delay: int = 0
    """Seconds from one login to the next (RFC 2449 section 6.5)."""
    tells_expire: bool = True
    """Whether *expire* is announced; of deleted mail nothing is."""
    tops_count: bool = False
    """Whether a TOP of the whole message is a retrieval, as some programs mean it (fetchmail); always so
    where *expire* is 0."""
