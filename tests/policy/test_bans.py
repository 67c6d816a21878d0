"""Bans: whom they meet, how long, what is remembered, and what the store hears."""

from __future__ import annotations

from collections.abc import Coroutine
from ipaddress import ip_address, ip_network
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as some
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailsuite.directory.bans import MemoryBans
from mailsuite.interfaces import IBans
from mailsuite.model.ban import Ban
from mailsuite.model.device import IPNetwork
from mailsuite.model.failure import MailFailure, TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.observe.log import Log
from mailsuite.policy import bans as module
from mailsuite.policy import kept_bans
from mailsuite.policy.bans import BanRules, Bans, Exempt

NOON = 1_700_000_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
BAD = ip_address("198.51.100.7")
SIX = ip_address("2001:db8:1:2::7")
HOME = ip_network("192.0.2.0/24")


@implementer(IBans)
@attrs.define(eq=False)
class Slow(MemoryBans):
    """Answers when the test says so."""

    waiting: list[Deferred[None]] = attrs.field(factory=list)

    async def keep(self, ban: Ban) -> None:
        await self._turn()
        await super().keep(ban)

    async def drop(self, network: IPNetwork) -> bool:
        await self._turn()
        return await super().drop(network)

    async def _turn(self) -> None:
        turn: Deferred[None] = Deferred()
        self.waiting.append(turn)
        await turn

    def answer(self) -> None:
        self.waiting.pop(0).callback(None)


class BansCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.store = MemoryBans()
        self.bans = self.made()

    def made(self, store: MemoryBans | None = None, rules: BanRules | None = None) -> Bans:
        log = Log(lambda line, level: self.lines.append(f"{level} {line}"))
        rules = rules or BanRules(15 * MINUTE, DAY, (HOME,))
        return Bans(store or self.store, lambda: NOON + self.clock.seconds(), log, rules)

    def run_now(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def restarted(self) -> Bans:
        bans = self.made()
        self.run_now(bans.load())
        return bans

    def logged(self, event: str) -> list[str]:
        return [line for line in self.lines if event in line]


class Meeting(BansCase):
    def test_nobody_is_banned_before(self) -> None:
        self.assertFalse(self.bans.is_banned(BAD))
        self.assertEqual(self.bans.list(), ())

    def test_one_address_of_ipv4(self) -> None:
        ban = self.bans.ban(BAD, "oversize-command", "why")
        self.assertEqual(ban, Ban(ip_network(f"{BAD}/32"), "oversize-command", NOON, NOON + 900, 1, "why"))
        self.assertEqual((self.bans.list(), self.bans.find(BAD)), ((ban,), ban))
        self.assertTrue(self.bans.is_banned(ip_address(f"::ffff:{BAD}")))
        self.assertFalse(self.bans.is_banned(BAD + 1))
        self.assertFalse(self.bans.is_banned(ip_address(f"::{BAD}")))

    def test_a_mapped_address_is_the_ipv4_address(self) -> None:
        self.bans.ban(ip_address(f"::ffff:{BAD}"), "x")
        self.assertTrue(self.bans.is_banned(BAD))

    def test_a_64_of_ipv6(self) -> None:
        self.bans.ban(SIX, "x")
        banned = [self.bans.is_banned(ip_address(text)) for text in ("2001:db8:1:2:ffff::", "2001:db8:1:3::")]
        self.assertEqual(banned, [True, False])

    def test_it_ends_by_itself(self) -> None:
        self.bans.ban(BAD, "x")
        self.clock.advance(15 * MINUTE - 0.001)
        self.assertTrue(self.bans.is_banned(BAD))
        self.clock.advance(0.001)
        self.assertFalse(self.bans.is_banned(BAD))
        self.assertEqual(self.bans.list(), ())

    def test_who_is_exempt_is_never_met(self) -> None:
        friend = ip_address("192.0.2.9")
        self.assertIsNone(self.bans.ban(friend, "x"))
        self.assertIsNone(self.bans.ban(ip_address("::ffff:192.0.2.9"), "x"))
        self.assertEqual(self.bans.list(), ())
        self.bans.add(ip_network("192.0.0.0/16"), HOUR)
        self.assertFalse(self.bans.is_banned(friend))
        self.assertTrue(self.bans.is_banned(ip_address("192.0.3.1")))
        self.bans.rules = BanRules()
        self.assertTrue(self.bans.is_banned(friend))

    def test_a_wider_ban_that_ended_hides_no_narrower_one(self) -> None:
        self.bans.add(ip_network("198.51.100.0/24"), MINUTE)
        narrow = self.bans.add(ip_network("198.51.100.7"), HOUR)
        self.assertEqual(self.bans.find(BAD).network.prefixlen, 24)  # type: ignore[union-attr]
        self.clock.advance(2 * MINUTE)
        self.assertIs(self.bans.find(BAD), narrow)

    def test_the_list_has_the_newest_in_front(self) -> None:
        for number in range(3):
            self.bans.ban(BAD + number, "x")
            self.clock.advance(1)
        self.bans.ban(SIX, "x")
        self.bans.ban(BAD + 3, "x")
        names = [str(ban.network) for ban in self.bans.list()]
        self.assertEqual(
            names,
            [
                "198.51.100.10/32",
                "2001:db8:1:2::/64",
                *(f"198.51.100.{9 - number}/32" for number in range(3)),
            ],
        )


class Lasting(BansCase):
    def lengths(self, count: int, pause: float = 0.0) -> list[float]:
        found = []
        for _ in range(count):
            ban = self.bans.ban(BAD, "x")
            assert ban is not None
            assert ban.until is not None
            found.append(ban.until - ban.since)
            self.clock.advance(found[-1] + pause)
        return found

    def test_each_lasts_twice_as_long_up_to_the_maximum(self) -> None:
        minutes = [length / MINUTE for length in self.lengths(9)]
        self.assertEqual(minutes, [15, 30, 60, 120, 240, 480, 960, 1440, 1440])
        self.assertEqual(self.bans.ban(BAD, "x").times, 10)  # type: ignore[union-attr]

    def test_after_the_maximum_of_good_behaviour_it_begins_anew(self) -> None:
        self.assertEqual(self.lengths(3, DAY), [900, 900, 900])
        self.assertEqual(self.lengths(2, DAY - 1), [900, 1800])

    def test_while_it_holds_it_is_not_made_longer(self) -> None:
        first = self.bans.ban(BAD, "x")
        self.assertIsNone(self.bans.ban(BAD, "y"))
        self.assertEqual(self.bans.list(), (first,))

    def test_a_first_ban_above_the_maximum_lasts_as_it_says(self) -> None:
        self.bans.rules = BanRules(2 * DAY, DAY)
        self.assertEqual(self.lengths(2), [2 * DAY, 2 * DAY])

    def test_until_the_restart(self) -> None:
        self.bans.rules = BanRules(None)
        ban = self.bans.ban(BAD, "x")
        assert ban is not None
        self.assertIsNone(ban.until)
        self.clock.advance(1000 * DAY)
        self.assertTrue(self.bans.is_banned(BAD))
        self.assertFalse(self.restarted().is_banned(BAD))

    def test_old_ones_are_forgotten_in_the_store_too(self) -> None:
        self.bans.ban(BAD, "x")
        self.clock.advance(15 * MINUTE + DAY)
        self.bans.ban(SIX, "x")
        self.assertEqual(
            [ban.network for ban in self.run_now(self.store.bans())], [ip_network("2001:db8:1:2::/64")]
        )


class ByHand(BansCase):
    def test_any_network_for_any_time(self) -> None:
        ban = self.bans.add(ip_network("198.51.100.0/24"), 7 * DAY, "a noisy neighbour")
        self.assertEqual(ban.until, NOON + 7 * DAY)
        self.assertEqual((ban.reason, ban.detail), ("by-hand", "a noisy neighbour"))
        self.assertEqual(self.bans.find(BAD), ban)
        self.assertIn("reason=by-hand", self.logged("guard.banned")[0])
        self.assertIsNone(self.bans.add(ip_network("198.51.100.0/24"), None).until)
        self.assertEqual(len(self.bans.list()), 1)

    def test_a_mapped_network_is_the_ipv4_network(self) -> None:
        self.bans.add(ip_network("::ffff:198.51.100.0/120"), HOUR)
        self.assertTrue(self.bans.is_banned(BAD))

    def test_what_lies_within_an_exempt_network_is_refused(self) -> None:
        self.bans.rules = BanRules(exempt=(ip_network("2001:db8::/32"), HOME))
        words = "192.0.2.8/30 is never banned: 192.0.2.0/24 stands in guard.never_ban, admin_networks or "
        with pytest.raises(Exempt, match=words):
            self.bans.add(ip_network("192.0.2.8/30"), HOUR)
        with pytest.raises(Exempt):
            self.bans.add(ip_network("2001:db8:1::/48"), HOUR)
        self.assertEqual(self.bans.list(), ())

    def test_lifting(self) -> None:
        self.bans.ban(BAD, "x")
        self.bans.ban(SIX, "x")
        self.assertIsNotNone(self.run_now(self.bans.lift(ip_network(f"::ffff:{BAD}/128"))))
        self.assertFalse(self.bans.is_banned(BAD))
        self.assertIsNone(self.run_now(self.bans.lift(ip_network(str(BAD)))))
        lifted = self.run_now(self.bans.lift(ip_network(str(SIX))))
        self.assertEqual(lifted.network, ip_network("2001:db8:1:2::/64"))
        self.assertEqual((self.bans.list(), self.run_now(self.store.bans())), ((), ()))
        self.assertEqual(len(self.logged("guard.lifted")), 2)
        self.assertEqual(self.bans.ban(BAD, "x").times, 1)  # type: ignore[union-attr]

    def test_a_wide_ban_is_lifted_by_its_own_name_alone(self) -> None:
        self.bans.add(ip_network("198.51.100.0/24"), HOUR)
        self.assertIsNone(self.run_now(self.bans.lift(ip_network(str(BAD)))))
        self.assertTrue(self.bans.is_banned(BAD))
        self.assertIsNotNone(self.run_now(self.bans.lift(ip_network("198.51.100.0/24"))))
        self.assertFalse(self.bans.is_banned(BAD))

    def test_what_has_ended_cannot_be_lifted(self) -> None:
        self.bans.ban(BAD, "x")
        self.clock.advance(HOUR)
        self.assertIsNone(self.run_now(self.bans.lift(ip_network(str(BAD)))))


class Reporting(BansCase):
    def report(self, first: bytes, peer: Any = BAD) -> None:
        self.bans.reporter("pop3", "pop3s")(peer, 4711, "oversize-command", 513, first)

    def test_one_line_in_the_log_for_each_ban(self) -> None:
        self.report(b"USER " + b"A" * 27)
        self.report(b"USER " + b"A" * 27)
        (line,) = self.logged("guard.banned")
        self.assertIn(
            f"guard.banned peer={BAD} network={BAD}/32 service=pop3 listener=pop3s port=4711 "
            f'reason=oversize-command octets=513 first="USER {"A" * 27}" until=2023-11-14T22:28:20Z times=1',
            line,
        )
        self.assertTrue(line.startswith("warning"))
        (ban,) = self.bans.list()
        self.assertEqual(
            ban.detail, f"pop3 (listener pop3s) from port 4711: 513 octets, beginning with USER {'A' * 27}"
        )

    def test_other_violations_are_no_reason(self) -> None:
        for kind in ("plaintext-after-stls", "oversize-response", "too-many-errors", "failed-logins"):
            self.bans.reporter("smtp", "mx")(BAD, 4711, kind, 0, b"")
        self.assertEqual((self.bans.list(), self.lines), ((), []))

    def test_until_the_restart_is_told(self) -> None:
        self.bans.rules = BanRules(None)
        self.report(b"A")
        self.assertIn("until=restart", self.logged("guard.banned")[0])

    def test_who_is_exempt_is_not_told_of(self) -> None:
        self.report(b"A", ip_address("192.0.2.1"))
        self.assertEqual(self.lines, [])

    def test_what_no_terminal_should_see_is_escaped(self) -> None:
        self.report(b"TOP \x00\xff\r\n\x1b[2J\\" + b"B" * 40)
        (ban,) = self.bans.list()
        self.assertTrue(ban.detail.endswith("TOP \\x00\\xff\\r\\n\\x1b[2J\\\\" + "B" * 19))

    def test_no_secret_is_kept_or_logged(self) -> None:
        words = (b"PASS ", b"pass\t", b" APOP joe ", b"AUTH PLAIN ", b"\x00PASS ", b"PASSWORD ", b"")
        for number, word in enumerate(words):
            self.report(word + b"canary", BAD + number)
        self.assertEqual(len(self.bans.list()), len(words))
        self.assertEqual([line for line in (*self.lines, repr(self.bans.list())) if "canary" in line], [])
        self.assertIn("PASS", self.lines[0])

    def test_of_what_is_no_command_the_length_alone_is_told(self) -> None:
        """It may be the response behind an AUTH that was refused."""
        self.report(b"AGpvZUBleGFtcGxlLnRlc3QAY2FuYXJ5")
        (ban,) = self.bans.list()
        self.assertEqual(ban.detail, "pop3 (listener pop3s) from port 4711: 513 octets")
        self.assertIn('octets=513 first="" until=', self.lines[-1])


class Keeping(BansCase):
    def test_a_restart_changes_nothing(self) -> None:
        for _ in range(3):
            ban = self.bans.ban(BAD, "x", "why")
            self.clock.advance(HOUR)
        ban = self.bans.ban(BAD, "x", "why")
        bans = self.restarted()
        self.assertEqual(bans.list(), (ban,))
        self.clock.advance(4 * HOUR)
        self.assertEqual(bans.ban(BAD, "x").times, 5)  # type: ignore[union-attr]

    def test_what_counts_for_nothing_any_more_is_not_loaded(self) -> None:
        self.bans.ban(BAD, "x")
        self.clock.advance(15 * MINUTE + DAY)
        self.assertEqual((len(self.restarted()._bans), self.run_now(self.store.bans())), (0, ()))

    def test_a_ban_holds_before_it_is_written(self) -> None:
        store = Slow()
        bans = self.made(store)
        bans.ban(BAD, "x")
        bans.ban(SIX, "x")
        self.assertTrue(bans.is_banned(BAD))
        self.assertEqual(len(store.waiting), 1, "one after the other")
        stopping = Deferred.fromCoroutine(bans.stop())
        self.assertNoResult(stopping)
        store.answer()
        store.answer()
        self.successResultOf(stopping)
        self.assertEqual(len(self.run_now(store.bans())), 2)

    def test_what_changes_while_it_is_written_is_written_again(self) -> None:
        store = Slow()
        bans = self.made(store)
        bans.ban(BAD, "x")
        last = bans.add(ip_network(str(BAD)), HOUR)
        store.answer()
        store.answer()
        self.assertEqual((self.run_now(store.bans()), store.waiting), ((last,), []))

    def test_a_failure_is_logged_and_mended_with_the_next_change(self) -> None:
        self.store.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "disk full")
        self.bans.ban(BAD, "x")
        self.assertTrue(self.bans.is_banned(BAD))
        self.assertIn("error", self.logged("guard.not_kept")[0])
        self.assertIn('bans=1 reason="disk full"', self.logged("guard.not_kept")[0])
        self.store.refuse_with = None
        self.bans.ban(SIX, "x")
        self.assertEqual(len(self.restarted().list()), 2)

    def test_a_ban_that_cannot_be_forgotten_still_holds(self) -> None:
        self.bans.ban(BAD, "x")
        self.store.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "disk full")
        lifting = Deferred.fromCoroutine(self.bans.lift(ip_network(str(BAD))))
        self.failureResultOf(lifting, MailFailure)
        self.assertTrue(self.bans.is_banned(BAD))
        self.assertEqual(self.logged("guard.lifted"), [])
        self.store.refuse_with = None
        self.assertTrue(self.restarted().is_banned(BAD))

    def test_who_is_banned_anew_while_the_old_ban_is_lifted_stays_banned(self) -> None:
        store = Slow()
        bans = self.made(store)
        bans.ban(BAD, "x")
        store.answer()
        lifting = Deferred.fromCoroutine(bans.lift(ip_network(str(BAD))))
        again = bans.add(ip_network(str(BAD)), HOUR)
        store.answer()
        self.successResultOf(lifting)
        store.answer()
        self.assertEqual((bans.list(), self.run_now(store.bans())), ((again,), (again,)))

    def test_a_mistake_of_ours_is_logged(self) -> None:
        self.store.refuse_with = RuntimeError("ours")  # type: ignore[assignment]
        self.bans.ban(BAD, "x")
        self.assertTrue(self.bans.is_banned(BAD))
        self.assertIn("RuntimeError'>: ours", self.logged("guard.failed")[0])


