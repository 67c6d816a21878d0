"""Stand-ins for the accounts' tests: cheap hashes that are counted, threads that wait to be told."""

from __future__ import annotations

from ipaddress import ip_address

from argon2 import PasswordHasher
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.accounts.attempt import LoginAttempt
from mailsuite.interfaces import IThreads
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


@implementer(IThreads)
class HeldThreads:
    """Does the work when the test says so."""

    def __init__(self):
        self.held = []

    async def run(self, work):
        done = Deferred()
        self.held.append((done, work))
        return await done

    def release(self):
        done, work = self.held.pop(0)
        result = work()
        if not done.called:
            done.callback(result)


def attempt(name="joe@example.net", password=SECRET, default_domain="example.net", service="pop3"):
    facts = ConnectionFacts("s1", "pop3s", service, PEER, 40_000)
    return LoginAttempt(name, password, default_domain, facts)
