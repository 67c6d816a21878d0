"""Certificates while the server runs: read again when they change, and watched for their end."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from functools import partial

import attrs
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.concurrent.tasks import Tasks
from mailsuite.concurrent.watch import FileWatch
from mailsuite.frontends.doubts import doubts
from mailsuite.frontends.shelf import Certificates, Reading
from mailsuite.frontends.tls import Credentials, Pair
from mailsuite.interfaces import IThreads
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log

PATIENCE = 5.0
"""Seconds between two looks at a broken pair. Whoever replaces certificate and key one after the other is
done by then; what is still broken at the second look is told."""
ALARM_DAYS = (1, 7, 21)
"""Days before its end that a certificate is warned of (features row T-02)."""
HOUR = 3600.0
"""Seconds between two looks at the dates."""
TICKETS_LAST = 24
"""Hours until contexts are made anew, and with them the keys of session tickets, which would undo forward
secrecy if they stayed (RFC 9325 section 3.4: at least once a week)."""
_DAY = 86_400.0


def _nothing_to_renew() -> None:
    """Where no certificate is of our own making."""


@attrs.frozen
class Expiring:
    """A certificate that ends soon, or has ended."""

    pair: Pair
    names: tuple[str, ...]
    at: float
    """When, in seconds since the epoch."""
    days: int
    """Whole days that are left; below zero: it has ended."""

    def __str__(self) -> str:
        when = (
            "has ended"
            if self.days < 0
            else f"ends in {self.days} days"
            if self.days
            else "ends within a day"
        )
        return f"the certificate {self.pair[0]} for {', '.join(self.names) or 'no name'} {when}"


@attrs.define
class _Trouble:
    """A pair that is broken on the disk."""

    reason: str
    since: float
    """By the reactor's clock."""
    told: bool = False


