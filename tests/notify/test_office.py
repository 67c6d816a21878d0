"""What users and administrators do with subscriptions: whose they are, how many, and when they are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any, TypeVar

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailsuite.accounts.refusal import RegistryError
from mailsuite.concurrent.now import run_now
from mailsuite.model.address import Address
from mailsuite.model.failure import TargetGone, TellingFailed, TellingRefused, TemporaryFailure
from mailsuite.model.notice import Happening, Kind, Level
from mailsuite.model.reply import INTERNAL_ERROR
from mailsuite.model.subscription import (
    Attempt,
    ChannelTerms,
    DeadLetter,
    Subscription,
    SubscriptionState,
)
from mailsuite.notices.memory import MemoryEventLog, MemorySubscriptions
from mailsuite.notify.book import Book
from mailsuite.notify.office import Caller, Office
from mailsuite.notify.outgoing.causes import NotAllowed
from mailsuite.notify.outgoing.destinations import MAX_FAILURES, Destinations
from mailsuite.observe.log import Log
from tests.notify.offices import NOON, Desk, Hook

T = TypeVar("T")

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
OWNER = Caller(JOE)
PHONE = Caller(JOE, "phone")
LAPTOP = Caller(JOE, "laptop")
STRANGER = Caller(ANN)
ADMIN = Caller(JOE, is_admin=True)
HOOK = {"channel": "hook", "target": "https://a.example/hook/S3CRET"}


class Slow(MemorySubscriptions):
    """Waits, where that is wanted, before one is added."""

    gate: Deferred[None] | None = None
    leaving: Deferred[None] | None = None
    """The same, before one is removed."""

    async def remove(self, id: str) -> None:
        if self.leaving is not None:
            await self.leaving
        await super().remove(id)

    async def add(self, subscription: Subscription, acked: int) -> None:
        if self.gate is not None:
            await self.gate
        await super().add(subscription, acked)


class House:
    """An office, and all around it."""

    def __init__(self) -> None:
        self.now = NOON
        self.lines: list[str] = []
        log = Log(lambda line, level: self.lines.append(line))
        self.kept, self.events, self.hook, self.desk = Slow(), MemoryEventLog(), Hook(), Desk()
        self.quick = Hook("quick", ChannelTerms(Level.KNOCK, 5.0, each=False, retries=(), verifies=False))
        self.book = Book(self.kept, Clock(), log)
        self.destinations = Destinations(lambda: self.now)
        self.gone: list[str] = []
        self.cap: Level | None = Level.SUBJECT
        self.objections: list[str] = []
        self.office = Office(
            self.book,
            self.kept,
            self.events,
            {"hook": self.hook, "quick": self.quick},
            self.desk,
            self.destinations,
            self.most,
            lambda: self.now,
            log,
            objection=self.objection,
            removed=lambda subscription: self.gone.append(subscription.id),
        )

    async def most(self, account: Address) -> Level | None:
        return self.cap

    async def objection(self, subscription: Subscription, caller: Caller) -> str:
        return self.objections[0] if self.objections and not caller.is_admin else ""

    def subscribe(self, caller: Caller = OWNER, **fields: object) -> dict[str, Any]:
        return run_now(self.office.subscribe(caller, {**HOOK, **fields})).document

    def active(self, caller: Caller = OWNER, **fields: object) -> str:
        """The id of one that is verified."""
        document = self.subscribe(caller, **fields)
        if document["state"] == "unverified":
            document = run_now(self.office.confirm(caller, document["id"], self.hook.sent[-1]))
        assert document["state"] == "active"
        return str(document["id"])

    def state(self, id: str) -> SubscriptionState:
        standing = self.book.find(id)
        assert standing is not None
        return standing.subscription.state


@pytest.fixture
def house() -> House:
    return House()


def refused(kind: str, words: str, coroutine: Coroutine[Any, Any, T]) -> None:
    with pytest.raises(RegistryError) as refusal:
        run_now(coroutine)
    assert (refusal.value.kind, words in refusal.value.text) == (kind, True), refusal.value.text


# Verification


def test_an_administrator_may_vouch_for_a_target(house: House) -> None:
    made = run_now(house.office.subscribe(ADMIN, HOOK, verified=True))
    assert (made.document["state"], house.hook.sent) == ("active", [])
    for caller in (OWNER, PHONE):
        refused("bad-request", "only an administrator", house.office.subscribe(caller, HOOK, verified=True))
    assert len(house.book.all()) == 1


def test_some_targets_are_for_administrators_to_choose(house: House) -> None:
    kept_back = {**HOOK, "target": "https://a.example/hook/for-administrators"}
    refused("bad-request", "only an administrator chooses", house.office.subscribe(OWNER, kept_back))
    assert run_now(house.office.subscribe(ADMIN, kept_back)).document["channel"] == "hook"


def test_nothing_but_a_code_until_it_comes_back(house: House) -> None:
    document = house.subscribe()
    id, code = document["id"], house.hook.sent[0]
    assert (document["state"], len(bytes.fromhex(code))) == ("unverified", 16)
    refused("bad-request", "unverified", house.office.test(OWNER, id))
    refused("bad-request", "not verified", house.office.resume(OWNER, id))
    refused("bad-request", "unverified", house.office.pause(OWNER, id))
    assert house.desk.told == []
    assert run_now(house.office.confirm(OWNER, id, f" {code}\n"))["state"] == "active"
    assert run_now(house.office.test(OWNER, id))["ms"] == 38.0
    refused("exists", "verified already", house.office.confirm(OWNER, id, code))


def test_of_the_code_a_hash_alone_is_kept_and_nothing_of_it_is_shown(house: House) -> None:
    document = house.subscribe()
    standing = house.book.find(document["id"])
    code = house.hook.sent[0]
    assert standing is not None
    assert standing.subscription.code == sha256(code.encode()).hexdigest()
    shown = json.dumps([document, run_now(house.office.of(OWNER))]) + "".join(house.lines)
    for secret in (code, standing.subscription.code, "S3CRET", "a" * 24):
        assert secret not in shown


def test_a_target_that_gives_it_back_at_once(house: House) -> None:
    house.hook.answers = True
    assert house.subscribe()["state"] == "active"


def test_five_guesses(house: House) -> None:
    id = house.subscribe()["id"]
    for left in (4, 3, 2, 1, 0):
        refused("bad-request", f"{left} more", house.office.confirm(OWNER, id, "0" * 32))
    refused("bad-request", "new one", house.office.confirm(OWNER, id, house.hook.sent[0]))
    run_now(house.office.send_code(OWNER, id))
    refused("bad-request", "4 more", house.office.confirm(OWNER, id, house.hook.sent[0]))
    assert run_now(house.office.confirm(OWNER, id, house.hook.sent[1]))["state"] == "active"


def test_a_day_to_verify(house: House) -> None:
    id = house.subscribe()["id"]
    house.now += 86_400.0
    refused("not-found", "time", house.office.confirm(OWNER, id, house.hook.sent[0]))
    assert house.book.find(id) is None
    assert house.gone == [id]


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (TellingFailed("http 503", 503), "could not be sent: http 503"),
        (NotAllowed("10.0.0.1 is local"), "could not be sent: not-allowed: 10.0.0.1 is local"),
        (TellingRefused("http 404", 404), "refused the code: http 404"),
        (TargetGone("http 410", 410), "refused the code: http 410"),
    ],
)
def test_a_code_that_does_not_arrive(house: House, failure: Exception, words: str) -> None:
    house.hook.fails = failure
    document = house.subscribe()
    assert document["state"] == "unverified"
    assert words in document["reason"]


def test_codes_count_for_the_budget_of_their_destination(house: House) -> None:
    house.hook.fails = TellingFailed("timed out")
    for number in range(MAX_FAILURES):
        run_now(house.office.subscribe(Caller(Address(f"user{number}", "example.net")), HOOK))
    document = house.subscribe()
    assert len(house.hook.sent) == MAX_FAILURES
    assert "no code was sent" in document["reason"]
    house.now += 601.0
    house.hook.fails = None
    assert run_now(house.office.send_code(OWNER, document["id"]))["reason"] == ""
    assert len(house.hook.sent) == MAX_FAILURES + 1


def test_a_code_that_comes_back_after_another_was_sent_is_worth_nothing(house: House) -> None:
    house.hook.waits = waits = Deferred()
    house.hook.answers = True
    making = Deferred.fromCoroutine(house.office.subscribe(OWNER, HOOK))
    (standing,) = house.book.of(JOE)
    house.hook.waits, house.hook.answers = None, False
    run_now(house.office.send_code(OWNER, standing.subscription.id))
    house.hook.answers = True
    waits.callback(None)
    made = making.result
    assert made.document["state"] == "unverified"


def test_one_that_is_removed_while_its_code_is_sent(house: House) -> None:
    house.hook.waits = waits = Deferred()
    making = Deferred.fromCoroutine(house.office.subscribe(OWNER, HOOK))
    (standing,) = house.book.of(JOE)
    run_now(house.office.remove(OWNER, standing.subscription.id))
    waits.callback(None)
    making.addErrback(lambda failure: failure.trap(RegistryError))
    assert house.book.all() == ()


def test_some_channels_verify_nothing(house: House) -> None:
    assert house.subscribe(channel="quick")["state"] == "active"
    assert house.quick.sent == []


# Ownership


def test_whose_they_are(house: House) -> None:
    phone, laptop, own = (house.active(caller) for caller in (PHONE, LAPTOP, OWNER))
    seen = {
        caller: [each["id"] for each in run_now(house.office.of(caller))]
        for caller in (PHONE, LAPTOP, OWNER, STRANGER, ADMIN)
    }
    assert {caller: set(ids) for caller, ids in seen.items()} == {
        PHONE: {phone},
        LAPTOP: {laptop},
        OWNER: {phone, laptop, own},
        STRANGER: set(),
        ADMIN: {phone, laptop, own},
    }
    everything: tuple[Callable[[Caller, str], Coroutine[Any, Any, object]], ...] = (
        house.office.one,
        lambda caller, id: house.office.change(caller, id, {"name": "mine"}),
        house.office.pause,
        lambda caller, id: house.office.confirm(caller, id, house.hook.sent[0]),
        house.office.send_code,
        house.office.test,
        house.office.attempts,
        house.office.letters,
        lambda caller, id: house.office.replay(caller, id, 1),
        house.office.remove,
    )
    for act in everything:
        for caller in (LAPTOP, STRANGER):
            refused("not-found", "no subscription", act(caller, phone))
        refused("not-found", "no subscription", act(OWNER, "sub_none"))
    refused("not-found", "no subscription", house.office.one(PHONE, own))
    assert run_now(house.office.change(ADMIN, phone, {"name": "theirs"}))["name"] == "theirs"


def test_a_credential_takes_along_what_it_made(house: House) -> None:
    phone, laptop, own = (house.active(caller) for caller in (PHONE, LAPTOP, OWNER))
    assert run_now(house.office.device_gone(JOE, "phone")) == 1
    assert house.gone == [phone]
    assert {each.subscription.id for each in house.book.all()} == {laptop, own}
    assert run_now(house.office.account_gone(JOE)) == 2
    assert house.book.all() == ()
    assert set(house.gone) == {phone, laptop, own}


def test_what_an_administrator_makes_is_the_accounts_own(house: House) -> None:
    id = house.active(ADMIN)
    assert run_now(house.office.one(OWNER, id))["device"] is None
    refused("not-found", "no subscription", house.office.one(PHONE, id))


# Limits


def test_fifteen_of_one_account(house: House) -> None:
    for _ in range(15):
        house.subscribe(ADMIN)
    refused("bad-request", "15 subscriptions", house.office.subscribe(ADMIN, HOOK))
    house.subscribe(STRANGER)
    run_now(house.office.remove(OWNER, run_now(house.office.of(OWNER))[0]["id"]))
    house.subscribe(OWNER)


def test_ten_in_an_hour(house: House) -> None:
    for _ in range(10):
        run_now(house.office.remove(OWNER, house.subscribe()["id"]))
    refused("too-many", "6 min", house.office.subscribe(PHONE, HOOK))
    house.subscribe(STRANGER)
    house.now += 361.0
    id = house.subscribe()["id"]
    refused("too-many", "within an hour", house.office.send_code(OWNER, id))


def test_nobody_slips_in_while_another_is_written(house: House) -> None:
    for _ in range(14):
        house.subscribe(ADMIN)
    house.kept.gate = gate = Deferred()
    failures: list[Any] = []
    both = [Deferred.fromCoroutine(house.office.subscribe(ADMIN, HOOK)) for _ in range(2)]
    both[1].addErrback(failures.append)
    gate.callback(None)
    assert len(house.book.of(JOE)) == 15
    assert failures[0].check(RegistryError)


# Wishes


def test_what_is_refused(house: House) -> None:
    refused("bad-request", "hook, quick", house.office.subscribe(OWNER, {"channel": "pigeon"}))
    refused("bad-request", "target: ", house.office.subscribe(OWNER, {**HOOK, "target": "http://x"}))
    refused(
        "bad-request", "expires: ", house.office.subscribe(OWNER, {**HOOK, "expires": "2020-01-01T00:00:00Z"})
    )
    house.objections.append("target: nobody came from there")
    refused("bad-request", "nobody came", house.office.subscribe(OWNER, HOOK))
    house.subscribe(ADMIN)


def test_no_more_is_told_than_server_and_channel_allow(house: House) -> None:
    asked = house.subscribe(level="preview")
    assert (asked["level"], asked["told"]) == ("preview", "sender")
    house.cap = Level.KNOCK
    assert run_now(house.office.one(OWNER, asked["id"]))["told"] == "knock"
    house.cap = None
    assert run_now(house.office.one(OWNER, asked["id"]))["told"] is None
    refused("read-only", "no notices", house.office.subscribe(ADMIN, HOOK))


def test_it_begins_with_what_happens_from_now_on(house: House) -> None:
    run_now(house.events.append([Happening(JOE, Kind.MAIL_NEW, NOON)] * 3))
    standing = house.book.find(house.active())
    assert standing is not None
    assert standing.cursor.acked == 3


def test_how_long_it_lives(house: House) -> None:
    document = house.subscribe()
    assert document["expires"] == NOON + 90 * 86400.0
    house.now += 86400.0
    id = document["id"]
    sooner = run_now(house.office.change(OWNER, id, {"expires": "2023-11-17T00:00:00Z"}))
    assert sooner["expires"] == 1_700_179_200.0
    renewed = run_now(house.office.change(OWNER, id, {"expires": None}))
    assert renewed["expires"] == house.now + 90 * 86400.0
    later = run_now(house.office.change(OWNER, id, {"expires": "2099-01-01T00:00:00Z"}))
    assert later["expires"] == renewed["expires"]
    refused("bad-request", "over", house.office.change(OWNER, id, {"expires": "2020-01-01T00:00:00Z"}))
    assert house.subscribe(channel="quick")["expires"] is None


def test_what_is_over_is_removed(house: House) -> None:
    waiting, active = house.subscribe()["id"], house.active()
    forever = house.active(channel="quick")
    house.now += 86_400.0
    assert run_now(house.office.tidy()) == 1
    assert house.book.find(waiting) is None
    house.now += 89 * 86_400.0
    assert run_now(house.office.tidy()) == 1
    assert house.book.find(active) is None
    assert [each.subscription.id for each in house.book.all()] == [forever]


def test_what_is_renewed_meanwhile_stays(house: House) -> None:
    first, second = house.active(), house.active()
    house.now += 90 * 86_400.0 - 1.0
    house.kept.leaving = Deferred()
    house.now += 1.0
    tidying = Deferred.fromCoroutine(house.office.tidy())
    renewing = Deferred.fromCoroutine(house.office.change(OWNER, second, {"expires": None}))
    house.kept.leaving.callback(None)
    assert (tidying.called, renewing.called) == (True, True)
    assert house.book.find(first) is None
    assert house.book.find(second) is not None


def test_what_changes_and_what_never_does(house: House) -> None:
    id = house.active()
    changed = run_now(house.office.change(OWNER, id, {"name": "x", "level": "knock", "window": "1m"}))
    assert (changed["name"], changed["level"], changed["window"]) == ("x", "knock", "1m")
    for name in ("channel", "target", "options", "id", "account", "device"):
        refused("bad-request", f"{name} never changes", house.office.change(OWNER, id, {name: "x"}))
    refused("bad-request", "state: ", house.office.change(OWNER, id, {"state": "dead"}))


def test_pause_and_resume(house: House) -> None:
    id = house.active()
    assert run_now(house.office.pause(OWNER, id))["state"] == "paused"
    run_now(house.events.append([Happening(JOE, Kind.MAIL_NEW, NOON)] * 3))
    assert run_now(house.office.resume(OWNER, id))["state"] == "active"
    standing = house.book.find(id)
    assert standing is not None
    assert standing.cursor.acked == 3, "what came meanwhile is not told"


def test_resume_where_we_had_given_up(house: House) -> None:
    id = house.active()
    standing = house.book.find(id)
    assert standing is not None
    suspended = attrs.evolve(standing.subscription, state=SubscriptionState.SUSPENDED, reason="refused")
    run_now(house.book.change(suspended))
    house.book.keep(attrs.evolve(standing.cursor, fails=9, failing_since=NOON, due=NOON + 1e6))
    run_now(house.events.append([Happening(JOE, Kind.MAIL_NEW, NOON)]))
    document = run_now(house.office.resume(OWNER, id))
    after = house.book.find(id)
    assert after is not None
    assert (document["state"], document["reason"]) == ("active", "")
    assert (after.cursor.acked, after.cursor.fails, after.cursor.due) == (0, 0, 0.0)
    run_now(house.book.change(attrs.evolve(suspended, state=SubscriptionState.DEAD)))
    refused("bad-request", "gone", house.office.resume(OWNER, id))
    refused("bad-request", "dead", house.office.pause(OWNER, id))
    refused("bad-request", "dead", house.office.test(OWNER, id))


# Attempts and what was given up


def test_attempts_and_letters(house: House) -> None:
    one, other = house.active(PHONE), house.active(LAPTOP)
    for at, id in ((1.0, one), (3.0, one), (2.0, other)):
        standing = house.book.find(id)
        assert standing is not None
        house.book.keep(standing.cursor, Attempt(id, 4, NOON + at, 0.01, "http 503", 503))
    assert [each["at"] for each in run_now(house.office.attempts(OWNER))] == [NOON + 3, NOON + 2, NOON + 1]
    assert [each["at"] for each in run_now(house.office.attempts(PHONE))] == [NOON + 3, NOON + 1]
    assert [each["at"] for each in run_now(house.office.attempts(OWNER, other))] == [NOON + 2]
    run_now(house.kept.bury(DeadLetter(one, 3, 4, NOON, "http 503", 503)))
    assert [each["seq"] for each in run_now(house.office.letters(PHONE, one))] == [4]
    refused("not-found", "seq: ", house.office.replay(PHONE, one, 3))
    assert run_now(house.office.replay(PHONE, one, 4))["result"] == "ok"
    assert house.desk.told == [(one, 4)]


def test_what_is_not_available_is_said_as_such(house: House) -> None:
    id = house.active()
    house.kept.refuse_with = house.events.refuse_with = TemporaryFailure(INTERNAL_ERROR, "disk full")
    for act in (
        house.office.subscribe(OWNER, HOOK),
        house.office.change(OWNER, id, {"name": "x"}),
        house.office.remove(OWNER, id),
        house.office.letters(OWNER, id),
    ):
        refused("unavailable", "", act)
    assert house.state(id) is SubscriptionState.ACTIVE


def test_who_paused_it(house: House) -> None:
    id = house.active()
    assert run_now(house.office.pause(ADMIN, id))["reason"] == "paused by an administrator"
    run_now(house.office.resume(OWNER, id))
    assert run_now(house.office.pause(OWNER, id))["reason"] == "paused by its owner"
