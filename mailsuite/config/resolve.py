"""Fills in what is derived: from the machine, or from other settings. After this no value is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from mailsuite.config.declare import Blocks, Section, declarations
from mailsuite.config.machine import Machine
from mailsuite.config.reading import Draft
from mailsuite.config.resolving import Resolving
from mailsuite.config.schema import (
    AccountBlock,
    CertificateBlock,
    Config,
    Delivery,
    DomainBlock,
    Guard,
    Listener,
    Lmtp,
    LogSettings,
    Metrics,
    Notify,
    NotifyDoor,
    Pop3,
    Queue,
    RelayBlock,
    Server,
    Smtp,
    SourceBlock,
    Submission,
    Tls,
)
from mailsuite.config.services import SERVICE_SECTIONS, Service, TlsUse
from mailsuite.model.address import Address

S = TypeVar("S")

_STATE = "{state}/"

_LOOPBACK_LISTENERS: tuple[tuple[str, Service, int, TlsUse], ...] = (
    ("smtp", "smtp", 2525, "starttls"),
    ("submission", "submission", 2587, "required-starttls"),
    ("submissions", "submission", 2465, "implicit"),
    ("pop3", "pop3", 2110, "starttls"),
    ("pop3s", "pop3", 2995, "implicit"),
    ("notify", "notify", 8443, "implicit"),
)
"""The doors of a server that was told of none: high ports, for this machine alone."""

_PORTS: dict[tuple[Service, bool], int] = {
    ("smtp", False): 25,
    ("submission", False): 587,
    ("pop3", False): 110,
    ("submission", True): 465,  # RFC 8314 section 3.3
    ("pop3", True): 995,  # RFC 8314 section 3.1
    ("smtp", True): 465,
    ("lmtp", False): 24,
    ("lmtp", True): 24,
    ("notify", False): 8443,
    ("notify", True): 8443,
    ("metrics", False): 9110,
    ("metrics", True): 9110,
}
"""The usual port of a service, without and with implicit TLS."""


def resolve(draft: Draft, machine: Machine) -> Config:
    """Build the configuration from *draft*, whose blocks are complete."""
    server = _server(draft["server"], machine)
    tls = Tls(**draft["tls"])
    domains = tuple(DomainBlock(**block) for block in draft["domains"])
    default_domain = domains[0].name if domains else server.name
    alternate_at = draft["pop3"].get("alternate_at", "")
    notify = {"default_domain": default_domain, "alternate_at": alternate_at, **draft["notify"]}
    sections: dict[Service, Draft] = {
        "pop3": {"response_name": server.name, "default_domain": default_domain, **draft["pop3"]},
        "smtp": draft["smtp"],
        "submission": {
            "default_domain": default_domain,
            "alternate_at": alternate_at,
            **draft["submission"],
        },
        "lmtp": draft["lmtp"],
        "notify": {name: notify[name] for name in _names(NotifyDoor) if name in notify},
        "metrics": draft["metrics"],
    }
    log = LogSettings(**draft["log"])
    return Config(
        schema=draft.get("schema", 1),
        server=server,
        tls=tls,
        certificates=tuple(CertificateBlock(**block) for block in draft["certificates"]),
        listeners=_listeners(draft["listeners"], sections, tls, server),
        pop3=built(Pop3, sections["pop3"]),
        smtp=built(Smtp, sections["smtp"]),
        submission=built(Submission, sections["submission"]),
        lmtp=built(Lmtp, sections["lmtp"]),
        queue=built(Queue, draft["queue"]),
        relays=tuple(RelayBlock(**block) for block in draft["relays"]),
        delivery=_delivery(draft["delivery"], server.state),
        notify=_notify(notify, server),
        guard=Guard(**draft["guard"]),
        resolver=Resolving(**draft["resolver"]),
        log=LogSettings(
            format=log.format,
            level=log.level,
            to=Path(_filled(str(log.to), server.state)) if isinstance(log.to, Path) else log.to,
        ),
        metrics=built(Metrics, draft["metrics"]),
        domains=domains,
        accounts=tuple(built(AccountBlock, block) for block in draft["accounts"]),
        sources=tuple(SourceBlock(**block) for block in draft["sources"]),
    )


def _names(settings: type[Any]) -> Iterator[str]:
    return (declared.field for declared in declarations(settings).values())


def built(settings: type[S], draft: Draft) -> S:
    """A table out of its draft, with the tables and blocks that stand within it."""
    values = dict(draft)
    for declared in declarations(settings).values():
        if isinstance(declared, Section):
            values[declared.field] = built(declared.settings, values[declared.field])
        elif isinstance(declared, Blocks):
            values[declared.field] = tuple(
                built(declared.settings, block) for block in values[declared.field]
            )
    return settings(**values)


def _notify(draft: Draft, server: Server) -> Notify:
    webpush = {"contact": f"mailto:{server.admin}", **draft["webpush"]}
    return built(Notify, {**draft, "webpush": webpush})


def _delivery(draft: Draft, state: Path) -> Delivery:
    delivery = Delivery(**draft)
    return attrs.evolve(delivery, path=_filled(delivery.path, state))


def _server(draft: Draft, machine: Machine) -> Server:
    name = draft.get("name", machine.name)
    state = draft.get("state", machine.state)
    socket = draft.get("control_socket", Path("{state}/control.sock"))
    derived = {
        "name": name,
        "admin": Address("postmaster", name),
        "state": state,
        **draft,
        "control_socket": Path(_filled(str(socket), state)),
    }
    return Server(**derived)


def _filled(path: str, state: Path) -> str:
    return str(state / path.removeprefix(_STATE)) if path.startswith(_STATE) else path


def _listeners(
    drafts: Sequence[Draft], sections: dict[Service, Draft], tls: Tls, server: Server
) -> tuple[Listener, ...]:
    if not drafts:
        drafts = [
            {"name": name, "service": service, "bind": ("127.0.0.1",), "port": port, "tls": use}
            for name, service, port, use in _LOOPBACK_LISTENERS
        ]
    return tuple(_listener(draft, sections[draft["service"]], tls, server) for draft in drafts)


def _listener(draft: Draft, section: Draft, tls: Tls, server: Server) -> Listener:
    own = {"socket_owner": server.user, **draft}
    settings = _overridden(section, own.pop("overrides", {}))
    service: Service = own["service"]
    if own.get("socket") is not None:
        own["socket"] = Path(_filled(str(own["socket"]), server.state))
    if "tls" not in own:
        own["tls"] = "off" if own.get("socket") else _usual_tls(service, own.get("port"))
    own.setdefault("port", _PORTS[service, own["tls"] == "implicit"])
    if not own.get("certificate") and tls.mode == "files":
        own["certificate"], own["key"] = tls.certificate, tls.key
    return Listener(**own, settings=built(SERVICE_SECTIONS[service], settings))


def _overridden(section: Draft, own: Draft) -> Draft:
    """What a listener says of its own wins, setting by setting, also within a table."""
    return {
        **section,
        **{
            name: {**section[name], **value} if isinstance(value, dict) else value
            for name, value in own.items()
        },
    }


def _usual_tls(service: Service, port: int | None) -> TlsUse:
    if service == "metrics":
        return "off"
    if service == "notify":
        return "implicit"
    if port in {465, 995}:
        return "implicit"
    return "required-starttls" if service == "submission" else "starttls"
