"""Certificates while the server runs: replaced, broken, mended, and about to end."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Inline
from mailsuite.concurrent.watch import INTERVAL, FileWatch
from mailsuite.frontends.keeper import HOUR, PATIENCE, TICKETS_LAST, CertificateKeeper
from mailsuite.frontends.shelf import Certificates, Wanted, read_all
from mailsuite.frontends.tls import Pair
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import OVERLOADED
from mailsuite.observe.log import Log
from tests.concurrent.held import HeldThreads
from tests.frontends.issuing import DAY, issue, resigned, rsa_of

START = datetime.datetime.now(datetime.UTC).replace(hour=18, minute=0, second=0, microsecond=0)
"""Today, at an hour at which half a day goes beyond midnight: warnings count by days."""


class KeeperCase(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name)
        self.clock = Clock()
        self.lines: list[str] = []
        self.renewals = 0
        self.first, self.second = self.issue("first.test"), self.issue("second.test")
        self.certificates = self.read()

    def issue(self, name: str, **named: Any) -> Pair:
        return issue(name, **{"begins": START - DAY, **named}).save(self.folder, name)

    def read(self) -> Certificates:
        wanted = Wanted(self.first, named=((self.second, ("second.test",)),))
        return Certificates(wanted, read_all(wanted.pairs))

    def keep(self, threads: Any = None, renew: Callable[[], object] | None = None) -> CertificateKeeper:
        log = Log(lambda line, level: self.lines.append(line))
        self.threads = threads or Inline()
        watch = FileWatch(self.threads, self.clock, log)
        keeper = CertificateKeeper(watch, self.threads, self.clock, self.now, log, renew or self.renew)
        keeper.use(self.certificates)
        keeper.start()
        watch.start()
        return keeper

    def now(self) -> float:
        return START.timestamp() + self.clock.seconds()

    def renew(self) -> None:
        self.renewals += 1

    def told(self, event: str) -> list[str]:
        """What was logged of an event since the last time."""
        found = [line.partition(f" {event} ")[2] for line in self.lines if f" {event} " in line]
        self.lines = [line for line in self.lines if f" {event} " not in line]
        return found

    def spoil(self) -> None:
        """The key is replaced, the certificate not yet."""
        self.first[1].write_bytes(self.second[1].read_bytes())

    def serial(self, pair: Pair) -> int:
        return self.certificates.credentials[pair].certificate.serial_number

    def advance(self, *seconds: float) -> None:
        for each in seconds:
            self.clock.advance(each)


class ReplacedTests(KeeperCase):
    def test_what_is_loaded_is_told_with_its_names_and_end(self) -> None:
        self.keep()
        told = self.told("tls.certificate_loaded")
        end = f"{START - DAY + 90 * DAY:%Y-%m-%dT%H:%M:%SZ}"
        self.assertEqual(
            told, [f"certificate={pair[0]} names={pair[0].stem} expires={end}" for pair in self.pairs]
        )

    @property
    def pairs(self) -> list[Pair]:
        return [self.first, self.second]

    def test_a_new_one_is_used_and_told(self) -> None:
        keeper = self.keep()
        self.told("tls.certificate_loaded")
        tls = self.certificates.tls_for(None)
        context, serial = tls.context, self.serial(self.first)
        self.issue("first.test", names=["first.test", "more.test"])
        self.advance(INTERVAL)
        self.assertNotEqual(self.serial(self.first), serial)
        self.assertIsNot(tls.context, context)
        [told] = self.told("tls.certificate_loaded")
        self.assertIn('names="first.test more.test"', told)
        self.assertEqual(keeper.problems(), ())

    def test_one_that_was_replaced_between_reading_and_watching(self) -> None:
        self.issue("first.test")
        serial = self.serial(self.first)
        self.keep()
        self.assertNotEqual(self.serial(self.first), serial)

    def test_what_was_touched_alone_is_not_told(self) -> None:
        self.keep()
        self.told("tls.certificate_loaded")
        context = self.certificates.tls_for(None).context
        self.first[0].touch()
        self.advance(INTERVAL)
        self.assertEqual(self.told("tls.certificate_loaded"), [])
        self.assertIs(self.certificates.tls_for(None).context, context)

    def test_another_configuration(self) -> None:
        """Its certificates are watched; what it has in common with the last one is not told again."""
        keeper = self.keep()
        self.told("tls.certificate_loaded")
        before, serial = self.certificates, self.serial(self.first)
        third = self.issue("third.test")
        wanted = Wanted(self.second, frozenset({third}))
        self.certificates = Certificates(wanted, read_all(wanted.pairs))
        keeper.use(self.certificates)
        [told] = self.told("tls.certificate_loaded")
        self.assertIn("names=third.test", told)
        self.issue("first.test")
        self.advance(INTERVAL)
        self.assertEqual(before.credentials[self.first].certificate.serial_number, serial)
        self.issue("third.test")
        self.advance(INTERVAL)
        self.assertEqual(len(self.told("tls.certificate_loaded")), 1)

    def test_a_look_that_another_configuration_overtakes(self) -> None:
        threads = HeldThreads()
        keeper = self.keep(threads)
        threads.release()
        self.issue("first.test")
        self.advance(INTERVAL)
        threads.release()  # the look of the watch
        serial = self.serial(self.first)
        keeper.use(old := self.certificates)
        self.certificates = self.read()
        keeper.use(self.certificates)
        while threads.held:
            threads.release()
        self.assertEqual(old.credentials[self.first].certificate.serial_number, serial)

    def test_doubts_are_told(self) -> None:
        issued = issue("first.test", key=rsa_of(2048))
        resigned(issued, "05").save(self.folder, "first.test")
        self.certificates = self.read()
        self.keep()
        [told] = self.told("tls.certificate_doubtful")
        self.assertIn(f"certificate={self.first[0]} reason=", told)
        self.assertIn("SHA-1", told)

    def test_without_a_free_thread_it_looks_later(self) -> None:
        keeper = self.keep()
        self.told("tls.certificate_loaded")
        keeper.threads = Busy()
        self.issue("first.test")
        self.advance(INTERVAL)
        self.assertEqual(len(self.told("tls.delayed")), 1)
        keeper.threads = Inline()
        self.advance(PATIENCE)
        self.assertEqual(len(self.told("tls.certificate_loaded")), 1)


class Busy:
    async def run(self, work: Any) -> Any:
        raise TemporaryFailure(OVERLOADED, "files: 2000 calls are waiting")


class BrokenTests(KeeperCase):
    def test_certificate_and_key_that_are_replaced_one_after_the_other(self) -> None:
        keeper = self.keep()
        self.told("tls.certificate_loaded")
        serial = self.serial(self.first)
        self.spoil()
        self.advance(INTERVAL)
        self.assertEqual(self.serial(self.first), serial)
        self.issue("first.test")
        self.advance(INTERVAL, INTERVAL)
        self.assertNotEqual(self.serial(self.first), serial)
        self.assertEqual((self.told("tls.certificate_kept"), keeper.problems()), ([], ()))
        self.assertEqual(len(self.told("tls.certificate_loaded")), 1)

    def test_what_stays_broken_is_told_once_and_shown_until_it_is_mended(self) -> None:
        keeper = self.keep()
        self.spoil()
        self.advance(INTERVAL)
        self.assertEqual(keeper.problems(), ())
        self.advance(*[PATIENCE] * 5)
        reason = f"{self.first[1]}: is not the key of {self.first[0]}"
        [told] = self.told("tls.certificate_kept")
        self.assertEqual(told, f'certificate={self.first[0]} reason="{reason}"')
        self.assertEqual(keeper.problems(), (f"{reason}; what was read before stays in use",))
        self.told("tls.certificate_loaded")
        self.issue("first.test")
        self.advance(INTERVAL)
        self.assertEqual(keeper.problems(), ())
        self.assertEqual(len(self.told("tls.certificate_loaded")), 1)
        self.assertEqual(len(self.told("tls.certificate_kept")), 0)

    def test_the_old_one_that_comes_back_is_told_too(self) -> None:
        keeper = self.keep()
        content = self.first[1].read_bytes()
        self.spoil()
        self.advance(INTERVAL, PATIENCE)
        self.told("tls.certificate_loaded")
        self.first[1].write_bytes(content)
        self.advance(INTERVAL)
        self.assertEqual((len(self.told("tls.certificate_loaded")), keeper.problems()), (1, ()))

    def test_two_files_that_are_replaced_while_broken_for_long_are_no_second_message(self) -> None:
        keeper = self.keep()
        for content in ("nonsense", "other nonsense"):
            self.first[0].write_text(content)
            self.advance(INTERVAL, PATIENCE)
        self.first[0].unlink()
        self.advance(INTERVAL)
        self.assertEqual(len(self.told("tls.certificate_kept")), 1)
        self.assertIn("No such file", keeper.problems()[0])

    def test_the_others_are_replaced_all_the_same(self) -> None:
        self.keep()
        serial = self.serial(self.second)
        self.spoil()
        self.issue("second.test")
        self.advance(INTERVAL)
        self.assertNotEqual(self.serial(self.second), serial)

    def test_the_end_looks_no_more(self) -> None:
        keeper = self.keep()
        self.spoil()
        self.advance(INTERVAL)
        self.successResultOf(Deferred.fromCoroutine(keeper.stop()))
        self.successResultOf(Deferred.fromCoroutine(keeper.watch.stop()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.issue("first.test")
        self.advance(INTERVAL)
        self.assertEqual(self.told("tls.certificate_kept"), [])

    def test_what_changes_after_the_end_is_left(self) -> None:
        keeper = self.keep()
        self.successResultOf(Deferred.fromCoroutine(keeper.stop()))
        keeper.use(self.certificates)
        serial = self.serial(self.first)
        self.issue("first.test")
        self.advance(INTERVAL)
        self.assertEqual(self.serial(self.first), serial)

    def test_the_end_before_the_beginning(self) -> None:
        log = Log(lambda line, level: None)
        keeper = CertificateKeeper(FileWatch(Inline(), self.clock, log), Inline(), self.clock, self.now, log)
        self.assertEqual((keeper.problems(), keeper.expiring()), ((), ()))
        self.successResultOf(Deferred.fromCoroutine(keeper.stop()))


class EndingTests(KeeperCase):
    def end_in(self, days: float) -> CertificateKeeper:
        self.issue("first.test", begins=START - 100 * DAY, days=100 + days)
        self.certificates = self.read()
        return self.keep()

    def days(self, count: float) -> None:
        self.advance(*[HOUR] * round(24 * count))

    def test_far_away(self) -> None:
        keeper = self.end_in(60)
        self.days(2)
        self.assertEqual((keeper.expiring(), self.told("tls.certificate_expires")), ((), []))

    def test_it_is_warned_of_from_21_days_on_each_day_and_at_each_threshold(self) -> None:
        keeper = self.end_in(22.5)
        self.days(1)
        self.assertEqual(self.told("tls.certificate_expires"), [])
        self.days(1)
        [told] = self.told("tls.certificate_expires")
        self.assertIn(f"certificate={self.first[0]} names=first.test days=20 expires=", told)
        [expiring] = keeper.expiring()
        self.assertEqual((expiring.pair, expiring.names, expiring.days), (self.first, ("first.test",), 20))
        counts = []
        for _ in range(20):
            self.days(1)
            counts.append(len(self.told("tls.certificate_expires")))
        self.assertEqual(counts[:12], [1] * 12)
        self.assertEqual(sum(counts), 20 + 2)  # and at 7 days and 1 day once more that day
        self.assertEqual(self.told("tls.certificate_expired"), [])
        self.days(1)
        self.assertEqual(len(self.told("tls.certificate_expired")), 1)
        self.assertEqual(keeper.expiring()[0].days, -1)

    def test_in_words(self) -> None:
        for days, when in ((5.5, "ends in 5 days"), (0.5, "ends within a day"), (-2, "has ended")):
            [expiring] = self.end_in(days).expiring()
            self.assertEqual(str(expiring), f"the certificate {self.first[0]} for first.test {when}")

    def test_the_first_to_end_is_the_first(self) -> None:
        self.issue("second.test", begins=START - DAY, days=3)
        keeper = self.end_in(5)
        self.assertEqual([each.pair for each in keeper.expiring()], [self.second, self.first])

    def test_a_new_one_ends_the_warnings(self) -> None:
        keeper = self.end_in(5)
        self.assertEqual(len(self.told("tls.certificate_expires")), 1)
        self.issue("first.test")
        self.advance(INTERVAL)
        self.days(3)
        self.assertEqual((keeper.expiring(), self.told("tls.certificate_expires")), ((), []))

    def test_a_reload_of_the_configuration_does_not_warn_again(self) -> None:
        keeper = self.end_in(5)
        self.told("tls.certificate_expires")
        keeper.use(self.read())
        self.assertEqual(self.told("tls.certificate_expires"), [])


class DailyTests(KeeperCase):
    def test_each_day_our_own_is_looked_after_and_the_keys_of_tickets_change(self) -> None:
        self.keep()
        tls = self.certificates.tls_for(None)
        contexts = {id(tls.context)}
        kept = [tls.context]
        for day in (1, 2):
            self.advance(*[HOUR] * TICKETS_LAST)
            self.assertEqual(self.renewals, day)
            kept.append(tls.context)
            contexts.add(id(tls.context))
        self.assertEqual(len(contexts), 3)

    def test_one_that_is_made_anew_is_used_at_once(self) -> None:
        serial = self.serial(self.first)
        self.keep(renew=lambda: self.issue("first.test"))
        self.advance(*[HOUR] * TICKETS_LAST)
        self.assertNotEqual(self.serial(self.first), serial)

    def test_one_that_cannot_be_made_anew(self) -> None:
        def fail() -> None:
            raise OSError(28, "No space left on device", "self-signed.key")

        self.keep(renew=fail)
        tls = self.certificates.tls_for(None)
        context = tls.context
        self.advance(*[HOUR] * TICKETS_LAST)
        [told] = self.told("tls.not_renewed")
        self.assertIn("No space left on device", told)
        self.assertIsNot(tls.context, context)

    def test_no_thread_for_it(self) -> None:
        keeper = self.keep()
        keeper.threads = Busy()
        self.advance(*[HOUR] * TICKETS_LAST)
        self.assertEqual(len(self.told("tls.not_renewed")), 1)

    def test_a_mistake_of_ours_is_logged(self) -> None:
        def fail() -> None:
            raise ZeroDivisionError

        self.keep(renew=fail)
        self.advance(*[HOUR] * TICKETS_LAST)
        self.assertEqual(len(self.told("tls.failed")), 1)
