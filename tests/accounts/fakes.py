"""Stand-ins for the accounts' tests: cheap hashes that are counted, and attempts to log in."""

from __future__ import annotations

from ipaddress import ip_address

from argon2 import PasswordHasher

from mailsuite.accounts.attempt import LoginAttempt
from mailsuite.model.facts import ConnectionFacts

PEER = ip_address("192.0.2.9")
SECRET = "canary-swordfish"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH = CHEAP.hash(SECRET)


class CountingHasher:
    """argon2 at its cheapest; says what was verified against what."""

    def __init__(self):
        self.verified = []
        self.fails_with = None

    def hash(self, password):
        self._fail()
        return CHEAP.hash(password)

    def verify(self, stored, password):
        self.verified.append((stored, password))
        self._fail()
        return CHEAP.verify(stored, password)

    def _fail(self):
        if self.fails_with is not None:
            raise self.fails_with


def attempt(name="joe@example.net", password=SECRET, default_domain="example.net", service="pop3"):
    facts = ConnectionFacts("s1", "pop3s", service, PEER, 40_000)
    return LoginAttempt(name, password, default_domain, facts)
