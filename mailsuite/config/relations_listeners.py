"""Checks between the settings of listeners: where they stand, and whether anybody can come in there."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from mailsuite.config.look import Look
from mailsuite.config.mechanisms import UNDER_TLS
from mailsuite.config.problems import Problem
from mailsuite.config.schema import Listener, Metrics, NotifyDoor, Pop3, Submission
from mailsuite.model.response import MAX_RESPONSE_OCTETS

STAMP_OCTETS = 46
"""Of a stamp beside its host name, see frontends/stamp.py."""


def listener_relations(look: Look) -> Iterator[Problem]:
    """All that is wrong with listeners."""
    for listener in look.config.listeners:
        yield from _listener(look, listener)
    yield from _trust(look)
    yield from _clashes(look)


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
        yield from _greeting(look, listener, block)
        yield from _http(look, listener, block)
        yield from _figures(look, listener, block)


def _greeting(look: Look, listener: Listener, block: str) -> Iterator[Problem]:
    """A POP3 greeting is one line; APOP's stamp in it has the host name a second time."""
    settings = listener.settings
    keys = [f"{section}.{name}" for section in (block, "pop3") for name in ("banner", "response_name")]
    if not isinstance(settings, Pop3) or not look.sound(*keys, "server.name"):
        return
    octets = len(f"+OK {settings.response_name} {settings.banner}\r\n")
    if _shows_stamp(look, settings):
        octets += len(f" {settings.response_name}") + STAMP_OCTETS
    if octets > MAX_RESPONSE_OCTETS:
        yield look.error(
            f"banner makes a greeting of {octets} octets with the host name, and APOP's stamp where that is "
            f"on; RFC 2449 allows {MAX_RESPONSE_OCTETS}",
            *keys,
            "server.name",
        )


def _unsafe_door(look: Look, listener: Listener, block: str) -> Iterator[Problem]:
    if not look.sound(f"{block}.tls", f"{block}.bind"):
        return
    if listener.service == "smtp" and listener.tls == "required-starttls" and not is_local(listener):
        text = (
            'tls = "required-starttls" turns away servers without TLS, which RFC 3207 forbids for public ones'
        )
        yield look.warning(f"{text}; did you mean 'starttls'?", f"{block}.tls", block)
    if listener.tls == "off" and listener.socket is None:
        yield from _clear_door(look, listener, block)


def _http(look: Look, listener: Listener, block: str) -> Iterator[Problem]:
    """What is spoken there knows no command that begins TLS, and shows the password itself."""
    if not isinstance(listener.settings, Metrics | NotifyDoor) or not look.sound(f"{block}.tls"):
        return
    if listener.tls in {"starttls", "required-starttls"}:
        yield look.error(
            f'tls = "{listener.tls}": HTTP has no such command; write "implicit" or "off"', f"{block}.tls"
        )
    is_clear = isinstance(listener.settings, NotifyDoor) and listener.tls == "off"
    if is_clear and not is_local(listener) and look.sound(f"{block}.bind"):
        yield look.error(
            f'tls = "off" on {_doors(listener)}: passwords are taken under TLS, or from this machine, only, '
            "so nobody could log in; did you mean 'implicit'?",
            f"{block}.tls",
            block,
        )


def _figures(look: Look, listener: Listener, block: str) -> Iterator[Problem]:
    """Figures tell nobody's mail, but they are nobody else's business either."""
    settings = listener.settings
    if not isinstance(settings, Metrics):
        return
    if any(not network.prefixlen for network in settings.allow):
        text = "allow names everybody: whoever reaches this listener sees how much mail goes through here"
        yield look.warning(text, f"{block}.allow", "metrics.allow")


def _clear_door(look: Look, listener: Listener, block: str) -> Iterator[Problem]:
    """Without TLS nobody may send a password, but from trusted networks; what hides it works there, too."""
    settings = listener.settings
    keys = [f"{section}.{name}" for section in (block, listener.service) for name in ("auth", "apop")]
    trusted = (f"{block}.trusted_networks", "pop3.trusted_networks")
    if not isinstance(settings, Pop3 | Submission) or not look.sound(*keys, *trusted):
        return
    ways = [name.upper() for name in settings.auth if name not in UNDER_TLS]
    door = f'tls = "off" on {_doors(listener)}'
    nobody = "passwords are taken under TLS only, so nobody could log in"
    instead = "; did you mean 'required-starttls'?"
    if isinstance(settings, Pop3):
        if settings.trusted_networks:
            return
        stands = look.place(*trusted)
        door += f" and trusted_networks is empty{f' (line {stands.line})' if stands.line else ''}"
        nobody, instead = "nobody could log in", "; did you mean 'starttls'?"
        ways = ["APOP", *ways] if _shows_stamp(look, settings) else ways
    tls_place = (f"{block}.tls", block)
    if ways:
        text = f"{door}: only {' or '.join(ways)} can be used to log in there, and mail goes in the clear"
        yield look.warning(text + instead, *tls_place)
        return
    severity = look.warning if is_local(listener) else look.error
    yield severity(f"{door}: {nobody}{instead}", *tls_place)


def _shows_stamp(look: Look, settings: Pop3) -> bool:
    """Whether APOP is offered there: also where a domain alone wants it (docs/adr/0013)."""
    return bool({settings.apop, *(domain.apop for domain in look.config.domains)} & {"offer", "require"})


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


def is_local(listener: Listener) -> bool:
    """Whether only this machine can reach it, as far as the configuration tells."""
    return listener.socket is not None or (not listener.endpoint and all(map(_is_loopback, listener.bind)))


def _is_loopback(address: str) -> bool:
    """An interface by its name is somewhere else, unless it is ``lo``."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "lo"


def _clashes(look: Look) -> Iterator[Problem]:
    """Two open doors at the same place."""
    taken: dict[tuple[str, int], str] = {}
    open_doors = [one for one in look.config.listeners if one.enabled]
    for listener in open_doors:
        block = f"listener.{listener.name}"
        elsewhere = listener.endpoint or listener.socket is not None
        if elsewhere or not listener.port or not look.sound(f"{block}.port", f"{block}.bind"):
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
