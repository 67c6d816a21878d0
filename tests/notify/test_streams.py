"""Streams: told at once, once each, from where they stood; bounded for those who do not read."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailsuite.accounts.refusal import RegistryError
from mailsuite.bus.local import LocalBus
from mailsuite.concurrent.now import run_now
from mailsuite.model.address import Address
from mailsuite.model.events import LogGrown
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.notice import Happening, Kind, Level, MessageFacts
from mailsuite.model.reply import INTERNAL_ERROR
from mailsuite.model.subscription import SubscriptionState
from mailsuite.notices.memory import MemoryEventLog, MemorySubscriptions
from mailsuite.notify.book import Book
from mailsuite.notify.rendering import NoticeKeys
from mailsuite.notify.stream import MAX_PER_SECOND, MERGE_SECONDS, Stream
from mailsuite.notify.streams import LIFETIME, LOOK_EVERY, Streams, Wish
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from mailsuite.wire.sse import Event, EventReader

NOON = 1_700_000_000.0
JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")


@attrs.define(eq=False)
class Client:
    """The other end of a stream."""

    is_choked: bool = False
    taken: int = 0
    octets: bytes = b""
    cuts: list[str] = attrs.field(factory=list)
    reads: bool = True
    """Its machine takes what is sent."""
    waiting: Deferred[bool] | None = None
    may: bool = True

    async def holds(self) -> bool:
        return self.may

    def send(self, data: bytes) -> None:
        assert not self.is_choked, "nothing is sent to who does not read"
        self.octets += data
        if self.reads:
            self.taken += len(data)

    async def drained(self) -> bool:
        if not self.is_choked:
            return True
        self.waiting = Deferred()
        return await self.waiting

    def resume(self) -> None:
        self.is_choked = False
        if self.waiting is not None:
            self.waiting.callback(True)

    def cut(self, reason: str) -> None:
        self.cuts.append(reason)

    @property
    def events(self) -> list[Event]:
        return EventReader().feed(self.octets)

    @property
    def told(self) -> list[tuple[str, str, int]]:
        """Type, id and count of all but pings."""
        return [
            (event.type, event.id or "", json.loads(event.data).get("count", 0))
            for event in self.events
            if event.type != "ping"
        ]

    def forget(self) -> None:
        self.octets = b""


class House:
    def __init__(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.log = Log(lambda line, level: self.lines.append(line))
        self.kept, self.events = MemorySubscriptions(), MemoryEventLog()
        self.bus = LocalBus(self.clock, self.log)
        self.most: Level | None = Level.SUBJECT
        self.metrics = Metrics()
        self.restart()

    def restart(self) -> None:
        self.book = Book(self.kept, self.clock, self.log)
        run_now(self.book.load())
        self.streams = Streams(
            self.book,
            self.events,
            self.bus,
            NoticeKeys(b"k" * 32),
            self.clock,
            self.now,
            self.cap,
            lambda: frozenset({"junk", "bulk", "own", "auto"}),
            self.log,
            self.metrics.notices,
        )
        self.streams.start()

    def now(self) -> float:
        return NOON + self.clock.seconds()

    async def cap(self, account: Address) -> Level | None:
        return self.most

    def open(
        self, account: Address = JOE, device: str = "phone", most: int = 20, **wish: Any
    ) -> tuple[Stream, Client]:
        client = Client()
        return run_now(self.streams.open(account, device, Wish(**wish), client, most)), client

    def mail(self, count: int = 1, account: Address = JOE, **facts: Any) -> None:
        for _ in range(count):
            self.happen(Kind.MAIL_NEW, account, facts=MessageFacts(**facts))

    def happen(self, kind: Kind, account: Address = JOE, **more: Any) -> None:
        (entry,) = run_now(self.events.append([Happening(account, kind, self.now(), **more)]))
        self.bus.publish(LogGrown(account, entry.seq))
        self.clock.advance(0)

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds * 4)):
            self.clock.advance(0.25)


@pytest.fixture
def house() -> House:
    return House()


def test_told_at_once(house: House) -> None:
    stream, client = house.open()
    assert 5000 <= retry_of(client.octets) <= 30_000
    house.mail(sender="ann@example.org", subject="Lunch?")
    (event,) = client.events
    document = json.loads(event.data)
    assert (event.type, event.id) == ("mail", "1")
    assert (document["type"], document["subject"], document["count"]) == ("mail.new", "Lunch?", 1)
    assert "joe" not in event.data
    house.mail()
    assert client.told == [("mail", "1", 1), ("mail", "2", 1)]
    house.streams.close(stream)
    house.mail()
    assert len(client.told) == 2
    assert house.streams.count == 0


def test_who_was_told_nothing_knows_where_to_go_on(house: House) -> None:
    house.open()
    house.mail(2)
    for after, begins in (("", "2"), ("1", "1"), ("7", "2")):
        _, client = house.open(after=after)
        reader = EventReader()
        reader.feed(client.octets.partition(b"\n\n")[0] + b"\n\n")
        assert reader.last_id == begins


def retry_of(octets: bytes) -> int:
    reader = EventReader()
    reader.feed(octets)
    assert reader.retry is not None
    return reader.retry


def test_what_is_told_is_counted(house: House) -> None:
    house.open()
    house.open(ANN)
    house.mail(2)
    text = house.metrics.text().decode()
    assert 'mailsuite_notify_total{channel="stream",result="ok"} 2.0' in text
    assert 'mailsuite_notify_seconds_count{channel="stream"} 2.0' in text


def test_of_each_kind_by_its_name(house: House) -> None:
    _, client = house.open()
    for kind in Kind:
        house.happen(kind)
    names = [name for name, _, _ in client.told]
    assert names == ["mail", "cleared", "quota", "login", "queue", "queue", "test"]


def test_of_what_is_wanted_alone(house: House) -> None:
    _, some = house.open(kinds=frozenset({Kind.MAIL_NEW}))
    _, bulky = house.open(wanted=frozenset({"bulk"}))
    house.happen(Kind.LOGIN_NEW)
    house.mail(bulk=True)
    house.mail(junk=True)
    house.mail(account=ANN)
    assert some.told == []
    assert bulky.told == [("login", "1", 1), ("mail", "2", 1)]
    house.mail()
    assert some.told == [("mail", "4", 1)]


def test_no_more_than_the_server_allows(house: House) -> None:
    house.most = Level.COUNT
    _, client = house.open(level=Level.PREVIEW)
    _, quiet = house.open(level=Level.KNOCK)
    house.mail(sender="ann@example.org", subject="Lunch?", label="shop")
    assert "Lunch" not in client.octets.decode()
    assert json.loads(client.events[0].data)["label"] == "shop"
    assert "label" not in json.loads(quiet.events[0].data)
    house.most = None
    with pytest.raises(RegistryError, match="no notices"):
        house.open()


# Coming again


def test_from_where_it_stood_over_a_restart(house: House) -> None:
    stream, _ = house.open()
    house.mail(2)
    house.streams.close(stream)
    run_now(house.streams.stop())
    run_now(house.book.stop())
    house.mail(2)
    house.restart()
    _, again = house.open(after="2")
    assert again.told == [("mail", "3", 1), ("mail", "4", 1)]
    _, anew = house.open()
    assert anew.told == []
    house.mail()
    assert again.told[-1] == anew.told[-1] == ("mail", "5", 1)


@pytest.mark.parametrize("after", ["7", "x", "-1", "1" * 20, "\u0661"])
def test_from_nowhere_in_this_log(house: House, after: str) -> None:
    house.mail(2)
    _, client = house.open(after=after)
    assert client.told == [("resync", "2", 0)]
    house.mail()
    assert client.told[-1] == ("mail", "3", 1)


def test_what_has_gone_by_age_is_said(house: House) -> None:
    house.mail(5)
    run_now(house.events.trim(0.0, 2))
    _, client = house.open(after="1")
    assert client.told == [("resync", "1", 0), ("mail", "4", 1), ("mail", "5", 1)]


def test_it_is_followed_for_a_week_after_it_has_gone(house: House) -> None:
    assert not house.book.follows(JOE)
    stream, _ = house.open()
    (standing,) = house.book.of(JOE)
    assert house.book.follows(JOE)
    assert (standing.subscription.channel, standing.subscription.device) == ("stream", "phone")
    assert standing.subscription.expires == NOON + LIFETIME
    house.mail(2)
    run_now(house.streams.stop())
    house.advance(2 * 3600.0)
    house.streams.close(stream)
    (standing,) = house.book.of(JOE)
    assert standing.subscription.expires == house.now() + LIFETIME
    assert (standing.cursor.acked, standing.cursor.sent, standing.cursor.last_ok) == (2, 2, house.now())
    house.open()
    house.open(device="laptop")
    assert [each.subscription.device for each in house.book.of(JOE)] == ["phone", "laptop"]


def test_who_stays_is_followed_for_as_long(house: House) -> None:
    house.open()
    for _ in range(30):
        house.clock.advance(3600.0)
    (standing,) = house.book.of(JOE)
    assert standing.subscription.expires is not None
    assert standing.subscription.expires > house.now() + LIFETIME - 2 * 3600.0


def test_one_that_was_paused_begins_again(house: House) -> None:
    house.streams.close(house.open()[0])
    (standing,) = house.book.of(JOE)
    run_now(house.book.change(attrs.evolve(standing.subscription, state=SubscriptionState.PAUSED)))
    house.open()
    assert house.book.of(JOE)[0].subscription.state is SubscriptionState.ACTIVE


# Limits


def test_so_many_in_a_second_then_together(house: House) -> None:
    _, client = house.open()
    house.mail(100)
    house.happen(Kind.LOGIN_NEW)
    assert len(client.told) == MAX_PER_SECOND
    house.clock.advance(MERGE_SECONDS)
    assert client.told[MAX_PER_SECOND:] == [("mail", str(MAX_PER_SECOND), 80), ("login", "101", 1)]
    house.advance(2.0)
    house.mail()
    assert client.told[-1] == ("mail", "102", 1)


def test_the_last_is_never_lost(house: House) -> None:
    _, client = house.open()
    for _ in range(50):
        house.mail(7)
        house.clock.advance(0.05)
    house.advance(1.0)
    assert client.told[-1][1] == "350"
    assert sum(count for _, _, count in client.told) == 350
    assert len(client.told) <= 5 * MAX_PER_SECOND


def test_one_that_does_not_read_is_kept_a_place_alone(house: House) -> None:
    _, client = house.open()
    client.is_choked = True
    sent = client.octets
    house.mail(500)
    house.happen(Kind.LOGIN_NEW)
    house.advance(60.0)
    assert client.octets == sent
    client.resume()
    assert client.told == [("mail", "0", 500), ("login", "501", 1)]
    house.mail()
    assert client.told[-1] == ("mail", "502", 1)


def test_so_many_of_one_account(house: House) -> None:
    streams = [house.open(most=3, device=f"d{n}")[0] for n in range(3)]
    with pytest.raises(RegistryError) as refusal:
        house.open(most=3)
    assert refusal.value.kind == "too-many"
    house.open(ANN, most=3)
    house.streams.close(streams[0])
    house.streams.close(streams[0])
    house.open(most=3)


def test_with_the_first_event_it_ends_where_that_is_wanted(house: House) -> None:
    stream, client = house.open(once=True)
    house.mail(bulk=True)
    assert not stream.over.called
    house.mail(2)
    assert stream.over.called
    assert client.told == [("mail", "2", 1)]


def test_what_waits_is_told_and_ends_it_too(house: House) -> None:
    house.mail(3)
    stream, client = house.open(once=True, after="0")
    assert client.told == [("mail", "1", 1), ("mail", "2", 1), ("mail", "3", 1)]
    assert stream.over.called


# Signs of life


@pytest.mark.parametrize(
    ("wanted", "interval"), [(1.0, 10.0), (30.0, 30.0), (90.0, 90.0), (300.0, 300.0), (9e9, 300.0)]
)
def test_pings(house: House, wanted: float, interval: float) -> None:
    _, client = house.open(ping=wanted)
    client.forget()
    house.advance(1200.0)
    pings = [event for event in client.events if event.type == "ping"]
    assert len(pings) == 1200 // interval
    assert json.loads(pings[0].data) == {"interval": interval}
    assert pings[0].id == ""
    assert client.octets.count(b"\n\n") >= 1200 / 30


def test_comments_where_no_ping_is_wanted(house: House) -> None:
    _, client = house.open()
    client.forget()
    house.advance(100.0)
    assert client.octets == b": \n\n" * 4


def test_a_client_that_is_gone_is_found_within_a_minute(house: House) -> None:
    stream, client = house.open(ping=30.0)
    house.advance(300.0)
    assert client.cuts == []
    client.reads = False
    house.advance(60.0)
    assert client.cuts == ["the client's machine is gone"]
    sent = client.octets
    house.streams.close(stream)
    house.mail()
    house.advance(100.0)
    assert client.octets == sent


def test_where_nobody_knows_what_it_has_taken(house: House) -> None:
    _, client = house.open(ping=30.0)
    client.reads, client.taken = False, 0
    house.advance(300.0)
    assert client.cuts == []


# Ends


def test_the_service_stops(house: House) -> None:
    stream, client = house.open()
    client.forget()
    house.streams.dismiss(stream)
    assert stream.over.called
    assert 5000 <= retry_of(client.octets) <= 30_000
    house.streams.dismiss(stream)


def test_a_subscription_that_goes_takes_its_streams_along(house: House) -> None:
    phone, laptop = house.open()[0], house.open(device="laptop")[0]
    run_now(house.book.remove_of(JOE, "phone"))
    assert (phone.over.called, laptop.over.called) == (True, False)
    house.streams.close(phone)


def test_one_whose_login_does_not_hold_any_more_is_cut_within_five_minutes(house: House) -> None:
    stream, client = house.open()
    house.advance(600.0)
    client.may = False
    house.advance(300.0)
    assert client.cuts == ["what let it in does not hold any more"]
    house.streams.close(stream)


def test_what_the_server_allows_later_holds_for_who_stays(house: House) -> None:
    stream, client = house.open()
    house.most = Level.KNOCK
    house.advance(LOOK_EVERY)
    facts = MessageFacts(sender="eve@example.org", subject="a secret")
    run_now(house.events.append([Happening(JOE, Kind.MAIL_NEW, NOON, "u", 1, facts)]))
    house.bus.publish(LogGrown(JOE, 1))
    house.clock.advance(0)
    assert client.told == [("mail", "1", 0)]  # a knock has no count
    assert b"secret" not in client.octets
    assert b"eve@example.org" not in client.octets
    house.most = None
    house.advance(LOOK_EVERY)
    assert stream.over.called
    house.streams.close(stream)


def test_a_directory_that_does_not_answer_ends_no_stream(house: House) -> None:
    stream, client = house.open()

    async def unable(account: Address) -> Level | None:
        raise TemporaryFailure(INTERNAL_ERROR, "locked")

    house.streams.cap = unable
    house.advance(LOOK_EVERY)
    assert not stream.over.called
    assert not client.cuts
    assert any("notify.stream_delayed" in line for line in house.lines)


def test_a_hint_that_was_lost(house: House) -> None:
    _, client = house.open()
    run_now(house.events.append([Happening(JOE, Kind.MAIL_NEW, NOON)]))
    house.clock.advance(LOOK_EVERY)
    assert client.told == [("mail", "1", 1)]


def test_a_log_that_does_not_answer(house: House) -> None:
    _, client = house.open()
    failure = TemporaryFailure(INTERNAL_ERROR, "disk full")
    run_now(house.events.append([Happening(JOE, Kind.MAIL_NEW, NOON)]))
    house.events.refuse_with = failure
    house.bus.publish(LogGrown(JOE, 1))
    house.clock.advance(LOOK_EVERY)
    with pytest.raises(RegistryError) as refusal:
        house.open()
    assert refusal.value.kind == "unavailable"
    house.events.refuse_with = None
    house.clock.advance(1.0)
    assert client.told == [("mail", "1", 1)]
    assert any("notify.stream_delayed" in line for line in house.lines)
