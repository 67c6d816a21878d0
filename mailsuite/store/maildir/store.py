"""Maildirs as a mail store: the embedded implementation (DESIGN section 8)."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import attrs
from zope.interface import implementer

from mailsuite.concurrent.tasks import Tasks
from mailsuite.concurrent.threads import CallsFromThread
from mailsuite.durable.committer import Committer
from mailsuite.durable.descriptor import Descriptor, run_owned
from mailsuite.durable.directories import Directories
from mailsuite.durable.files import temporary_failure
from mailsuite.durable.parcel import Parcel
from mailsuite.interfaces import IDelivery, IMailStore, IThreads
from mailsuite.model.address import Address
from mailsuite.model.message import Stored
from mailsuite.model.quota import UNLIMITED, Quota
from mailsuite.model.retention import Deleted, MaildropRules, Retention, Usage
from mailsuite.model.view import View
from mailsuite.observe.log import Log
from mailsuite.store.device_views import check_device
from mailsuite.store.maildir import expiry, warned
from mailsuite.store.maildir.beside import Beside
from mailsuite.store.maildir.contents import Contents, contents_of
from mailsuite.store.maildir.delivery import Delivery
from mailsuite.store.maildir.enrolling import enroll
from mailsuite.store.maildir.inbox import Maildir
from mailsuite.store.maildir.layout import SUBDIRECTORIES, Layout
from mailsuite.store.maildir.listings import Listings
from mailsuite.store.maildir.lock import lock_name, take_lock
from mailsuite.store.maildir.maildrop import Maildrop
from mailsuite.store.maildir.names import UniqueNames
from mailsuite.store.maildir.place import MaildirPlace
from mailsuite.store.maildir.replacing import ReplacingFiles
from mailsuite.store.maildir.restoring import bring_back, deleted, purge
from mailsuite.store.maildir.scan import Listing
from mailsuite.store.maildir.tallies import Tallies, Tally
from mailsuite.store.maildir.turns import Turns
from mailsuite.store.maildir.views import DIRECTORY as VIEWS

T = TypeVar("T")

CLASSIC = View()
STALE_SECONDS = 36 * 3600
"""A file in tmp that nobody touched for so long belongs to a delivery that died (maildir(5))."""


def _nobody_asks(account: Address) -> None:
    """Where nobody keeps a sum of what is there."""


@implementer(IMailStore)
@attrs.define(eq=False)
class MaildirStore:
    """One for each process. Deliveries need start(); the committer's thread runs until stop()."""

    layout: Layout
    reactor: CallsFromThread
    threads: IThreads
    log: Log = attrs.field(factory=Log)
    clock: Callable[[], float] = time.time
    files: ReplacingFiles = attrs.field(factory=ReplacingFiles)
    rules: MaildropRules = attrs.field(factory=MaildropRules)
    """May be replaced while it runs."""
    deleted_quota: Quota = UNLIMITED
    """How much of what is deleted is kept in each maildrop; may be replaced while it runs."""
    seconds: Callable[[], float] = time.monotonic
    changed: Callable[[Address], None] = _nobody_asks
    _names: UniqueNames = attrs.field(init=False)
    _directories: Directories = attrs.field(init=False)
    _beside: Beside = attrs.field(init=False)
    committer: Committer = attrs.field(init=False)
    """The one of the process, from start() to stop(): whatever else must be as durable goes through it."""
    _tasks: Tasks = attrs.field(init=False)
    _turns: Turns = attrs.field(init=False)
    _listings: Listings = attrs.field(factory=Listings, init=False)
    _tallies: Tallies = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._names = UniqueNames(self.clock)
        self._directories = Directories(self.layout.base, self.files, SUBDIRECTORIES)
        self._beside = Beside(self.files)
        self.committer = Committer(self.reactor, self.log, self.files)
        self._tasks = Tasks(partial(self.log.failure, "store.spool_failed"))
        self._turns = Turns(self.threads)
        self._tallies = Tallies(self.threads, self._tasks, self.seconds)

    def start(self) -> None:
        self.committer.start()

    def stop(self) -> None:
        """Finish the commits that were begun. Blocks until then."""
        self.committer.stop()

    def begin(self, account: Address) -> Delivery:
        maildir = self.layout.directory(account)
        place = MaildirPlace(maildir, self._names.fresh(), self._directories)
        parcel = Parcel(place, self.files)
        tally = self._tallies.of(maildir)
        return Delivery(account, parcel, place, self.committer, self.threads, self._tasks, tally)

    async def deliver(self, deliveries: Sequence[IDelivery]) -> tuple[Stored, ...]:
        ours = [_own(delivery) for delivery in deliveries]
        if not ours:
            return ()
        try:
            for delivery in ours:
                delivery.seal()
            for delivery in ours:
                await delivery.spooled()
            for delivery in ours:
                delivery.announce()
            await self.committer.commit([delivery.parcel for delivery in ours], prepare=True, publish=True)
        except Exception:  # a cancellation, too
            for delivery in ours:  # all begin before any is waited for: a second cancellation stops none
                self._tasks.start(delivery.abort())
            for delivery in ours:
                await delivery.abort()
            raise
        return tuple([delivery.committed() for delivery in ours])

    async def open_maildrop(self, account: Address, view: View = CLASSIC) -> Maildrop:
        if view.device:
            check_device(view.device)
        maildir = self._maildir(account)
        turn = self.threads if view == CLASSIC else self._turns.of(maildir.path)
        try:
            lock, contents, listing = await run_owned(
                turn, partial(self._open, maildir, view), lambda result: result[0].close()
            )
        except OSError as error:
            raise temporary_failure(error) from error
        for problem in listing.unreadable:
            self.log.warning("store.unreadable", account=account, reason=str(problem))
        doubt = partial(self._doubt, account, maildir.path)
        return Maildrop(account, listing.messages, contents, lock, self.threads, turn, self.log, doubt)

    async def usage(self, account: Address) -> Usage:
        return (await self._tally(account)).usage

    async def warned(self, account: Address) -> int:
        return (await self._tally(account)).warned

    async def note_warned(self, account: Address, level: int) -> None:
        tally, maildir = await self._tally(account), self._maildir(account)
        await self._run_in_turn(maildir, partial(warned.write, maildir, level))
        tally.warned = level

    async def _tally(self, account: Address) -> Tally:
        try:
            path = self.layout.directory(account)
            return await self._tallies.known(path, partial(self._maildir, account))
        except OSError as error:
            raise temporary_failure(error) from error

    async def expire(
        self, account: Address, retention: Retention, now: float, rehearse: bool = False
    ) -> Usage:
        maildir = self._maildir(account)
        work = partial(expiry.expire, maildir, retention, now, rehearse)
        expired = await self._run_in_turn(maildir, self._doubting(account, maildir, work))
        for problem in expired.problems:
            self.log.warning("store.expire_failed", account=account, reason=str(problem))
        return expired.usage

    async def purge(self, account: Address, before: float) -> int:
        maildir = self._maildir(account)
        removed, failed = await self._run(self._doubting(account, maildir, partial(purge, maildir, before)))
        for problem in failed:
            self.log.warning("store.purge_failed", account=account, reason=str(problem))
        return removed

    async def deleted(self, account: Address) -> tuple[Deleted, ...]:
        return await self._run(partial(deleted, self._maildir(account)))

    async def undelete(self, account: Address, uidls: Sequence[str]) -> int:
        maildir = self._maildir(account)
        work = partial(bring_back, maildir, tuple(uidls))
        restored = await self._run_in_turn(maildir, self._doubting(account, maildir, work))
        for problem in restored.failed:
            self.log.warning("store.undelete_failed", account=account, reason=str(problem))
        for problem in restored.unreadable:
            self.log.error("store.view_unreadable", account=account, reason=str(problem))
        return restored.count

    async def enroll_view(self, account: Address, device: str) -> None:
        check_device(device)
        maildir = self._maildir(account)
        await self._run_in_turn(maildir, partial(self._enroll, maildir, device))

    async def forget_view(self, account: Address, device: str) -> None:
        check_device(device)
        maildir = self._maildir(account)
        await self._run_in_turn(maildir, partial(maildir.views.forget, device))

    async def views(self, account: Address) -> tuple[str, ...]:
        return tuple(await self._run(self._maildir(account).views.devices))

    async def maildrops(self) -> tuple[Address, ...]:
        return tuple(await self._run(self.layout.owners))

    async def clean_stale(self, now: float) -> int:
        """Remove what dead deliveries left in tmp, in all maildirs; answer how many files.

        *now*: seconds since the epoch.
        """
        return await self.threads.run(partial(_clean_stale, self.layout, now))

    def _maildir(self, account: Address) -> Maildir:
        return Maildir(
            self.layout.directory(account),
            self.files,
            self._directories,
            self._beside,
            self._listings,
            lambda: self.rules,
            self.clock,
            lambda: self.deleted_quota,
        )

    def _doubt(self, account: Address, path: str) -> None:
        """There may be more or less in it. From any thread."""
        self._tallies.doubt(path)
        self.reactor.callFromThread(self._tell_changed, account)

    def _tell_changed(self, account: Address) -> None:
        self.changed(account)

    def _doubting(self, account: Address, maildir: Maildir, work: Callable[[], T]) -> Callable[[], T]:
        """*work*, after which there may be more or less."""

        def changing() -> T:
            try:
                return work()
            finally:
                self._doubt(account, maildir.path)

        return changing

    async def _run(self, work: Callable[[], T]) -> T:
        return await _run(self.threads, work)

    async def _run_in_turn(self, maildir: Maildir, work: Callable[[], T]) -> T:
        """For what locks the views."""
        return await _run(self._turns.of(maildir.path), work)

    def _open(self, maildir: Maildir, view: View) -> tuple[Descriptor, Contents, Listing]:
        if view.device:  # its lock stands below
            self._prepare_views(maildir)
        lock = take_lock(maildir.path, self._directories, lock_name(view, VIEWS))
        try:
            contents = contents_of(maildir, view)
            return lock, contents, contents.listing()
        except BaseException:
            lock.close()
            raise

    def _enroll(self, maildir: Maildir, device: str) -> None:
        self._prepare_views(maildir)
        enroll(maildir, device)

    def _prepare_views(self, maildir: Maildir) -> None:
        if not os.path.isdir(maildir.path):
            self._directories.forget(maildir.path)
        self._directories.ensure(maildir.path)
        maildir.views.prepare()


async def _run(threads: IThreads, work: Callable[[], T]) -> T:
    try:
        return await threads.run(work)
    except OSError as error:
        raise temporary_failure(error) from error


def _own(delivery: IDelivery) -> Delivery:
    if not isinstance(delivery, Delivery):
        raise TypeError("the delivery was begun by another store")
    return delivery


def _clean_stale(layout: Layout, now: float) -> int:
    """By the inode's own time: programs that copy mail set the others to the message's date."""
    removed = 0
    for maildir in layout.existing():
        try:
            with os.scandir(os.path.join(maildir, "tmp")) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) and now - status.st_ctime > STALE_SECONDS:
                        with contextlib.suppress(FileNotFoundError):  # another worker cleans, too
                            os.unlink(entry.path)
                            removed += 1
        except OSError:
            continue  # no maildir, or not ours to clean; the next one may be
    return removed
