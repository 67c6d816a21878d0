"""Which ways to log in each listener offers, as the configuration says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from mailsuite.accounts.attempt import LoginRules
from mailsuite.config.mechanisms import PLAINTEXT, UNDER_TLS
from mailsuite.config.schema import Config, DomainBlock, Listener, Pop3, ServiceSettings, Submission

SASL: Final = (
    "PLAIN",
    "LOGIN",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "CRAM-MD5",
    "NTLM",
)
MECHANISMS: Final = {"pop3": ("USER", "APOP", *SASL), "submission": SASL}
"""All that there is, by service."""


@attrs.frozen
class Offer:
    """What one listener offers to whoever comes the best way, which is under TLS where it has TLS."""

    listener: str
    mechanisms: frozenset[str]
    rules: LoginRules


def offers(config: Config, service: str) -> list[Offer]:
    """Those of all open listeners of a service."""
    found = []
    for block in config.listeners:
        if block.enabled and block.service == service:
            rules = rules_of(block.settings, config.domains)
            found.append(Offer(block.name, frozenset(_mechanisms(block, rules)), rules))
    return found


def rules_of(settings: ServiceSettings, domains: Iterable[DomainBlock]) -> LoginRules:
    """What a listener with these settings says about logins. A domain's own word on APOP counts for its
    accounts, whatever the listener says; where no login is offered there is nothing to say."""
    match settings:
        case Pop3():
            decided = {block.name: block.apop for block in domains if block.apop}
            return LoginRules(settings.default_domain, settings.alternate_at, settings.apop, decided)
        case Submission():
            return LoginRules(settings.default_domain, settings.alternate_at)
    return LoginRules()


def _mechanisms(block: Listener, rules: LoginRules) -> Iterator[str]:
    settings = block.settings
    if not isinstance(settings, Pop3 | Submission):
        return
    names = set(settings.auth)
    clear = block.tls == "off"
    if clear:
        names -= UNDER_TLS
    if isinstance(settings, Pop3):
        if rules.apop_everywhere:
            names -= PLAINTEXT
        elif not clear or settings.trusted_networks:
            yield "USER"
        if rules.apop_somewhere:
            yield "APOP"
    yield from (name.upper() for name in names)
