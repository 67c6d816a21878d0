"""What the composition joins so that users are told: with time in our hands, and no socket."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet.task import Clock

from mailsuite.bus.local import LocalBus
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.config.notify import Notify
from mailsuite.config.schema import Config
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.directory.sightings import MemorySightings
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.login import LoginRecord
from mailsuite.model.rate import Rate
from mailsuite.model.subscription import Cursor, Subscription, SubscriptionState, preference_id
from mailsuite.notices.sqlite.notify_db import NotifyDb
from mailsuite.notify.knocks import Claim, Knocked
from mailsuite.notify.news import News
from mailsuite.notify.targets import Target
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from mailsuite.resolver.memory import MemoryResolver
from mailsuite.store.memory import MemoryStore
from mailsuite.telling import Telling, telling
from tests.config.conftest import LoadText, load_text
from tests.notify.dying import VAULT

__all__ = ["load_text"]

JOE = Address("joe", "example.net")
PHONE = Subscription(
    id="sub_1",
    account=JOE,
    device="",
    channel="webhook",
    target="https://h.example/",
    target_key="h.example:443",
    name="Phone",
)
SCHEDULE = "[notify.webhook]\nschedule = ['1s', '2s']\n"


@attrs.frozen
class World:
    parts: Telling
    store: MemoryStore
    bus: LocalBus
    lines: list[str]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    made: list[World] = []

    def join(config: Config) -> World:
        clock, lines, store = Clock(), list[str](), MemoryStore()
        log = Log(lambda line, level: lines.append(line))
        bus = LocalBus(clock, log)
        directory = LayeredDirectory(MemoryDirectory([Account(JOE, language="de")]), MemoryDirectory())
        parts = telling(
            config,
            clock,
            notices=NotifyDb.at(tmp_path / "notify.db", Inline(), VAULT, log),
            derived=lambda purpose: hashlib.sha256(purpose.encode()).digest(),
            directory=directory,
            sightings=MemorySightings(),
            in_session=lambda account, device: False,
            bus=bus,
            resolver=MemoryResolver(),
            store=store,
            threads=Inline(),
            told=lambda account: None,
            metrics=Metrics(),
            log=log,
        )
        run_now(parts.load())
        parts.start()
        made.append(World(parts, store, bus, lines))
        return made[-1]

    yield join
    for world in made:
        run_now(world.parts.stop())
        run_now(world.parts.notices.close())


def waits(world: World) -> tuple[float, ...]:
    retries: tuple[float, ...] = world.parts.channels["webhook"].terms.retries
    return retries


def test_webhooks_are_tried_again_when_the_configuration_says(make: Any, load_text: LoadText) -> None:
    config = load_text(SCHEDULE).accepted()
    world = make(config)
    assert waits(world) == (1.0, 2.0)
    standard = load_text("").accepted()
    world.parts.use(standard)
    assert waits(world) == standard.notify.webhook.schedule
    assert len(waits(world)) == 9


def test_so_much_goes_to_one_host(make: Any, load_text: LoadText) -> None:
    world = make(load_text("[notify.webhook]\nper_host = 7\nper_second = 50\n").accepted())
    destinations = world.parts.destinations
    assert (destinations.per_host, destinations.rate, destinations.burst) == (7, Rate(50, 1.0), 250)
    world.parts.use(load_text("").accepted())
    assert (destinations.per_host, destinations.rate, destinations.burst) == (4, Rate(20, 1.0), 100)
    assert world.parts.client.places.per_host == 4


def test_a_channel_that_does_not_stop_costs_no_cursor(
    make: Any, load_text: LoadText, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(channel: Any) -> None:
        raise ZeroDivisionError

    world = make(load_text("").accepted())
    parts = world.parts
    run_now(parts.book.add(PHONE, 0))
    parts.book.keep(Cursor("sub_1", acked=7))
    monkeypatch.setattr(type(parts.channels["webhook"]), "stop", fail)
    run_now(parts.stop())
    [standing] = run_now(parts.notices.subscriptions.all())
    assert standing.cursor.acked == 7
    assert [line for line in world.lines if " notify.failed " in line and "channel=webhook" in line]


@pytest.mark.parametrize("name", ["webhook", "webpush", "ntfy", "gotify", "pushover"])
def test_a_channel_can_be_switched_off(make: Any, load_text: LoadText, name: str) -> None:
    world = make(load_text("").accepted())
    assert name in world.parts.office.channels
    world.parts.use(load_text(f"[notify.{name}]\nenabled = false\n").accepted())
    assert name not in world.parts.office.channels
    assert name not in world.parts.dispatcher.turns.channels
    world.parts.use(load_text("[notify]\nenabled = false\n").accepted())
    assert world.parts.office.channels == {}
    assert attrs.fields_dict(Notify)["enabled"].default is True


def test_the_owner_hears_of_a_subscription_that_is_left_alone(make: Any, load_text: LoadText) -> None:
    world = make(load_text("[server]\nname = 'mail.example.net'\n").accepted())
    run_now(world.parts.book.add(PHONE, 0))
    kept = world.parts.book.find("sub_1").subscription
    run_now(world.parts.dispatcher.turns.after.suspend(kept, "http 503"))
    assert world.parts.book.find("sub_1").subscription.state is SubscriptionState.SUSPENDED
    (letter,) = world.store.contents(JOE)
    assert b"Content-Language: de\r\n" in letter
    assert b"<postmaster@mail.example.net>" in letter
    head = run_now(world.parts.notices.event_log.heads([JOE]))[JOE]
    assert head == 1  # other subscriptions may be told of it, if they want what programs write


@pytest.mark.parametrize(("service", "useful"), [("pop3", 1), ("submission", 0)])
def test_a_knock_was_useful_when_somebody_came_for_mail(
    make: Any, load_text: LoadText, service: str, useful: int
) -> None:
    parts = make(load_text("").accepted()).parts
    notifier, home = parts.knocking.notifier, ip_address("9.9.9.9")
    notifier.knocked({Claim(preference_id(JOE), JOE): News(1)}, Knocked(Target(home, 79), "sent", 0.1))
    parts.logged_in(LoginRecord(JOE, "", service, "PLAIN", home, 1.0))
    assert notifier.counters.useful == useful


def test_where_a_device_was_is_forgotten_with_it(make: Any, load_text: LoadText) -> None:
    """Else a stolen one would hear of mail."""
    world = make(load_text("").accepted())
    sightings = world.parts.knocking.notifier.sightings
    for device in ("desk", "stolen"):
        run_now(sightings.record(JOE, ip_address("192.0.2.1"), 1.0, device))
    run_now(world.parts.erase(JOE, "stolen"))
    assert [each.device for each in run_now(sightings.recent(JOE, 0.0))] == ["desk"]
