"""Whose sessions end, and who is told of it: Office.telling()."""

from __future__ import annotations

from pathlib import Path

import attrs

from mailsuite.model.address import Address
from tests.accounts.offices import JOE, World, now


def test_sessions_end_first_and_whoever_was_told_before_is_told_still(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.add_joe()
    device, _ = world.add_device()
    told: list[tuple[object, ...]] = []

    def removed(account: Address) -> None:
        told.append(("removed", account))

    def disabled(account: Address, reason: str) -> None:
        told.append(("disabled", account, reason))

    def device_removed(account: Address, id: str) -> None:
        told.append(("device removed", account, id))

    before = attrs.evolve(
        world.office,
        registry=attrs.evolve(world.office.registry, removed=removed, disabled=disabled),
        devices=attrs.evolve(world.office.devices, removed=device_removed),
    )
    office = before.telling(lambda account, device, reason: told.append(("end", device, reason)))
    now(office.devices.remove_device(str(JOE), "Eudora"))
    now(office.registry.change_account(str(JOE), {"state": "off"}))
    now(office.registry.remove_account(str(JOE)))
    assert told == [
        ("end", device["id"], "the device was removed"),
        ("device removed", JOE, device["id"]),
        ("end", None, "the account was switched off"),
        ("disabled", JOE, "the account was switched off"),
        ("end", None, "the account was removed"),
        ("removed", JOE),
    ]
