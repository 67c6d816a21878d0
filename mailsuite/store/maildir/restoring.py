"""Deleted messages are listed, brought back octet by octet with the names they had, or forgotten.

All blocks, for a thread, and raises OSError.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import attrs

from mailsuite.model.retention import Deleted
from mailsuite.store.maildir.inbox import Maildir
from mailsuite.store.maildir.trash import Entry


@attrs.frozen
class Restored:
    """How many are back, and why others are not."""

    count: int
    failed: list[OSError]
    unreadable: list[OSError]
    """Views that could not be told of it. As long as one is so, no device's word removes anything."""


def bring_back(maildir: Maildir, uidls: Iterable[str], device: str = "") -> Restored:
    """Bring them back, durably, for every device: one that had deleted a message sees it again. What only
    *device* has deleted is shown to that one again. Raises OSError where it may not be durable.

    A view that cannot be read is passed over: it shuts nobody out from the trash of all.
    The views first: a message that came back while all views still hide it would be removed again.
    """
    wanted = set(uidls)
    views = maildir.views
    with views.exclusive() if views.exist() else contextlib.nullcontext():
        found = maildir.trash.since(maildir.trash_begins)
        entries = [entry for uidl, entry in found.items() if uidl in wanted]
        back = {entry.uidl for entry in entries}
        readable, unreadable = views.read_each()
        for owner, view in readable.items():
            shown = view.show(wanted if owner == device else back)
            if shown is not view:
                views.write(owner, shown, view)
        count, failed = _restore(maildir, entries)
    return Restored(count, failed, unreadable)


def _restore(maildir: Maildir, entries: Iterable[Entry]) -> tuple[int, list[OSError]]:
    """Answers how many are back, and why others are not."""
    count, failed = 0, list[OSError]()
    inboxes, places = set[str](), set[str]()
    maildir.directories.ensure(maildir.path)
    for entry in entries:
        try:
            inbox, place = maildir.trash.restore(entry)
        except FileNotFoundError:
            continue
        except OSError as error:
            failed.append(error)
            continue
        count += 1
        inboxes.add(inbox)
        places.add(place)
    for directory in (*sorted(inboxes), *sorted(places)):  # the new place first
        maildir.files.sync_directory(directory)
    return count, failed


def deleted(maildir: Maildir) -> tuple[Deleted, ...]:
    """What can be brought back, the latest deletion first; without what was taken away meanwhile."""
    answer = []
    for entry in maildir.trash.since(maildir.trash_begins).values():
        with contextlib.suppress(OSError):
            ref = maildir.trash.reference(entry, maildir.sizes)
            answer.append(Deleted(ref.uidl, ref.size, float(entry.at)))
    return tuple(sorted(answer, key=lambda message: (-message.at, message.uidl)))


def purge(maildir: Maildir, before: float) -> tuple[int, list[OSError]]:
    """Remove for good what was deleted before that time; how many, and why others could not be."""
    return maildir.trash.forget(entry for entry in maildir.trash.entries() if entry.at < before)
