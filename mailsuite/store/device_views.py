"""What devices with a view of their own have deleted, and what follows from it (features row B-01). Pure.

Messages are known by their UIDLs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

import attrs

from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import NO_SUCH_DEVICE

SEEN_GRAIN = 3600.0
"""Seconds: a device's last login is written down anew when it is off by more than this."""

_DEVICE = re.compile(r"[a-z0-9-]{1,40}")


def is_device(id: str) -> bool:
    """Whether a device with a view may be called so; the id becomes a file name."""
    return _DEVICE.fullmatch(id) is not None


def check_device(id: str) -> None:
    """Raises PermanentFailure(NO_SUCH_DEVICE) for an id that no device has."""
    if not is_device(id):
        raise PermanentFailure(NO_SUCH_DEVICE, f"no device has the id {id!a}")


@attrs.frozen
class DeviceView:
    """What is hidden from one device. Times are seconds since the epoch."""

    seen: float
    """When the device was there last, give or take SEEN_GRAIN; in the future, by a clock that was wrong, it
    counts as now."""
    deleted: Mapping[str, int] = attrs.field(factory=dict)
    """What it has deleted, and when; 0 where it does not want to see that in its trash either."""
    passed: Collection[str] = frozenset()
    """What was too old to be shown to it when it came first. That deletes nothing: it never saw it."""

    def hides(self, uidl: str) -> bool:
        return uidl in self.deleted or uidl in self.passed

    def is_in_trash(self, uidl: str, after: float) -> bool:
        """Whether the device has deleted it, after that time, and not forgotten since."""
        return self.deleted.get(uidl, 0) > after

    def has_forgotten(self, uidl: str) -> bool:
        """Whether it was taken from the device's trash, too."""
        return self.deleted.get(uidl) == 0

    def is_news(self, now: float) -> bool:
        """Whether that the device is there now is worth being written down."""
        return now - self.seen > SEEN_GRAIN

    def seen_at(self, now: float) -> DeviceView:
        """Never moved back: a machine that starts in 1970, and is set right later, would else hold no mail
        for a device that was just there."""
        return attrs.evolve(self, seen=max(now, self.seen))

    def delete(self, uidls: Iterable[str], at: int) -> DeviceView:
        return attrs.evolve(self, deleted={**self.deleted, **dict.fromkeys(uidls, at)})

    def forget(self, uidls: Iterable[str]) -> DeviceView:
        """What is deleted of them stays so, and is not in the trash any more."""
        return self.delete((uidl for uidl in uidls if uidl in self.deleted), 0)

    def show(self, uidls: Collection[str]) -> DeviceView:
        """They are in the inbox again. The same where it hides none of them."""
        if not any(map(self.hides, uidls)):
            return self
        deleted = {uidl: at for uidl, at in self.deleted.items() if uidl not in uidls}
        if any(uidl in self.passed for uidl in uidls):
            return attrs.evolve(self, deleted=deleted, passed=frozenset(self.passed).difference(uidls))
        return attrs.evolve(self, deleted=deleted)

    def without_gone(self, present: Collection[str]) -> DeviceView:
        """The same where more than half of it is about messages that exist; else the part that is."""
        deleted = {uidl: at for uidl, at in self.deleted.items() if uidl in present}
        passed: Collection[str] = frozenset(uidl for uidl in self.passed if uidl in present)
        known = len(self.deleted) + len(self.passed)
        if 2 * (len(deleted) + len(passed)) > known or not known:
            return self
        if len(passed) == len(self.passed):
            passed = self.passed
        return attrs.evolve(self, deleted=deleted, passed=passed)


def deleted_by_all(
    views: Iterable[DeviceView], now: float, forget: float, among: Iterable[str] | None = None
) -> set[str]:
    """What (of all, or *among* these) no device waits for any more: each that was seen within *forget*
    seconds hides it, and one of them at least has deleted it. Nothing where there is no such device."""
    holding = [view for view in views if now - view.seen <= forget]
    asked = among if among is not None else {uidl for view in holding for uidl in view.deleted}
    return {
        uidl
        for uidl in asked
        if any(uidl in view.deleted for view in holding) and all(view.hides(uidl) for view in holding)
    }
