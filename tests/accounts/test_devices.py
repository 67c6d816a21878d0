"""Device passwords: made and told once, listed without them, removed with all that they opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred

from mailsuite.accounts.devices import MAX_DEVICES, MAX_NETWORKS, DeviceRegistry
from mailsuite.accounts.generate import generate_device_password
from mailsuite.accounts.refusal import RegistryError
from mailsuite.accounts.vault import Vault
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.device import Device, Scope
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.origin import Origin
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from tests.accounts.offices import FILED, JOE, NOW, World, login, now, refusal
from tests.concurrent.held import HeldThreads

AWAY = TemporaryFailure(DIRECTORY_UNAVAILABLE, "the disk says EIO")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.add_joe()
    return world


@pytest.fixture
def devices(world: World) -> DeviceRegistry:
    return world.office.devices


def stored(world: World) -> Device:
    [device] = now(world.directory.devices(JOE))
    return device


def test_a_device_has_a_password_of_its_own(world: World, devices: DeviceRegistry) -> None:
    document, password = world.add_device("Eudora on the old Mac", mechanisms=["apop"])
    device = stored(world)
    assert document == {
        "account": "joe@example.test",
        "name": "Eudora on the old Mac",
        "id": device.id,
        "origin": "database",
        "scopes": ["pop3", "submission"],
        "mechanisms": ["apop"],
        "networks": [],
        "sender": None,
        "recipients": [],
        "created": NOW,
        "expires": None,
        "view": "shared",
        "last_use": None,
    }
    assert now(devices.devices("JOE@example.test")) == [document]
    assert json.loads(json.dumps(document)) == document
    secrets = world.vault.open_device(JOE, device)
    assert secrets.matches(password)
    assert secrets.password == password
    assert password not in repr(device) + str(document)


def test_a_device_may_have_a_view_of_its_own(world: World) -> None:
    document, _ = world.add_device("laptop", view=True)
    assert (document["view"], stored(world).view) == ("own", True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"view": "own"}, "device.view: "), ({"view": True, "scopes": ["submission"]}, "a view is of POP3")],
)
def test_a_view_is_of_pop3_alone(devices: DeviceRegistry, fields: dict[str, object], words: str) -> None:
    kind, text = refusal(devices.add_device(str(JOE), {"name": "x", **fields}))
    assert (kind, words in text) == ("bad-request", True)


def test_only_a_device_that_needs_it_is_recoverable(world: World) -> None:
    _, password = world.add_device()
    secrets = world.vault.open_device(JOE, stored(world))
    assert secrets.password is None
    assert secrets.matches(password)


def test_passwords_are_made_here_and_never_chosen(world: World) -> None:
    _, first = world.add_device("a")
    _, second = world.add_device("b")
    assert first != second
    assert first.count("-") == generate_device_password().count("-")
    kind, text = refusal(world.office.devices.add_device(str(JOE), {"name": "c", "password": "chosen by me"}))
    assert (kind, "'password'" in text, "chosen" in text) == ("bad-request", True, False)


def test_what_a_device_may_do_can_be_less(world: World) -> None:
    document, _ = world.add_device(
        scopes=["submission"], networks=["192.0.2.0/24", "2001:db8::/32"], expires="2027-01-31"
    )
    assert document["scopes"] == ["submission"]
    assert document["networks"] == ["192.0.2.0/24", "2001:db8::/32"]
    assert document["expires"] == 1_801_353_600.0
    device = stored(world)
    assert device.scopes == frozenset({Scope.SUBMISSION})
    assert device.expires == 1_801_353_600.0


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "device.name is missing"),
        ({"name": ""}, "device.name: "),
        ({"name": " x"}, "device.name: "),
        ({"name": "x\x1b[2J"}, "device.name: "),
        ({"name": "x" * 65}, "device.name: "),
        ({"name": 3}, "device.name: "),
        ({"name": "x", "scopes": []}, "device.scopes: "),
        ({"name": "x", "scopes": ["imap"]}, "device.scopes: "),
        ({"name": "x", "scopes": "pop3"}, "device.scopes: "),
        ({"name": "x", "mechanisms": ["plain"]}, "device.mechanisms: "),
        ({"name": "x", "mechanisms": ["apop"], "scopes": ["submission"]}, "apop is for POP3"),
        ({"name": "x", "networks": ["192.0.2.1/24"]}, "device.networks: "),
        ({"name": "x", "networks": ["here"]}, "device.networks: "),
        ({"name": "x", "expires": "tomorrow"}, "device.expires: "),
        ({"name": "x", "expires": 5}, "device.expires: "),
        ({"name": "x", "expires": "2026-11-18"}, "that day has begun"),
        ({"name": "x", "colour": "red"}, "device has no field 'colour'"),
    ],
)
def test_a_bad_wish_is_refused(devices: DeviceRegistry, fields: dict[str, Any], reason: str) -> None:
    kind, text = refusal(devices.add_device(str(JOE), fields))
    assert (kind, reason in text) == ("bad-request", True)
    assert now(devices.devices(str(JOE))) == []


def test_a_name_is_taken_whatever_the_case(world: World, devices: DeviceRegistry) -> None:
    world.add_device("Thunderbird")
    words = "joe@example.test, THUNDERBIRD: there is one of that name already"
    assert refusal(devices.add_device(str(JOE), {"name": "THUNDERBIRD"})) == ("exists", words)
    now(devices.add_device(str(FILED), {"name": "Thunderbird"}))


def test_an_account_has_a_bounded_number_of_them(world: World, devices: DeviceRegistry) -> None:
    for number in range(MAX_DEVICES):
        now(world.directory.add_device(JOE, Device(str(number), f"device {number}", b"sealed")))
    kind, text = refusal(devices.add_device(str(JOE), {"name": "one more"}))
    assert (kind, f"{MAX_DEVICES} devices already" in text) == ("bad-request", True)


def test_not_one_more_because_they_come_at_once(world: World, devices: DeviceRegistry) -> None:
    for number in range(MAX_DEVICES - 1):
        now(world.directory.add_device(JOE, Device(str(number), f"device {number}", b"sealed")))
    threads = HeldThreads()
    busy = attrs.evolve(devices, vault=Vault(world.vault.keyring, threads))
    going = [
        Deferred.fromCoroutine(busy.add_device(str(JOE), {"name": name})) for name in ("one", "two", "three")
    ]
    results: list[object] = []
    for each in going:
        each.addErrback(lambda failure: failure.trap(RegistryError)).addCallback(results.append)
    while threads.held:
        threads.release()
    assert len(now(world.directory.devices(JOE))) == MAX_DEVICES
    assert results[1:] == [RegistryError, RegistryError]


@pytest.mark.parametrize("dropped", [False, True])
def test_a_rotation_while_one_waits_for_its_turn_loses_nothing(
    world: World, devices: DeviceRegistry, dropped: bool
) -> None:
    """The rotation has looked at all devices when this one is stored."""
    assert devices.turn.acquire().called
    going = Deferred.fromCoroutine(devices.add_device(str(JOE), {"name": "Eudora", "mechanisms": ["apop"]}))
    path = world.folder / "keys" / "seal.key"
    ring = world.vault.keyring.with_new_key(path)
    world.vault.use(ring.drop_old_keys(path) if dropped else ring)
    assert now(world.directory.devices(JOE)) == ()
    devices.turn.release()
    made: list[tuple[object, str]] = []
    going.addCallback(made.append)
    device = stored(world)
    assert world.vault.keyring.is_current(device.sealed)
    assert world.vault.open_device(JOE, device).password == made[0][1]


def test_what_a_printer_may_send(world: World, devices: DeviceRegistry) -> None:
    fields = {
        "scopes": ["submission"],
        "sender": "Scan@Example.net",
        "recipients": ["*@example.com", "Ann@example.net"],
    }
    document, _ = world.add_device("printer", **fields)
    assert (document["sender"], document["recipients"]) == (
        "scan@example.net",
        ["*@example.com", "ann@example.net"],
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sender": "nobody"}, "device.sender: "),
        ({"recipients": ["x y"]}, "device.recipients: "),
        ({"sender": str(JOE), "scopes": ["pop3"]}, "device.sender: this is about submission"),
        ({"recipients": [str(JOE)], "scopes": ["pop3"]}, "device.recipients: this is about submission"),
        ({"recipients": [f"a{number}@example.net" for number in range(101)]}, "more than 100"),
    ],
)
def test_what_a_printer_cannot_be_told(
    devices: DeviceRegistry, fields: dict[str, object], words: str
) -> None:
    _, text = refusal(devices.add_device(str(JOE), {"name": "printer", **fields}))
    assert words in text


def test_networks_are_bounded(world: World, devices: DeviceRegistry) -> None:
    networks = [f"192.0.2.{number}" for number in range(MAX_NETWORKS + 1)]
    kind, text = refusal(devices.add_device(str(JOE), {"name": "wide", "networks": networks}))
    assert (kind, f"more than {MAX_NETWORKS}" in text) == ("bad-request", True)
    world.add_device("wide", networks=networks[:-1])


@pytest.mark.parametrize("scopes", [["console"], ["notify", "console"]])
def test_no_password_is_kept_readable_for_nothing(
    world: World, devices: DeviceRegistry, scopes: list[str]
) -> None:
    fields = {"name": "x", "mechanisms": ["cram-md5", "ntlm"], "scopes": scopes}
    kind, text = refusal(devices.add_device(str(JOE), fields))
    words = (
        "device.mechanisms: cram-md5 and ntlm: for POP3 and submission only, and the scopes leave both out"
    )
    assert (kind, text) == ("bad-request", words)
    world.add_device("y", scopes=scopes)
    world.add_device("z", mechanisms=["ntlm"], scopes=[*scopes, "submission"])


def test_a_removed_device_is_gone_with_its_sessions_and_its_logins(
    world: World, devices: DeviceRegistry
) -> None:
    document, _ = world.add_device("Thunderbird")
    now(world.logins.record(login(device=document["id"])))
    now(world.logins.record(login()))
    assert now(devices.remove_device("joe@EXAMPLE.test", " thunderBIRD"))["id"] == document["id"]
    assert world.ended == [(JOE, document["id"], "the device was removed")]
    assert [one.device for one in now(world.logins.since(0.0))] == [""]
    words = "joe@example.test, Thunderbird: there is no device of that name"
    assert refusal(devices.remove_device(str(JOE), "Thunderbird")) == ("not-found", words)
    assert refusal(devices.device(str(JOE), "Thunderbird")) == ("not-found", words)
    assert len(world.ended) == 1


def test_a_removal_is_harmed_by_nothing(world: World, devices: DeviceRegistry) -> None:
    document, _ = world.add_device("Thunderbird")
    world.logins.refuse_with = AWAY
    now(devices.remove_device(str(JOE), "Thunderbird"))
    assert world.ended == [(JOE, document["id"], "the device was removed")]
    assert now(world.directory.devices(JOE)) == ()
    assert world.erased[-1] == (JOE, document["id"])


def test_a_removal_takes_along_what_the_device_has_subscribed_to(
    world: World, devices: DeviceRegistry
) -> None:
    document, _ = world.add_device("Thunderbird")
    now(world.logins.record(login(device=document["id"])))
    world.unerasable = AWAY
    now(devices.remove_device(str(JOE), "Thunderbird"))
    assert now(world.directory.devices(JOE)) == ()
    assert now(world.logins.since(0.0)) == ()


def test_who_gets_the_address_next_has_no_devices(world: World, devices: DeviceRegistry) -> None:
    world.add_device()
    now(world.office.registry.remove_account(str(JOE)))
    assert refusal(devices.devices(str(JOE)))[0] == "not-found"
    world.add_joe()
    assert now(devices.devices(str(JOE))) == []


def test_what_is_kept_of_an_account_that_left_the_file_can_be_seen_and_removed(
    world: World, devices: DeviceRegistry
) -> None:
    """Else whoever gets its address later would share it with an old device."""
    now(devices.add_device(str(FILED), {"name": "Phone"}))
    world.directory.replace_file(MemoryDirectory(origin=Origin.FILE))
    assert [device["name"] for device in now(devices.devices(str(FILED)))] == ["Phone"]
    assert refusal(devices.add_device(str(FILED), {"name": "Laptop"}))[0] == "not-found"
    now(devices.remove_device(str(FILED), "phone"))
    assert refusal(devices.devices(str(FILED)))[0] == "not-found"


def test_the_last_use_says_when_from_where_and_how(world: World, devices: DeviceRegistry) -> None:
    document, _ = world.add_device("Eudora", mechanisms=["apop"])
    now(world.logins.record(login(device=document["id"], mechanism="USER", at=NOW - 500)))
    now(world.logins.record(login(device=document["id"], mechanism="APOP", peer="2001:db8::7", at=NOW - 5)))
    now(world.logins.record(login(device="", at=NOW - 1)))
    use = {"at": NOW - 5, "peer": "2001:db8::7", "service": "pop3", "mechanism": "APOP"}
    assert now(devices.devices(str(JOE)))[0]["last_use"] == use
    assert now(devices.all_devices())[0]["last_use"] == use
    assert now(devices.device(str(JOE), "eudora"))["last_use"] == use
    last = {"at": NOW - 1, "peer": "192.0.2.9", "service": "pop3", "mechanism": "USER", "device": None}
    assert now(devices.summary(str(JOE))) == {"devices": 1, "last_login": last}
    now(world.logins.record(login(device=document["id"], at=NOW)))
    assert now(devices.summary(str(JOE)))["last_login"]["device"] == "Eudora"


def test_an_account_that_nobody_used(devices: DeviceRegistry) -> None:
    assert now(devices.summary(str(FILED))) == {"devices": 0, "last_login": None}


def test_all_devices_are_in_order(world: World, devices: DeviceRegistry) -> None:
    world.add_device("b")
    world.add_device("A")
    now(devices.add_device(str(FILED), {"name": "c"}))
    listed = [(one["account"], one["name"]) for one in now(devices.all_devices())]
    assert listed == [("joe@example.test", "A"), ("joe@example.test", "b"), ("filed@file.test", "c")]


def test_what_is_missing_is_not_found(devices: DeviceRegistry) -> None:
    words = ("not-found", "nobody@example.test: there is no account of that name")
    assert refusal(devices.devices("nobody@example.test")) == words
    assert refusal(devices.summary("nobody@example.test")) == words
    assert refusal(devices.add_device("nobody@example.test", {"name": "x"})) == words
    assert refusal(devices.remove_device("nobody@example.test", "x")) == words
    assert refusal(devices.devices("nobody"))[0] == "bad-request"


def test_a_store_that_is_away_is_unavailable(world: World, devices: DeviceRegistry) -> None:
    world.database.refuse_with = AWAY
    for attempt in (
        devices.devices(str(JOE)),
        devices.all_devices(),
        devices.add_device(str(JOE), {"name": "x"}),
        devices.remove_device(str(JOE), "x"),
    ):
        kind, text = refusal(attempt)
        assert kind == "unavailable"
        assert "EIO" not in text


def test_a_vault_that_is_overloaded_makes_no_device(world: World, devices: DeviceRegistry) -> None:
    class Busy:
        async def seal_device(self, *arguments: object) -> bytes:
            raise AWAY

    busy: Any = Busy()
    assert refusal(attrs.evolve(devices, vault=busy).add_device(str(JOE), {"name": "x"}))[0] == "unavailable"
    assert now(world.directory.devices(JOE)) == ()
