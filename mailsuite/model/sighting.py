"""Where an account was seen: the value, and the rules of what is remembered and what is answered."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from mailsuite.model.account import IPAddress

DEVICES_KEPT = 3
"""Of an account; the account's own password counts as one."""
ADDRESSES_KEPT = 3
"""Of each of them."""


@attrs.frozen
class Sighting:
    """An account was logged in from here, the last time at this moment (seconds since the epoch)."""

    peer: IPAddress
    at: float
    device: str = ""
    """The id of the device whose password it was; "": the account's own."""
    via: str = ""
    """The service: pop3, submission, stream."""
    first: float | None = None
    """When it was seen here first, as far as that is remembered."""

    def is_of(self, device: str, peer: IPAddress) -> bool:
        return (self.device, self.peer) == (device, peer)


def with_newest(sightings: tuple[Sighting, ...], newest: Sighting) -> tuple[Sighting, ...]:
    """*sightings* with *newest* in front and its device at its address nowhere else, cut to the newest few.

    The order is that of recording, so a clock that was set back does not leave an old address in front.
    """
    others = [each for each in sightings if not each.is_of(newest.device, newest.peer)]
    if newest.first is None:
        known = next((each for each in sightings if each.is_of(newest.device, newest.peer)), newest)
        newest = attrs.evolve(newest, first=known.at if known.first is None else known.first)
    return tuple(_few([newest, *others]))


def _few(sightings: Iterable[Sighting]) -> Iterable[Sighting]:
    counts: dict[str, int] = {}
    for each in sightings:
        count = counts.get(each.device)
        if count is None and len(counts) == DEVICES_KEPT:
            continue
        counts[each.device] = (count or 0) + 1
        if counts[each.device] <= ADDRESSES_KEPT:
            yield each


def newest_since(
    sightings: tuple[Sighting, ...], since: float, device: str | None = None
) -> IPAddress | None:
    """The first address, of this device or of any, that was seen at or after *since*."""
    return next((each.peer for each in sightings if each.at >= since and device in {None, each.device}), None)


def recent(sightings: tuple[Sighting, ...], since: float) -> tuple[Sighting, ...]:
    """Of each device its first that was seen at or after *since*; the newest device first."""
    found: dict[str, Sighting] = {}
    for each in sightings:
        if each.at >= since:
            found.setdefault(each.device, each)
    return tuple(found.values())


def seen_from(sightings: tuple[Sighting, ...], peer: IPAddress, since: float) -> bool:
    """Whether any device was seen there at or after *since*."""
    return any(each.peer == peer and each.at >= since for each in sightings)