class Bounded(BansCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(module, "MAX_BANS", 5)

    def test_who_would_be_free_first_makes_room(self) -> None:
        self.bans.add(ip_network("203.0.113.0/24"), None)
        self.bans.add(ip_network("203.0.112.0/24"), MINUTE)
        for number in range(5):
            self.bans.ban(BAD + number, "x")
            self.clock.advance(1)
        self.assertEqual(
            {str(ban.network) for ban in self.bans.list()},
            {"203.0.113.0/24", *(f"198.51.100.{8 + number}/32" for number in range(4))},
        )
        self.assertEqual(len(self.run_now(self.store.bans())), 4)

    def test_a_store_that_holds_more_is_cut(self) -> None:
        for number in range(9):
            self.run_now(self.store.keep(Ban(ip_network(BAD + number), "x", NOON, NOON + 100 + number)))
        bans = self.restarted()
        self.assertEqual(len(bans.list()), 5)
        self.assertEqual({ban.until for ban in bans.list()}, {NOON + 104 + number for number in range(5)})
        self.assertEqual(len(self.run_now(self.store.bans())), 5)

    def test_banning_the_same_one_anew_costs_nobody_a_place(self) -> None:
        for number in range(5):
            self.bans.ban(BAD + number, "x")
        for length in range(1, 200):
            self.bans.add(ip_network(str(BAD)), length * HOUR)
        self.assertEqual(len(self.bans.list()), 5)
        self.assertLess(len(self.bans._ends), 100)

    def test_a_store_that_does_not_listen_costs_no_more_memory(self) -> None:
        self.patch(kept_bans, "MAX_UNWRITTEN", 5)
        self.store.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        for number in range(40):
            self.bans.ban(BAD + number, "x")
        self.assertEqual(len(self.bans._kept), 5)


NETWORKS = [
    ip_network(text) for text in ("10.0.0.0/30", "10.0.0.1", "10.0.0.2", "10.0.0.0/31", "2001:db8::/64")
]
STEPS = some.tuples(
    some.sampled_from(["add", "lift", "wait"]), some.sampled_from(NETWORKS), some.integers(1, 20)
)


@given(steps=some.lists(STEPS, max_size=30))
def test_as_a_plain_list_of_bans_would(steps: list[tuple[str, IPNetwork, int]]) -> None:
    """Against a model: all networks, each with its end."""
    clock, store, ends = Clock(), MemoryBans(), dict[IPNetwork, float]()
    bans = Bans(store, clock.seconds, Log(), BanRules(10.0, 20.0))
    for step, network, number in steps:
        if step == "add":
            bans.add(network, number)
            ends[network] = clock.seconds() + number
        elif step == "lift":
            Deferred.fromCoroutine(bans.lift(network))
            ends.pop(network, None)
        else:
            clock.advance(number)
        live = {each for each, end in ends.items() if clock.seconds() < end}
        assert {ban.network for ban in bans.list()} == live
        for text in (
            "10.0.0.0",
            "10.0.0.1",
            "10.0.0.2",
            "10.0.0.3",
            "10.0.0.4",
            "2001:db8::1",
            "2001:db8:0:1::",
        ):
            address = ip_address(text)
            assert bans.is_banned(address) is any(address in each for each in live)
