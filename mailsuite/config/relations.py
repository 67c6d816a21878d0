"""Checks between settings: values that are right alone and wrong together. Nothing here touches a file."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from mailsuite.config.look import Look
from mailsuite.config.problems import Problem
from mailsuite.config.schema import AccountBlock, Listener, Pop3
from mailsuite.model.account import IPAddress, NotifyState

MAX_SOCKET_OCTETS = 107
"""Of the path of a Unix socket: sun_path without its final NUL, on Linux."""
MAX_REPLY_OCTETS = 512
"""Of an SMTP reply line with its CRLF (RFC 5321 section 4.5.3.1.5)."""


def relations(look: Look) -> Iterator[Problem]:
    """All that is wrong between settings."""
    yield from _server(look)
    yield from _certificates(look)
    for listener in look.config.listeners:
        yield from _listener(look, listener)
    yield from _trust(look)
    yield from _clashes(look)
    for account in look.config.accounts:
        yield from _account(look, account)
        yield from _account_notice(look, account)
    yield from _notify(look)


def _server(look: Look) -> Iterator[Problem]:
    server = look.config.server
    octets = len(str(server.control_socket).encode("utf-8", "surrogateescape"))
    if octets > MAX_SOCKET_OCTETS:
        yield look.error(
            f"control_socket {server.control_socket} has {octets} octets, and the system takes "
            f"{MAX_SOCKET_OCTETS}; name a shorter path",
            "server.control_socket",
            "server.state",
        )
    for section in ("smtp", "submission"):
        banner = look.config.smtp.banner if section == "smtp" else look.config.submission.banner
        octets = len(f"220 {server.name} {banner}\r\n")
        if octets > MAX_REPLY_OCTETS and look.sound(f"{section}.banner", "server.name"):
            yield look.error(
                f"banner makes a greeting of {octets} octets with the host name; "
                f"RFC 5321 allows {MAX_REPLY_OCTETS}",
                f"{section}.banner",
                "server.name",
            )


def _certificates(look: Look) -> Iterator[Problem]:
    tls = look.config.tls
    for name, value in (("certificate", tls.certificate), ("key", tls.key)):
        key = f"tls.{name}"
        if tls.mode == "files" and value is None and look.sound(key, "tls.mode"):
            yield look.error(f'mode = "files" needs a {name}: {name} = "/etc/ssl/..."', key, "tls.mode")
        if tls.mode == "self-signed" and value is not None and look.sound("tls.mode"):
            yield look.warning(f'{name} is not used: for that, write mode = "files"', key)


def _listener(look: Look, listener: Listener) -> Iterator[Problem]:
    block = f"listener.{listener.name}"

    def given(name: str) -> bool:
        return look.is_given(f"{block}.{name}")

    if listener.endpoint:
        for name in ("bind", "port"):
            if given(name):
                text = f"{name} and endpoint together: the endpoint already says where to listen"
                yield look.error(text, f"{block}.{name}")
    for name, other in (("certificate", "key"), ("key", "certificate")):
        if given(name) and getattr(listener, name) and not getattr(listener, other):
            yield look.error(
                f"{name} without {other}: a listener's own certificate needs both", f"{block}.{name}"
            )
    if listener.enabled:
        yield from _unsafe_door(look, listener, block)


def _unsafe_door(look: Look, listener: Listener, block: str) -> Iterator[Problem]:
    if not look.sound(f"{block}.tls", f"{block}.bind"):
        return
    tls_place = (f"{block}.tls", block)
    if listener.service == "smtp" and listener.tls == "required-starttls":
        text = (
            'tls = "required-starttls" turns away servers without TLS, which RFC 3207 forbids for public ones'
        )
        if not _is_local(listener):
            yield look.warning(f"{text}; did you mean 'starttls'?", *tls_place)
    if listener.tls != "off":
        return
    severity = look.warning if _is_local(listener) else look.error
    if listener.service == "submission":
        yield severity(
            f'tls = "off" on {_doors(listener)}: passwords are taken under TLS only, so nobody could log in; '
            "did you mean 'required-starttls'?",
            *tls_place,
        )
    trusted = (f"{block}.trusted_networks", "pop3.trusted_networks")
    if (
        isinstance(listener.settings, Pop3)
        and not listener.settings.trusted_networks
        and look.sound(*trusted)
    ):
        stands = look.place(*trusted)
        where = f" (line {stands.line})" if stands.line else ""
        yield severity(
            f'tls = "off" on {_doors(listener)} and trusted_networks is empty{where}: nobody could log in; '
            "did you mean 'starttls'?",
            *tls_place,
        )


def _trust(look: Look) -> Iterator[Problem]:
    """A network without end is trusted on purpose hardly ever."""
    sources = [("pop3.trusted_networks", look.config.pop3)]
    sources += [
        (f"listener.{one.name}.trusted_networks", one.settings)
        for one in look.config.listeners
        if isinstance(one.settings, Pop3) and look.is_given(f"listener.{one.name}.trusted_networks")
    ]
    for key, settings in sources:
        for network in settings.trusted_networks:
            if not network.prefixlen:
                risk = "passwords may come in the clear from anywhere"
                yield look.warning(f"{network} in trusted_networks is everybody: {risk}", key)


def _doors(listener: Listener) -> str:
    if listener.endpoint:
        return listener.endpoint
    return ", ".join(_door(address, listener.port) for address in listener.bind)


def _door(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _is_local(listener: Listener) -> bool:
    """Whether only this machine can reach it, as far as the configuration tells."""
    return not listener.endpoint and all(
        address != "*" and ipaddress.ip_address(address).is_loopback for address in listener.bind
    )


def _clashes(look: Look) -> Iterator[Problem]:
    """Two open doors at the same place."""
    taken: dict[tuple[str, int], str] = {}
    open_doors = [one for one in look.config.listeners if one.enabled]
    for listener in open_doors:
        block = f"listener.{listener.name}"
        if listener.endpoint or not listener.port or not look.sound(f"{block}.port", f"{block}.bind"):
            continue
        for address in listener.bind:
            for (other, port), name in taken.items():
                if port == listener.port and name != listener.name and _overlap(address, other):
                    stands = look.place(f"listener.{name}.port", f"listener.{name}")
                    yield look.error(
                        f"listener {listener.name!r} wants {_door(address, port)}, "
                        f"which listener {name!r} has ({stands})",
                        f"{block}.port",
                        block,
                    )
                    break
            taken.setdefault((address, listener.port), listener.name)
    if not open_doors:
        first = f"listener.{look.config.listeners[0].name}"
        yield look.warning("no listener is enabled: nobody can reach this server", f"{first}.enabled", first)


def _overlap(one: str, other: str) -> bool:
    """Whether two bind addresses take the same place: "*" takes all, 0.0.0.0 and :: take their family."""
    if one == other or "*" in {one, other}:
        return True
    return (":" in one) == (":" in other) and not {one, other}.isdisjoint({"0.0.0.0", "::"})  # noqa: S104


def _account(look: Look, account: AccountBlock) -> Iterator[Problem]:
    block = f"account.{account.address}"
    local = account.address.local
    if "/" in local or local.startswith("."):
        yield look.error(
            f"the part before the @ of {account.address} cannot name a folder", f"{block}.address"
        )
    if account.password_hash and account.password_file:
        yield look.error("password_hash and password_file together: one of them", f"{block}.password_file")
    has_none = not account.password_hash and not account.password_file
    if has_none and look.sound(f"{block}.password_hash", f"{block}.password_file"):
        text = f"{account.address} has no password_hash and no password_file: nobody can log in to it"
        yield look.warning(text, block)
    elif not local.isascii() or not set(local).isdisjoint("*?"):
        text = f"nobody can log in to {account.address}: a login name is ASCII without * and ?"
        yield look.warning(text, f"{block}.address")


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


def _notify(look: Look) -> Iterator[Problem]:
    notify = look.config.notify
    if notify.notifymail.default_state is NotifyState.STATIC and look.is_given(
        "notify.notifymail.default_state"
    ):
        text = 'default_state "static" acts as "last-ip" for each account that names no address'
        yield look.warning(text, "notify.notifymail.default_state")
    if not notify.notifymail.learn_from and notify.enabled and notify.notifymail.enabled:
        text = "learn_from is empty: no last address is ever known, so only fixed ones are knocked at"
        yield look.warning(text, "notify.notifymail.learn_from")
