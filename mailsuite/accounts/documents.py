"""Accounts, domains, devices and logins as JSON has them; the shapes are part of the control API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailsuite.accounts.limits import limits_document
from mailsuite.accounts.stay import stay_document
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.device import Device, Scope
from mailsuite.model.login import LoginRecord

Document = dict[str, Any]


def account_document(account: Account) -> Document:
    """One account, without its password."""
    preference = account.notify
    return {
        "address": str(account.address),
        "name": account.name,
        "origin": account.origin.value,
        "password": bool(account.password_hash),
        "state": account.state.value,
        "forward": None if account.forward is None else str(account.forward),
        "keep_copy": account.keep_copy,
        "pop3": "allow" if account.pop3 else "deny",
        **stay_document(account.retention),
        **limits_document(account),
        "notifymail": {
            "state": None if preference.state is None else preference.state.value,
            "address": None if preference.address is None else str(preference.address),
            "port": preference.port,
        },
    }


def domain_document(domain: Domain, accounts: int) -> Document:
    """One domain, and how many accounts are in it."""
    return {
        "name": domain.name,
        "origin": domain.origin.value,
        "accounts": accounts,
        **limits_document(domain),
    }


def device_document(account: Address, device: Device, last_use: LoginRecord | None) -> Document:
    """One device password, without what it is checked by. Times are seconds since the epoch."""
    return {
        "account": str(account),
        "name": device.name,
        "id": device.id,
        "origin": device.origin.value,
        "scopes": [scope.value for scope in Scope if scope in device.scopes],
        "mechanisms": sorted(device.mechanisms),
        "networks": [str(network) for network in device.networks],
        "created": device.created,
        "expires": device.expires,
        "view": "own" if device.view else "shared",
        "sender": None if device.sender is None else str(device.sender),
        "recipients": [str(recipient) for recipient in device.recipients],
        "last_use": None if last_use is None else _use(last_use),
    }


def login_document(login: LoginRecord, names: Mapping[str, str]) -> Document:
    """One login; *names* are those of the account's devices by id. A device of null is the account's own
    password; one that was removed since stands there by its id."""
    device = names.get(login.device, login.device) if login.device else None
    return {**_use(login), "device": device}


def _use(login: LoginRecord) -> Document:
    return {
        "at": login.at,
        "peer": str(login.peer),
        "service": login.service,
        "mechanism": login.mechanism,
    }
