"""What one account has in the memory store."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from mailsuite.model.message import MessageRef
from mailsuite.model.quota import Quota
from mailsuite.store.device_views import DeviceView
from mailsuite.wire.pop3.downgrade import is_internationalized


@attrs.frozen
class Kept:
    """A message that lies in a maildrop."""

    uidl: str
    content: bytes
    serial: int
    at: float
    """When it was delivered, in seconds since the epoch."""
    seen: bool = False

    @property
    def dot_lines(self) -> bool:
        return self.content.startswith(b".") or b"\n." in self.content

    @property
    def ref(self) -> MessageRef:
        header = self.content.partition(b"\r\n\r\n")[0]
        utf8_header = is_internationalized(header)
        return MessageRef(self.uidl, len(self.content), self.uidl, self.dot_lines, utf8_header)


@attrs.define(eq=False)
class Lodging:
    """All that one account has here; each part by the UIDL."""

    inbox: dict[str, Kept] = attrs.field(factory=dict)
    trash: dict[str, tuple[int, Kept]] = attrs.field(factory=dict)
    """Each with the time of its deletion."""
    views: dict[str, DeviceView] = attrs.field(factory=dict)
    """By the id of the device."""
    warned: int = 0
    """The percentage of the quota that its owner was warned at last."""

    def remove(self, uidls: Sequence[str], at: int, keeps: bool) -> None:
        """Delete; what is gone already is passed over."""
        for uidl in uidls:
            kept = self.inbox.pop(uidl, None)
            if kept is not None and keeps:
                self.trash[uidl] = (at, kept)

    def bound(self, quota: Quota) -> None:
        """Forget the oldest deletions beyond *quota*."""
        octets = 0
        latest_first = sorted(
            self.trash.items(), key=lambda item: (item[1][0], item[1][1].serial), reverse=True
        )
        for count, (uidl, (_, kept)) in enumerate(latest_first, 1):
            octets += len(kept.content)
            if not quota.holds(octets, count):
                del self.trash[uidl]

    def restore(self, uidls: set[str], after: float, device: str = "") -> int:
        """Bring back what was deleted after that time, for every device; what *device* alone has deleted,
        for that one."""
        back = {uidl for uidl, (at, _) in self.trash.items() if uidl in uidls and at > after}
        for owner, view in self.views.items():
            self.views[owner] = view.show(uidls if owner == device else back)
        self.inbox |= {uidl: self.trash.pop(uidl)[1] for uidl in back}
        self.inbox = dict(sorted(self.inbox.items(), key=lambda item: item[1].serial))
        return len(back)

    def forget(self, uidls: set[str]) -> None:
        """For good."""
        for uidl in uidls:
            self.trash.pop(uidl, None)
