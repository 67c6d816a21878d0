"""The order in which directories answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.device import Device

V = TypeVar("V")


def by_domain(address: Address) -> tuple[str, str]:
    """By domain, then local part."""
    return address.domain, address.local


def sorted_accounts(accounts: Iterable[Account]) -> tuple[Account, ...]:
    """By domain, then local part."""
    return tuple(sorted(accounts, key=lambda account: by_domain(account.address)))


def sorted_domains(domains: Iterable[Domain]) -> tuple[Domain, ...]:
    """By name."""
    return tuple(sorted(domains, key=lambda domain: domain.name))


def sorted_aliases(aliases: Iterable[Alias]) -> tuple[Alias, ...]:
    """By domain, then local part."""
    return tuple(sorted(aliases, key=lambda alias: by_domain(alias.address)))


def sorted_devices(devices: Iterable[Device]) -> tuple[Device, ...]:
    """By name, whatever the case."""
    return tuple(sorted(devices, key=lambda device: device.folded))


def sorted_owned_devices(devices: Iterable[tuple[Address, Device]]) -> tuple[tuple[Address, Device], ...]:
    """By domain, local part, name."""
    return tuple(sorted(devices, key=lambda owned: (*by_domain(owned[0]), owned[1].folded)))


def sorted_by_owner(things: Iterable[tuple[Address, V]]) -> tuple[tuple[Address, V], ...]:
    """By domain, then local part."""
    return tuple(sorted(things, key=lambda owned: by_domain(owned[0])))
