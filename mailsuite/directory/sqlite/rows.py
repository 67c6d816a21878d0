"""Accounts, domains and devices as rows of accounts.db, and back. Lists of words have spaces between them;
lists of what may have a space itself are JSON."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from mailsuite.model.account import Account, AccountState, Domain, NotifyPreference, NotifyState
from mailsuite.model.address import Address
from mailsuite.model.alias import AliasPattern
from mailsuite.model.device import Device, Scope
from mailsuite.model.notice import Level
from mailsuite.model.quota import Quota
from mailsuite.model.retention import Retention
from mailsuite.model.sender_list import NO_SENDERS, OwnSenders, parse_sender


def key(address: Address) -> tuple[str, str]:
    """Domain and local part, as in every primary key."""
    return address.domain, address.local


def account_values(account: Account) -> tuple[object, ...]:
    """All but the key."""
    notify, forward, retention = account.notify, account.forward, account.retention
    return (
        account.name,
        account.password_hash,
        notify.state.value if notify.state is not None else None,
        str(notify.address) if notify.address is not None else None,
        notify.port,
        account.state.value,
        forward.local if forward is not None else None,
        forward.domain if forward is not None else None,
        account.keep_copy,
        account.pop3,
        retention is not None,
        retention.read if retention is not None else None,
        retention.unread if retention is not None else None,
        account.quota.octets,
        account.quota.messages,
        _json(account.send_as),
        account.max_message,
        *_senders_values(account.senders),
        account.language,
    )


def read_account(row: tuple[Any, ...]) -> Account:
    """From domain, local and account_values(). Raises sqlite3.DataError, with nothing secret in it."""
    domain, local, name, password_hash, notify_state, address, port, state, *rest = row
    forward_local, forward_domain, keep_copy, pop3, own_retention, read, unread, *rest = rest
    octets, messages, send_as, max_message, block, accept, language = rest
    try:
        return Account(
            Address(local, domain),
            name,
            password_hash,
            NotifyPreference(
                NotifyState(notify_state) if notify_state is not None else None,
                ip_address(address) if address is not None else None,
                port,
            ),
            state=AccountState(state),
            forward=Address(forward_local, forward_domain) if forward_local is not None else None,
            keep_copy=bool(keep_copy),
            pop3=bool(pop3),
            retention=Retention(read, unread) if own_retention else None,
            quota=Quota(octets, messages),
            send_as=_addresses(send_as),
            max_message=max_message,
            senders=_senders(block, accept),
            language=language,
        )
    except (TypeError, ValueError) as error:
        raise sqlite3.DataError(f"the row of {local}@{domain} cannot be read") from error


def domain_values(domain: Domain) -> tuple[object, ...]:
    """All but the name."""
    return (
        domain.same_as,
        domain.delimiters,
        None if domain.catch_all is None else _json(domain.catch_all),
        json.dumps(sorted(domain.catch_all_except)),
        json.dumps([(each.pattern, each.targets) for each in domain.patterns]),
        domain.quota.octets,
        domain.quota.messages,
        domain.max_message,
        *_senders_values(domain.senders),
        domain.total_quota.octets,
        domain.total_quota.messages,
        domain.notify,
        domain.notify_max_level,
        domain.language,
    )


def read_domain(row: tuple[Any, ...]) -> Domain:
    """From the name and domain_values(). Raises sqlite3.DataError."""
    name, same_as, delimiters, catch_all, catch_all_except, patterns, octets, messages, *rest = row
    max_message, block, accept, total_octets, total_messages, notify, most, language = rest
    try:
        return Domain(
            name,
            same_as=same_as,
            delimiters=delimiters,
            catch_all=None if catch_all is None else _addresses(catch_all),
            catch_all_except=frozenset(json.loads(catch_all_except)),
            patterns=tuple(AliasPattern(each, tuple(targets)) for each, targets in json.loads(patterns)),
            quota=Quota(octets, messages),
            max_message=max_message,
            senders=_senders(block, accept),
            total_quota=Quota(total_octets, total_messages),
            notify=bool(notify),
            notify_max_level=None if most is None else Level(most),
            language=language,
        )
    except (TypeError, ValueError) as error:
        raise sqlite3.DataError(f"the row of {name} cannot be read") from error


def device_values(device: Device) -> tuple[object, ...]:
    """All but the owner and the id."""
    return (
        device.name,
        device.folded,
        device.sealed,
        _words(scope.value for scope in device.scopes),
        _words(device.mechanisms),
        " ".join(map(str, device.networks)),
        device.expires,
        device.created,
        device.view,
        _json(() if device.sender is None else (device.sender,)),
        _json(device.recipients),
    )


def read_device(row: tuple[Any, ...]) -> Device:
    """From the id and device_values(). Raises sqlite3.DataError, with nothing secret in it."""
    id, name, _, sealed, scopes, mechanisms, networks, expires, created, view, sender, recipients = row
    try:
        senders = _addresses(sender)
        return Device(
            id,
            name,
            sealed,
            frozenset(map(Scope, scopes.split())),
            frozenset(mechanisms.split()),
            tuple(map(ip_network, networks.split())),
            expires,
            created,
            view=bool(view),
            sender=senders[0] if senders else None,
            recipients=_addresses(recipients),
        )
    except (TypeError, ValueError) as error:
        raise sqlite3.DataError(f"the row of device {id} cannot be read") from error


def _senders_values(senders: OwnSenders) -> tuple[str, str]:
    """As they were written."""
    return (
        json.dumps([entry.text for entry in senders.block]),
        json.dumps([entry.text for entry in senders.accept]),
    )


def _senders(block: str, accept: str) -> OwnSenders:
    if block == accept == "[]":  # nearly all
        return NO_SENDERS
    return OwnSenders(
        tuple(map(parse_sender, json.loads(block))), tuple(map(parse_sender, json.loads(accept)))
    )


def _json(addresses: Iterable[Address]) -> str:
    return json.dumps([(address.local, address.domain) for address in addresses])


def _addresses(text: str) -> tuple[Address, ...]:
    return tuple(Address(local, domain) for local, domain in json.loads(text))


def _words(values: Iterable[str]) -> str:
    return " ".join(sorted(values))
