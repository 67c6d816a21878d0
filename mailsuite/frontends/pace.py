"""How slow an SMTP client may be (features rows M-17, S-A18)."""

from __future__ import annotations

from math import inf

import attrs

from mailsuite.config.conversation import Conversation

RATE_AFTER = 60.0
"""Seconds of a message after which its average rate counts (features row M-17)."""


@attrs.frozen
class Pace:
    """What the sessions of a listener are allowed. Seconds; *inf* is for ever.

    What a command may take is the Door's idle_timeout: from one answer to the next command's end, so that
    who sends it octet by octet wins nothing.
    """

    opening: float = inf
    """From the connection to the first EHLO."""
    data: float = 180.0
    """Without any octet of a message (RFC 5321 section 4.5.3.2.5)."""
    rate: float = 500.0
    """Octets a second that a message comes with on average (Postfix: smtpd_min_data_rate)."""
    session: float = 1800.0
    """Of a whole session; a message that is under way then may go on until it has had as long itself."""
    greeting: float = 0.0
    """Before the first words; who speaks meanwhile is no mail server."""


def pace_of(settings: Conversation) -> Pace:
    """What the configuration says."""
    return Pace(
        opening=settings.open_timeout,
        data=settings.data_timeout,
        rate=settings.minimum_rate,
        session=inf if settings.max_session is None else settings.max_session,
        greeting=settings.greet_delay,
    )


@attrs.define(eq=False)
class Arrival:
    """A message that is coming. The time in which we were the slow ones does not count for its rate."""

    pace: Pace
    began: float
    octets_before: int
    """Of the connection, before the first of the message."""
    ours: float = attrs.field(default=0.0, init=False)
    """Seconds in which we took nothing, because the store was behind."""

    @property
    def ends_by(self) -> float:
        """However fast it comes."""
        return self.began + self.pace.session

    def slow_at(self, octets: int) -> float:
        """When it will have been too slow, where after so many *octets* of the connection nothing more
        comes."""
        if not self.pace.rate:
            return inf
        came = octets - self.octets_before
        return self.began + self.ours + max(RATE_AFTER, came / self.pace.rate)
