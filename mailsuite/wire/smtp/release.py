"""A message that is to wait here until its sender wants it sent (RFC 4865): HOLDFOR and HOLDUNTIL.

All functions that read raise PermanentFailure with 501 5.5.4. Times are seconds since the epoch; the core has
no clock, so it is told what time it is.
"""

from __future__ import annotations

import datetime
import re

from mailsuite.model.envelope import MailParameters
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import BAD_PARAMETER, RELEASE_IS_PAST, RELEASE_TOO_LATE

_INTERVAL = re.compile(r"[1-9][0-9]{0,8}")
"""``future-release-integer`` (RFC 4865 section 3): nothing is held for 0 seconds."""
_INSTANT = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"[Tt](?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9]|60)(?P<fraction>\.[0-9]+)?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3]):(?P<minutes>[0-5][0-9]))"
)
"""``date-time`` (RFC 3339 section 5.6), as erratum 2040 wants it; 60 is a leap second."""
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_DAY = 86_400


def interval(value: str) -> int:
    """Read HOLDFOR."""
    if not _INTERVAL.fullmatch(value):
        raise PermanentFailure(BAD_PARAMETER)
    return int(value)


def instant(value: str) -> float:
    """Read HOLDUNTIL."""
    found = _INSTANT.fullmatch(value)
    if not found:
        raise PermanentFailure(BAD_PARAMETER)
    try:
        days = datetime.date.fromisoformat(found["day"]).toordinal() - _EPOCH
    except ValueError:
        raise PermanentFailure(BAD_PARAMETER) from None
    time = int(found["hour"]) * 3600 + int(found["minute"]) * 60 + int(found["second"])
    ahead = int(found["hours"] or 0) * 3600 + int(found["minutes"] or 0) * 60
    offset = -ahead if found["sign"] == "-" else ahead
    return days * _DAY + time - offset + float(found["fraction"] or 0)


def spell(seconds: float) -> str:
    """A time as EHLO says it: in UTC, without fractions (RFC 4865 section 3)."""
    moment = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def release_of(said: MailParameters, now: float) -> float:
    """When a message may go whose MAIL has *said* this, and comes *now*; 0: at once."""
    if said.hold_for:
        return now + said.hold_for
    return instant(said.hold_until) if said.hold_until else 0.0


def check_release(said: MailParameters, now: float, longest: int) -> None:
    """Look whether a message can wait so long; *longest*: seconds. A time that is past is refused too: the
    sender meant another one (RFC 4865 section 4.2)."""
    release = release_of(said, now)
    if release > now + longest:
        raise PermanentFailure(RELEASE_TOO_LATE)
    if said.hold_until and release <= now:
        raise PermanentFailure(RELEASE_IS_PAST)
