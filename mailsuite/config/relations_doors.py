"""Checks of the ways in beside plain TCP: Unix sockets, proxies in front, and LMTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from pathlib import Path

from mailsuite.config.look import Look
from mailsuite.config.problems import Problem
from mailsuite.config.relations_listeners import is_local
from mailsuite.config.schema import Listener, Lmtp, Smtp
from mailsuite.model.device import IPNetwork

MAX_SOCKET_OCTETS = 107
"""Of the path of a Unix socket: sun_path without its final NUL, on Linux."""
SMTP_PORT = 25
USUAL_MODE = 0o660
_TRUSTED = {
    "relay_networks": "may send to other servers without a login",
    "trusted_networks": "may show a password without TLS",
}
"""Networks whose machines may do more than others, and what."""
_OF_ADDRESSES = (
    "access.policy",
    "access.list",
    "access.files",
    "auth",
    "certificate",
    "key",
    "relay_networks",
    "v6only",
)
"""Keys that hold for nobody who comes by a Unix socket."""
_ON_SOCKETS = ("lmtp", "submission")
"""Services that programs of this machine use; a mail program comes by TCP."""


def door_relations(look: Look) -> Iterator[Problem]:
    """All that is wrong with them."""
    for listener in look.config.listeners:
        block = f"listener.{listener.name}"
        yield from _socket(look, listener, block)
        yield from _proxies(look, listener, block)
        if listener.enabled:
            yield from _lmtp(look, listener, block)
    yield from _clashes(look)


def _socket(look: Look, listener: Listener, block: str) -> Iterator[Problem]:
    if listener.socket is None:
        yield from _rights_of_nothing(look, listener, block)
        return
    said = {"bind": True, "port": True, "endpoint": bool(listener.endpoint), "wait": listener.wait}
    for name, means_something in said.items():
        if means_something and look.is_given(f"{block}.{name}"):
            yield look.error(f"{name} and socket together: a Unix socket has no {name}", f"{block}.{name}")
    if listener.service not in _ON_SOCKETS:
        text = f'socket is for {" and ".join(_ON_SOCKETS)}; service = "{listener.service}" is reached by TCP'
        yield look.error(text, f"{block}.socket")
    if listener.tls != "off" and look.sound(f"{block}.tls"):
        text = f'tls = "{listener.tls}" on a Unix socket: nobody can listen there; write tls = "off"'
        yield look.error(text, f"{block}.tls", f"{block}.socket")
    for name in _OF_ADDRESSES:
        if look.is_given(f"{block}.{name}"):
            text = f"{name} is for nothing on a Unix socket: nobody there has an address, or logs in"
            yield look.warning(text, f"{block}.{name}")
    octets = len(str(listener.socket).encode("utf-8", "surrogateescape"))
    if octets > MAX_SOCKET_OCTETS:
        yield look.error(
            f"socket {listener.socket} has {octets} octets, and the system takes {MAX_SOCKET_OCTETS}; "
            "name a shorter path",
            f"{block}.socket",
        )


def _rights_of_nothing(look: Look, listener: Listener, block: str) -> Iterator[Problem]:
    usual = {"socket_owner": look.config.server.user, "socket_group": "", "socket_mode": USUAL_MODE}
    for name, value in usual.items():
        if getattr(listener, name) != value and look.sound(f"{block}.socket"):
            yield look.warning(
                f"{name} without socket: there is no socket it could hold for", f"{block}.{name}"
            )


def _proxies(look: Look, listener: Listener, block: str) -> Iterator[Problem]:
    if not listener.proxy_from:
        return
    if listener.socket is not None:
        text = "proxy_from and socket together: who comes by a Unix socket has no address"
        yield look.error(text, f"{block}.proxy_from")
    if any(not network.prefixlen for network in _joined(listener.proxy_from)):
        text = "proxy_from names everybody: then anybody may say to be anybody, one of ours too"
        yield look.error(text, f"{block}.proxy_from")
    if listener.enabled:
        yield from _trusted_proxies(look, listener, block)


def _joined(networks: Sequence[IPNetwork]) -> Iterator[IPNetwork]:
    """Two halves are a whole."""
    yield from collapse_addresses(each for each in networks if isinstance(each, IPv4Network))
    yield from collapse_addresses(each for each in networks if isinstance(each, IPv6Network))


def _trusted_proxies(look: Look, listener: Listener, block: str) -> Iterator[Problem]:
    """A client of whom the proxy does not say who it is (LOCAL, UNKNOWN) counts as the proxy."""
    settings = listener.settings
    for name, may in _TRUSTED.items():
        trusted: Sequence[IPNetwork] = getattr(settings, name, ())
        if isinstance(settings, Smtp) and settings.relay != "addresses":
            trusted = ()
        proxy = next((each for each in listener.proxy_from if any(map(each.overlaps, trusted))), None)
        keys = (f"{block}.{name}", f"{listener.service}.{name}")
        if proxy is not None and look.sound(f"{block}.proxy_from", *keys):
            yield look.warning(
                f"proxy_from and {name} both name {proxy}: whoever comes by it without being named {may}",
                f"{block}.proxy_from",
                *keys,
            )


def _lmtp(look: Look, listener: Listener, block: str) -> Iterator[Problem]:
    """RFC 2033 section 5: never on SMTP's port. And who reaches LMTP is believed more than a stranger is."""
    settings = listener.settings
    if not isinstance(settings, Lmtp) or listener.socket is not None:
        return
    if listener.port == SMTP_PORT and not listener.endpoint and look.sound(f"{block}.port"):
        text = (
            f"port = {SMTP_PORT} is SMTP's, and LMTP must not be spoken there (RFC 2033); the usual one is 24"
        )
        yield look.error(text, f"{block}.port", block)
    is_open = settings.access.policy == "allow-all-except"
    if is_open and not is_local(listener) and look.sound(f"{block}.bind", f"{block}.access.policy"):
        text = (
            "everybody who reaches this listener may hand in mail by LMTP; name who may: "
            'access = { policy = "deny-all-except", list = [...] }'
        )
        yield look.warning(text, f"{block}.bind", block)


def _clashes(look: Look) -> Iterator[Problem]:
    """One path, one socket."""
    taken: dict[Path, str] = {look.config.server.control_socket: "server.control_socket"}
    for listener in look.config.listeners:
        if listener.socket is None or not listener.enabled:
            continue
        key = f"listener.{listener.name}.socket"
        other = taken.setdefault(listener.socket, f"listener {listener.name!r}")
        if other != f"listener {listener.name!r}":
            yield look.error(f"listener {listener.name!r} wants {listener.socket}, which {other} has", key)
