"""Checks between the settings of accounts: who can log in, where mail goes, how people are told."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from mailsuite.config.look import Look
from mailsuite.config.problems import Problem
from mailsuite.config.schema import AccountBlock
from mailsuite.model.account import AccountState, IPAddress, NotifyState
from mailsuite.model.address import Address


def account_relations(look: Look) -> Iterator[Problem]:
    """All that is wrong with accounts."""
    accounts = {account.address: account for account in look.config.accounts}
    ours = {domain.name for domain in look.config.domains} | {address.domain for address in accounts}
    for account in look.config.accounts:
        yield from _account(look, account)
        yield from _forward(look, account, accounts, ours)
        yield from _account_notice(look, account)
    yield from _postmaster(look, accounts)


def _postmaster(look: Look, accounts: Mapping[Address, AccountBlock]) -> Iterator[Problem]:
    """Mail for postmaster, which every domain must take (RFC 5321 section 4.5.1), goes to server.admin."""
    admin = look.config.server.admin
    account = accounts.get(admin.canonical) if admin is not None else None
    if account is None or account.state is not AccountState.OFF:
        return
    block = f"account.{account.address}"
    if look.sound("server.admin", f"{block}.state"):
        text = (
            f'{account.address} is server.admin and has state = "off": mail for postmaster is refused, and '
            "RFC 5321 section 4.5.1 asks every domain to take it; name another admin"
        )
        yield look.warning(text, f"{block}.state", "server.admin")


def _account(look: Look, account: AccountBlock) -> Iterator[Problem]:
    block = f"account.{account.address}"
    local = account.address.local
    if "/" in local or local.startswith("."):
        yield look.error(
            f"the part before the @ of {account.address} cannot name a folder", f"{block}.address"
        )
    if account.password_hash and account.password_file:
        yield look.error("password_hash and password_file together: one of them", f"{block}.password_file")
    if account.state is not AccountState.ENABLED:
        return
    if not _has_password(look, account):
        if look.sound(f"{block}.password_hash", f"{block}.password_file"):
            text = f"{account.address} has no password_hash and no password_file: nobody can log in to it"
            yield look.warning(text, block)
    elif not _is_login_name(local):
        text = (
            f"nobody can log in to {account.address}: a login name has neither * nor ?, and beyond ASCII "
            "only what RFC 8265 allows, in lower case"
        )
        yield look.warning(text, f"{block}.address")


def _is_asked_elsewhere(look: Look, account: AccountBlock) -> bool:
    """Whether a [[source]] checks the passwords of the account's domain."""
    domain = account.address.domain
    return any(one.enabled and (not one.domains or domain in one.domains) for one in look.config.sources)


def _has_password(look: Look, account: AccountBlock) -> bool:
    """Of its own, by a device, or where somebody else is asked."""
    if account.password_hash or account.password_file or account.devices:
        return True
    return _is_asked_elsewhere(look, account)


def _is_login_name(local: str) -> bool:
    """Whether accounts/names.py takes it as it stands."""
    if not set(local).isdisjoint("*?"):
        return False
    if local.isascii():
        return True
    from precis_i18n import get_profile  # noqa: PLC0415 - most files need no Unicode tables

    try:
        return bool(get_profile("UsernameCaseMapped").enforce(local) == local)
    except UnicodeError:
        return False


def _forward(
    look: Look, account: AccountBlock, accounts: Mapping[Address, AccountBlock], ours: set[str]
) -> Iterator[Problem]:
    block = f"account.{account.address}"
    if not look.sound(f"{block}.state", f"{block}.forward"):
        return
    if account.state is not AccountState.FORWARD:
        for name, value in (("forward", account.forward), ("keep_copy", account.keep_copy)):
            if value:
                yield look.warning(
                    f'{name} is not used: for that, write state = "forward"', f"{block}.{name}"
                )
    elif account.forward is None:
        text = 'state = "forward" needs an address to go to, for example forward = "ann@example.net"'
        yield look.error(text, f"{block}.forward", f"{block}.state")
    elif circle := _circle(account.address, accounts):
        text = f"forward: mail would go in a circle: {' to '.join(map(str, circle))}"
        yield look.error(text, f"{block}.forward")
    elif account.forward.domain not in ours:
        if not look.config.queue.takes:
            text = (
                f"forward: {account.forward.domain} is no domain of this file; unless mailsuite domain add "
                'made it ours, mail cannot go there, because queue.outgoing = "local-only"'
            )
            yield look.warning(text, f"{block}.forward", "queue.outgoing")
    elif (other := accounts.get(account.forward)) and other.state is AccountState.OFF:
        text = f'forward: {account.forward} has state = "off", and takes no mail'
        yield look.warning(text, f"{block}.forward")


def _circle(start: Address, accounts: Mapping[Address, AccountBlock]) -> list[Address]:
    """The way of a message from an account back to it; empty where it ends elsewhere."""
    way = [start]
    while True:
        account = accounts.get(way[-1])
        if account is None or account.state is not AccountState.FORWARD or account.forward is None:
            return []
        if account.forward in way:
            return [*way, start] if account.forward == start else []
        way.append(account.forward)


def _account_notice(look: Look, account: AccountBlock) -> Iterator[Problem]:
    block = f"account.{account.address}.notifymail"
    wish = account.notifymail
    state = wish.state or look.config.notify.notifymail.default_state
    allowed = look.config.notify.notifymail.ports
    wanted = look.is_given(f"{block}.port") or state is not NotifyState.OFF
    if wanted and wish.port not in allowed and look.sound(f"{block}.port", "notify.notifymail.ports"):
        yield look.error(
            f"port {wish.port} is none of notify.notifymail.ports ({', '.join(map(str, allowed))}); add it",
            f"{block}.port",
            f"account.{account.address}",
        )
    if (
        state is NotifyState.STATIC
        and wish.address is None
        and look.sound(f"{block}.address", f"{block}.state")
    ):
        text = 'state "static" without an address acts as "last-ip"; for example address = "192.0.2.77"'
        yield look.warning(text, f"{block}.state", f"account.{account.address}")
    if wish.address is not None and look.sound("notify.allow_networks") and _needs_leave(wish.address):
        networks = look.config.notify.allow_networks
        if not any(wish.address in network for network in networks):
            yield look.error(
                f'{wish.address} is a private address; for notices to go there, add "{wish.address}" '
                "or its network to notify.allow_networks",
                f"{block}.address",
            )


_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",  # RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # RFC 6598
        "fc00::/7",  # RFC 4193
    )
)


def _needs_leave(address: IPAddress) -> bool:
    """Whether notices go to this address only where the administrator has listed its network."""
    return address.is_loopback or any(address in network for network in _PRIVATE)
