"""What one POP3 listener offers to one client."""

from __future__ import annotations

import time

import attrs

from mailsuite.accounts.attempt import LoginRules
from mailsuite.accounts.terms import OwnRetentions, announced
from mailsuite.frontends.stamp import new_stamp
from mailsuite.model.device import IPNetwork
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.retention import Retention
from mailsuite.wire.pop3.settings import SessionSettings


@attrs.define(eq=False)
class Offer:
    """Gives each client a stamp of its own where there is APOP, and announces what holds for all accounts
    (RFC 2449 sections 6.5 and 6.7)."""

    _everybody: SessionSettings
    _rules: LoginRules
    _trusted_networks: tuple[IPNetwork, ...]
    """From where a password may be shown on a clear connection."""
    _own: OwnRetentions
    _announced_for: frozenset[Retention] | None = attrs.field(default=None, init=False)
    _trusted: SessionSettings = attrs.field(init=False)

    @_trusted.default
    def _trust(self) -> SessionSettings:
        return attrs.evolve(self._everybody, plaintext_login=True)

    def __call__(self, facts: ConnectionFacts) -> SessionSettings:
        self._announce()
        is_trusted = any(facts.peer in network for network in self._trusted_networks)
        chosen = self._trusted if is_trusted else self._everybody
        if not self._rules.apop_somewhere:
            return chosen
        return attrs.evolve(chosen, apop_stamp=new_stamp(chosen.response_name, time.time()))

    def _announce(self) -> None:
        """Anew only where an account says something else than before."""
        own = self._own.distinct
        if own is self._announced_for:
            return
        offer, vary = announced(self._rules, own)
        self._everybody = attrs.evolve(self._everybody, offer=offer, terms_vary=vary)
        self._trusted = self._trust()
        self._announced_for = own
