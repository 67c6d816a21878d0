"""What a view of a maildrop shows, and what a session's QUIT makes of it.

There are the inbox itself, the inbox without what one device has deleted, and the trash. All blocks: for a
thread.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from typing import Protocol

import attrs

from mailsuite.model.message import MessageRef
from mailsuite.model.view import Box, View
from mailsuite.store.device_views import DeviceView, deleted_by_all
from mailsuite.store.maildir.enrolling import begin_view
from mailsuite.store.maildir.inbox import Inbox, Maildir, Whereabouts
from mailsuite.store.maildir.names import age_order
from mailsuite.store.maildir.restoring import bring_back
from mailsuite.store.maildir.scan import Listing, locate
from mailsuite.store.maildir.trash import DIRECTORY as TRASH
from mailsuite.store.maildir.trash import unique_of


@attrs.frozen
class Outcome:
    """What QUIT could not do."""

    failed: Sequence[OSError] = ()
    """One for each message that is still there, for this view."""
    postponed: Sequence[OSError] = ()
    """What does not concern this session, and is tried again later."""
    unreadable: Sequence[OSError] = ()
    """Views of devices that were passed over."""
    changed: bool = True
    """Whether there may be more or less now, in the inbox or among what is deleted."""


class Contents(Protocol):
    """One view. All methods raise OSError."""

    @property
    def where(self) -> Whereabouts:
        """Where its messages are."""

    def listing(self) -> Listing:
        """What it shows."""

    def update(self, deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> Outcome:
        """The UPDATE state; durable when it returns."""


def contents_of(maildir: Maildir, view: View) -> Contents:
    if view.box is not Box.INBOX:
        return TrashContents(maildir, view.device, restores=view.box is Box.RESTORE)
    return DeviceInbox(Inbox.of(maildir), view.device) if view.device else ClassicInbox(Inbox.of(maildir))


@attrs.frozen
class ClassicInbox:
    """All messages; what is deleted is so for everybody."""

    _inbox: Inbox

    @property
    def where(self) -> Whereabouts:
        return self._inbox.where

    def listing(self) -> Listing:
        return self._inbox.maildir.listing()

    def update(self, deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> Outcome:
        failed = self._inbox.remove([ref.key for ref in deleted], insist=True)
        gone = {ref.key for ref in deleted}
        self._inbox.mark_seen(ref.key for ref in retrieved if ref.key not in gone)
        return Outcome(tuple(failed.values()), changed=bool(deleted))


@attrs.frozen
class DeviceInbox:
    """All messages but what this device has deleted (features row B-01)."""

    _inbox: Inbox
    _device: str

    @property
    def where(self) -> Whereabouts:
        return self._inbox.where

    def listing(self) -> Listing:
        """The device holds all that it is shown: it counts as seen before we look."""
        maildir, views = self._inbox.maildir, self._inbox.maildir.views
        now = maildir.now()
        with views.exclusive():
            view = views.read(self._device)
            if view is None:
                view = begin_view(maildir, self._device)
            elif view.is_news(now):
                views.write(self._device, view.seen_at(now), view)
        return _without_hidden(maildir.listing(), view)

    def update(self, deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> Outcome:
        outcome = self._hide(deleted) if deleted else Outcome(changed=False)
        self._inbox.mark_seen(ref.key for ref in retrieved)
        return outcome

    def _hide(self, refs: Sequence[MessageRef]) -> Outcome:
        """What this device has deleted is durable before we read what the others have: of two that quit at
        one moment, the later knows of both."""
        maildir, views = self._inbox.maildir, self._inbox.maildir.views
        with views.exclusive():
            view = views.read(self._device)
            if view is None:
                return Outcome([OSError(errno.ENOENT, "the device was removed", ref.key) for ref in refs])
            uidls = [ref.uidl for ref in refs]
            views.write(self._device, view.delete(uidls, int(maildir.now())), view)
            try:
                every, forget = views.read_all().values(), maildir.rules.view_forget
                gone = deleted_by_all(every, maildir.now(), forget, among=uidls)
                postponed = self._inbox.remove([ref.key for ref in refs if ref.uidl in gone])
            except OSError as error:
                return Outcome(postponed=[error])
        return Outcome(postponed=tuple(postponed.values()))


@attrs.define(eq=False)
class TrashContents:
    """What was deleted and can be brought back (features row B-02); for a device with a view also what it
    alone has deleted."""

    _maildir: Maildir
    _device: str
    _restores: bool
    where: Whereabouts = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.where = Whereabouts(self._maildir.path, self._look)

    def _look(self) -> dict[str, str]:
        found = {unique_of(entry.key): entry.key for entry in self._maildir.trash.entries()}
        return locate(self._maildir.path) | found if self._device else found

    def listing(self) -> Listing:
        begins, trash = self._maildir.trash_begins, self._maildir.trash
        view = self._maildir.views.read(self._device) if self._device else None
        messages = {} if view is None else self._hidden(view, begins)
        unreadable: list[OSError] = []
        for uidl, entry in trash.since(begins).items():
            try:
                if view is None or not view.has_forgotten(uidl):
                    messages[uidl] = trash.reference(entry, self._maildir.sizes)
            except FileNotFoundError:
                continue
            except OSError as error:
                unreadable.append(error)
        in_order = sorted(messages.values(), key=lambda ref: age_order(unique_of(ref.key)))
        return Listing(tuple(in_order), tuple(unreadable))

    def _hidden(self, view: DeviceView, begins: float) -> dict[str, MessageRef]:
        """What this device has deleted, and others still wait for."""
        if not view.deleted:
            return {}
        listing = self._maildir.listing()
        return {ref.uidl: ref for ref in listing.messages if view.is_in_trash(ref.uidl, begins)}

    def update(self, deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> Outcome:
        """Where it restores, what was retrieved is brought back even if the client has deleted it, too: many
        delete whatever they have retrieved."""
        back = {ref.uidl for ref in retrieved} if self._restores else set[str]()
        failed, unreadable = list[OSError](), list[OSError]()
        if back:
            restored = bring_back(self._maildir, back, self._device)
            failed += restored.failed
            unreadable += restored.unreadable
        forgotten = {ref.uidl: ref.key for ref in deleted if ref.uidl not in back}
        everywhere = {uidl for uidl, key in forgotten.items() if key.startswith(TRASH + "/")}
        if everywhere:
            entries = [entry for entry in self._maildir.trash.entries() if entry.uidl in everywhere]
            failed += self._maildir.trash.forget(entries)[1]
        if here := forgotten.keys() - everywhere:
            self._forget(here)
        return Outcome(failed, unreadable=unreadable)

    def _forget(self, uidls: Iterable[str]) -> None:
        """What this device alone has deleted stays so, and is not in its trash any more."""
        views = self._maildir.views
        with views.exclusive():
            if (view := views.read(self._device)) is not None:
                views.write(self._device, view.forget(uidls), view)


def _without_hidden(listing: Listing, view: DeviceView) -> Listing:
    """In the large maildrop this looks at each of 100,000."""
    deleted, passed = view.deleted, frozenset(view.passed)
    if not (deleted or passed):
        return listing
    shown = [ref for ref in listing.messages if ref.uidl not in deleted and ref.uidl not in passed]
    return attrs.evolve(listing, messages=tuple(shown))
