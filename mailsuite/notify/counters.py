"""What the notifier has done since it started, in numbers for status and metrics."""

from __future__ import annotations

import attrs


@attrs.define
class NotifyCounters:
    """Knocks by outcome, and mail that made no knock of its own by reason."""

    sent: int = 0
    answered: int = 0
    """Sent, and something came back: probably a finger daemon."""
    refused: int = 0
    timed_out: int = 0
    no_route: int = 0
    """To addresses of IPv6, which this server cannot reach at all."""
    useful: int = 0
    """Knocks after which the owner logged in within a minute: the only sign that somebody heard them."""
    suspensions: int = 0
    """Targets that were left alone for a while."""
    suppressed: int = 0
    """Mail that an earlier mail's coming knock tells of as well."""
    suspended: int = 0
    """Mail that was not told of because its target is suspended."""
    needless: int = 0
    """Knocks that were not made because there was nothing left to tell: fetched meanwhile, junk, too old."""
    no_target: int = 0
    """Mail for accounts that want notices, while there is no address to knock at."""
    dropped: int = 0
    """Mail that was not told of because too much was waiting."""
    failed: int = 0
    """Mail or knocks that came to grief by a mistake of ours or a failing directory."""
