"""What is removed without anybody's session: by retention (features row S-A21), and what no device waits for
any more. Blocks, for a thread, and raises OSError.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Mapping

import attrs

from mailsuite.model.retention import Retention, Usage
from mailsuite.store.device_views import DeviceView, deleted_by_all
from mailsuite.store.maildir.inbox import Inbox, Maildir
from mailsuite.store.maildir.names import is_seen, uidl
from mailsuite.store.maildir.scan import locate
from mailsuite.store.maildir.trash import octets_of


@attrs.frozen
class Expired:
    """What was removed, or would be; and what stood in the way of more."""

    usage: Usage
    problems: list[OSError]


def expire(maildir: Maildir, retention: Retention, now: float, rehearse: bool) -> Expired:
    """As IMailStore.expire() says. A view that cannot be read holds all mail but what retention removes."""
    views = maildir.views
    exist = views.exist()
    if retention.least in (None, math.inf) and not exist:  # most accounts: nothing is listed
        return Expired(Usage(), [])
    problems: list[OSError] = []
    with views.exclusive() if exist else contextlib.nullcontext():
        places = locate(maildir.path)
        due = {key for key in places.values() if _is_due(maildir, key, retention, now)}
        try:
            views_now = views.read_all()
            unwanted = deleted_by_all(views_now.values(), now, maildir.rules.view_forget)
            keys = {uidl(unique): key for unique, key in places.items()} if views_now else {}
            due |= {keys[message] for message in unwanted if message in keys}
            if not rehearse:
                _tidy(maildir, views_now, keys)
        except OSError as error:
            problems.append(error)
        octets = {key: octets_of(maildir.path, key, os.path.basename(key)) for key in sorted(due)}
        if octets and not rehearse:
            failed = Inbox.of(maildir).remove(list(octets))
            problems += failed.values()
            octets = {key: size for key, size in octets.items() if key not in failed}
    return Expired(Usage(len(octets), sum(octets.values())), problems)


def _is_due(maildir: Maildir, key: str, retention: Retention, now: float) -> bool:
    """Read is what has the flag S, which only a name in cur can have."""
    directory, _, name = key.partition("/")
    stays = retention.read if directory == "cur" and is_seen(name) else retention.unread
    if stays is None:
        return False
    at = maildir.delivered_at(key)
    return at is not None and now - at > stays


def _tidy(maildir: Maildir, views: Mapping[str, DeviceView], inbox: Iterable[str]) -> None:
    """Let views forget messages that are gone, where those are the most they know of."""
    present = {*inbox, *(entry.uidl for entry in maildir.trash.entries())}
    for device, view in views.items():
        tidied = view.without_gone(present)
        if tidied is not view:
            maildir.views.write(device, tidied, view)
