"""A device with a view of its own begins to count: at its first login, or when it is made known before that.

All blocks, for a thread, and raises OSError.
"""

from __future__ import annotations

from mailsuite.store.device_views import DeviceView
from mailsuite.store.maildir.inbox import Maildir


def enroll(maildir: Maildir, device: str) -> None:
    """Durable when it returns. Nothing changes where the device has a view."""
    with maildir.views.exclusive():
        if maildir.views.read(device) is None:
            begin_view(maildir, device)


def begin_view(maildir: Maildir, device: str) -> DeviceView:
    """For whoever holds the lock of all views: the first state of one, durable when it returns."""
    now = maildir.now()
    view = DeviceView(now, passed=_too_old(maildir, now))
    maildir.views.write(device, view, None)
    return view


def _too_old(maildir: Maildir, now: float) -> frozenset[str]:
    """What a device that is new here does not see."""
    history = maildir.rules.view_history
    if history is None:
        return frozenset()
    return frozenset(
        ref.uidl
        for ref in maildir.listing().messages
        if (at := maildir.delivered_at(ref.key)) is not None and at < now - history
    )
