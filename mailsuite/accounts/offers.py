"""Which ways to log in each listener offers, as the configuration says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import Final

import attrs

from mailsuite.accounts.attempt import LoginRules
from mailsuite.accounts.gate import SHOWN
from mailsuite.config.mechanisms import PLAINTEXT, SASL_NAMES, UNDER_TLS
from mailsuite.config.schema import (
    Config,
    DomainBlock,
    Listener,
    NotifyDoor,
    Pop3,
    ServiceSettings,
    Submission,
)
from mailsuite.model.account import IPAddress

SASL: Final = tuple(name.upper() for name in SASL_NAMES)
MECHANISMS: Final = {"pop3": ("USER", "APOP", *SASL), "submission": SASL}
"""All that there is, by service."""
_BOUND: Final = frozenset(name.upper() for name in UNDER_TLS - PLAINTEXT)
"""To the channel: nobody may do without TLS."""


@attrs.frozen
class Offer:
    """What one listener offers to whoever comes the best way: under TLS where it has TLS, else from a network
    that it trusts."""

    listener: str
    mechanisms: frozenset[str]
    rules: LoginRules
    named: frozenset[str]
    """What its settings name, be it offered to anybody or not."""
    clear: bool = False
    """There is no TLS."""
    trusted: tuple[IPv4Network | IPv6Network, ...] = ()
    """Who may show a password without TLS."""

    def needs_trust(self, mechanism: str) -> bool:
        """Whether this mechanism is for trusted networks only."""
        return self.clear and mechanism in SHOWN

    def allows(self, mechanism: str, peer: IPAddress | None) -> bool:
        """Whether it is offered to *peer*; None: to anybody."""
        if mechanism not in self.mechanisms:
            return False
        return peer is None or not self.needs_trust(mechanism) or _is_in(peer, self.trusted)


def _is_in(peer: IPAddress, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(peer in network for network in networks)


def offers(config: Config, service: str) -> list[Offer]:
    """Those of all open listeners of a service."""
    return [
        _offer(block, rules_of(block.settings, config.domains))
        for block in config.listeners
        if block.enabled and block.service == service
    ]


def _offer(block: Listener, rules: LoginRules) -> Offer:
    settings, clear = block.settings, block.tls == "off"
    trusted = settings.trusted_networks if isinstance(settings, Pop3) else ()
    named = frozenset(_named(settings, rules))
    offered = set(named)
    if clear:
        offered -= _BOUND if trusted else SHOWN | _BOUND
    if isinstance(settings, Pop3) and rules.apop_everywhere:
        offered -= SHOWN
    return Offer(block.name, frozenset(offered), rules, named, clear, trusted)


def rules_of(settings: ServiceSettings, domains: Iterable[DomainBlock]) -> LoginRules:
    """What a listener with these settings says about logins. A domain's own word counts for its accounts,
    whatever the listener says; where no login is offered there is nothing to say."""
    match settings:
        case Pop3():
            blocks = tuple(domains)
            return LoginRules(
                settings.default_domain,
                settings.alternate_at,
                settings.apop,
                {block.name: block.apop for block in blocks if block.apop},
                login_delay=settings.login_delay,
                domain_login_delay={
                    block.name: block.login_delay for block in blocks if block.login_delay is not None
                },
                retention=settings.retention,
                domain_retention={
                    block.name: block.retention for block in blocks if block.retention is not None
                },
                max_sessions=settings.max_connections_per_account,
                takeover=settings.takeover,
            )
        case Submission() | NotifyDoor():
            return LoginRules(settings.default_domain, settings.alternate_at)
    return LoginRules()


def mechanisms_of(settings: ServiceSettings) -> tuple[str, ...]:
    """The SASL mechanisms that a service may offer, by their registered names."""
    return tuple(name.upper() for name in settings.auth) if isinstance(settings, Pop3 | Submission) else ()


def _named(settings: ServiceSettings, rules: LoginRules) -> Iterator[str]:
    if isinstance(settings, Pop3):
        yield "USER"
        if rules.apop_somewhere:
            yield "APOP"
    yield from mechanisms_of(settings)