@attrs.define(eq=False)
class CertificateKeeper:
    """Keeps the certificates of the configuration in force fit for new connections; running ones go on.

    What cannot be used keeps what was read before it in use. *now*: seconds since the epoch. *renew*, in a
    thread once a day: makes a certificate of our own anew where it is time; it raises OSError at most.
    """

    watch: FileWatch
    threads: IThreads
    clock: IReactorTime
    now: Callable[[], float]
    log: Log
    renew: Callable[[], object] = _nothing_to_renew
    _certificates: Certificates | None = attrs.field(default=None, init=False)
    _known: dict[Pair, Credentials] = attrs.field(factory=dict, init=False)
    """What was logged as loaded."""
    _broken: dict[Pair, _Trouble] = attrs.field(factory=dict, init=False)
    _warned: dict[Pair, tuple[float, int, int]] = attrs.field(factory=dict, init=False)
    """The last warning of each: its end, the threshold, the day."""
    _turn: DeferredLock = attrs.field(factory=DeferredLock, init=False)
    _tasks: Tasks = attrs.field(init=False)
    _retry: IDelayedCall | None = attrs.field(default=None, init=False)
    _hourly: IDelayedCall | None = attrs.field(default=None, init=False)
    _hours: int = attrs.field(default=0, init=False)
    _running: bool = attrs.field(default=False, init=False)

    @_tasks.default
    def _make_tasks(self) -> Tasks:
        return Tasks(partial(self.log.failure, "tls.failed"))

    def use(self, certificates: Certificates) -> None:
        """These are the certificates of the configuration in force from now on. Cannot fail."""
        self._certificates, self._broken = certificates, {}
        self._tell_of_loaded(certificates)
        seen = {path: at for each in certificates.credentials.values() for path, at in each.seen.items()}
        paths = dict.fromkeys(path for pair in certificates.wanted.pairs for path in pair)
        self.watch.watch(self, paths, self._look, seen)
        self._warn_of_ends()

    def start(self) -> None:
        """Begin to look at the dates; the files are looked at by the watch."""
        self._running = True
        self._hourly = self.clock.callLater(HOUR, self._next_hour)

    async def stop(self) -> None:
        """Look no more; return when the last look has ended."""
        self._running = False
        self.watch.forget(self)
        for timer in (self._retry, self._hourly):
            if timer is not None and timer.active():
                timer.cancel()
        await self._tasks.finished()

    def problems(self) -> tuple[str, ...]:
        """What is wrong on the disk, in words."""
        told = (trouble.reason for trouble in self._broken.values() if trouble.told)
        return tuple(f"{reason}; what was read before stays in use" for reason in told)

    def expiring(self) -> tuple[Expiring, ...]:
        """What ends within ALARM_DAYS at most, the next one first."""
        if self._certificates is None:
            return ()
        certificates, now = self._certificates, self.now()
        found = []
        for pair, credentials in certificates.credentials.items():
            at = credentials.certificate.not_valid_after_utc.timestamp()
            days = int((at - now) // _DAY)
            if days < max(ALARM_DAYS):
                found.append(Expiring(pair, certificates.names(pair), at, days))
        return tuple(sorted(found, key=lambda each: each.at))

    # Files

    async def _look(self, renew: bool = False) -> None:
        """Read all again, and go by what is different."""
        async with self._turn:
            certificates = self._certificates
            if certificates is None or not self._running:
                return
            try:
                reading = await self.threads.run(partial(certificates.read_again, renew))
            except MailFailure as failure:
                self.log.warning("tls.delayed", reason=failure.reason)
                self._look_later()
                return
            if certificates is self._certificates:
                self._adopt(certificates, reading)

    def _adopt(self, certificates: Certificates, reading: Reading) -> None:
        certificates.adopt(reading)
        for pair, trouble in self._broken.items():
            if trouble.told and pair not in reading.failures:
                self._known.pop(pair)  # that it is well again is told, also where it is the old one
        self._tell_of_loaded(certificates)
        self._note_failures(reading.failures)
        self._warn_of_ends()

    def _note_failures(self, failures: Mapping[Pair, str]) -> None:
        now = self.clock.seconds()
        fresh = _Trouble("", now)
        self._broken = {
            pair: attrs.evolve(self._broken.get(pair, fresh), reason=reason)
            for pair, reason in failures.items()
        }
        for pair, trouble in self._broken.items():
            if not trouble.told and now - trouble.since >= PATIENCE:
                trouble.told = True
                self.log.error("tls.certificate_kept", certificate=pair[0], reason=trouble.reason)
        if failures:
            self._look_later()

    def _look_later(self) -> None:
        if self._running and not (self._retry is not None and self._retry.active()):
            self._retry = self.clock.callLater(PATIENCE, lambda: self._tasks.start(self._look()))

    def _tell_of_loaded(self, certificates: Certificates) -> None:
        now = datetime.datetime.fromtimestamp(self.now(), datetime.UTC)
        for pair, credentials in certificates.credentials.items():
            if self._known.get(pair) == credentials:
                continue
            names = certificates.names(pair)
            expires = _spelled(credentials.certificate.not_valid_after_utc.timestamp())
            self.log.info(
                "tls.certificate_loaded", certificate=pair[0], names=" ".join(names), expires=expires
            )
            for doubt in doubts(credentials.chain, names, now):
                self.log.warning("tls.certificate_doubtful", certificate=pair[0], reason=doubt)
        self._known = dict(certificates.credentials)

    # Dates

    def _next_hour(self) -> None:
        self._hourly = self.clock.callLater(HOUR, self._next_hour)
        self._hours += 1
        self._warn_of_ends()
        if self._hours % TICKETS_LAST == 0:
            self._tasks.start(self._next_day())

    async def _next_day(self) -> None:
        try:
            await self.threads.run(self.renew)
        except (MailFailure, OSError) as error:
            reason = error.reason if isinstance(error, MailFailure) else str(error)
            self.log.error("tls.not_renewed", reason=reason)
        await self._look(renew=True)

    def _warn_of_ends(self) -> None:
        """Once a day for each certificate, and once more where it has passed a threshold."""
        today = int(self.now() // _DAY)
        warned = {}
        for each in self.expiring():
            threshold = 0 if each.days < 0 else next(days for days in ALARM_DAYS if each.days < days)
            warned[each.pair] = mark = (each.at, threshold, today)
            if self._warned.get(each.pair) != mark:
                self._warn_of_end(each)
        self._warned = warned

    def _warn_of_end(self, ending: Expiring) -> None:
        names, expires = " ".join(ending.names), _spelled(ending.at)
        fields = {"certificate": ending.pair[0], "names": names, "days": ending.days, "expires": expires}
        if ending.days < 0:
            self.log.error("tls.certificate_expired", **fields)
        else:
            self.log.warning("tls.certificate_expires", **fields)


def _spelled(at: float) -> str:
    return f"{datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
