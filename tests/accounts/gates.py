"""A directory with one account of every kind that is refused, and the gate before it."""

from __future__ import annotations

from ipaddress import ip_network

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.accounts.gate import Gate
from mailsuite.accounts.keyring import Keyring
from mailsuite.accounts.vault import Vault
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, AccountState
from mailsuite.model.address import Address
from mailsuite.model.device import Device, Scope
from mailsuite.observe.log import Log
from tests.accounts.fakes import HASH, SECRET

JOE = Account(Address("joe", "example.net"), password_hash=HASH)
DUMB = Account(Address("dumb", "example.net"))
BROKEN = Account(Address("broken", "example.net"), password_hash="canary-plain-text")
OFF = Account(Address("off", "example.net"), password_hash=HASH, state=AccountState.OFF)
FORWARD = Account(Address("forward", "example.net"), password_hash=HASH, state=AccountState.FORWARD)
SENDER = Account(Address("sender", "example.net"), password_hash=HASH, pop3=False)
STRICT = Account(Address("joe", "strict.example"), password_hash=HASH)
ACCOUNTS = (JOE, DUMB, BROKEN, OFF, FORWARD, SENDER, STRICT)

NOON = 1_700_000_000.0
RING = Keyring.new()
OLD = frozenset({"apop", "cram-md5", "ntlm"})
IMPOSSIBLE = (
    "",
    "@",
    "..",
    "../joe",
    "joe/../ann",
    "joe\0",
    "j*e",
    "joe\r\n",
    "\u212aoe",
    "x" * 400,
    "joe@\udc80",
)


def password_of(name):
    """Of the device of that name."""
    return f"canary-{name}-burim"


def sealed(account, id, password, recoverable=False):
    return run_now(Vault(RING, Inline()).seal_device(account.address, id, password, recoverable))


def device(account, name, **others):
    id = f"{account.address}/{name}"
    recoverable = bool(others.get("mechanisms"))
    return Device(id, name, sealed(account, id, password_of(name), recoverable), **others)


DEVICES = (
    (JOE, device(JOE, "phone")),
    (JOE, device(JOE, "eudora", mechanisms=OLD)),
    (JOE, device(JOE, "send-only", scopes=frozenset({Scope.SUBMISSION}), mechanisms=OLD)),
    (JOE, device(JOE, "office", networks=(ip_network("198.51.100.0/24"),), mechanisms=OLD)),
    (JOE, device(JOE, "late", expires=NOON, mechanisms=OLD)),
    (JOE, device(JOE, "apop-only", mechanisms=frozenset({"apop"}))),
    (DUMB, device(DUMB, "dumb-phone")),
    (OFF, device(OFF, "off-phone", mechanisms=OLD)),
    (SENDER, device(SENDER, "sender-phone", mechanisms=OLD)),
    (STRICT, device(STRICT, "strict-phone", mechanisms=OLD)),
)
VERIFIERS = {
    account.address: run_now(Vault(RING, Inline()).seal_verifiers(account.address, SECRET, HASH))
    for account in (JOE, OFF, FORWARD, SENDER, STRICT)
}


class CountingRing:
    """The keyring; says how often something was opened."""

    def __init__(self):
        self.opened = 0

    def unseal(self, sealed, about):
        self.opened += 1
        return RING.unseal(sealed, about)

    def __getattr__(self, name):
        return getattr(RING, name)


class CountingDirectory(MemoryDirectory):
    """The directory; says what it was asked."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.asked = []

    async def account(self, address):
        self.asked.append("account")
        return await super().account(address)

    async def devices(self, account, elsewhere=False):
        self.asked.append("devices")
        return await super().devices(account, elsewhere)

    async def verifiers(self, account, elsewhere=False):
        self.asked.append("verifiers")
        return await super().verifiers(account, elsewhere)


class GateCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(NOON)
        self.lines = []
        self.log = Log(lambda line, level: self.lines.append(line))
        self.directory = CountingDirectory(ACCOUNTS)
        for account, owned in DEVICES:
            self.do(self.directory.add_device(account.address, owned))
        for address, verifiers in VERIFIERS.items():
            self.do(self.directory.keep_verifiers(address, verifiers))
        self.ring = CountingRing()
        self.vault = Vault(self.ring, Inline())
        self.gate = Gate(self.directory, self.vault, self.clock.seconds, self.log)

    def do(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def break_seal(self, account, name):
        """The sealed secret of this device was damaged."""
        for owned in self.do(self.directory.devices(account.address)):
            if owned.name == name:
                self.do(self.directory.remove_device(account.address, owned.id))
                broken = Device(owned.id, owned.name, b"broken" + owned.sealed, mechanisms=owned.mechanisms)
                self.do(self.directory.add_device(account.address, broken))
