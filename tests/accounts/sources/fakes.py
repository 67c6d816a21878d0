"""A checker that says what the test wants, and a source made of it."""

from __future__ import annotations

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.accounts.sources.health import Health
from mailsuite.accounts.sources.source import Source
from mailsuite.accounts.sources.verdicts import Verdicts
from mailsuite.model.address import Address
from mailsuite.observe.log import Log

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.org")
SECRET = "canary-swordfish"


@implementer(ICredentialsChecker)
class Scripted:
    """Knows one password; or fails, or keeps the question until the test answers it."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, password=SECRET):
        self.password = password
        self.asked = []
        self.raises = None
        self.avatar = b"somebody"
        self.held = None

    def requestAvatarId(self, credentials):
        self.asked.append((credentials.username, credentials.password))
        if self.held is not None:
            waiting = Deferred()
            self.held.append(waiting)
            return waiting
        if self.raises is not None:
            raise self.raises
        if not credentials.checkPassword(self.password.encode()):
            raise UnauthorizedLogin(f"no: {credentials.password!r}")
        return self.avatar


def source(checker, clock, lines=None, *, name="one", accepted=300.0, refused=10.0, timeout=5.0, **other):
    log = Log(lambda line, level: (lines if lines is not None else []).append(line), clock=clock.seconds)
    return Source(
        name=name,
        checker=checker,
        clock=clock,
        health=Health(name, log),
        verdicts=Verdicts(clock.seconds, accepted, refused),
        timeout=timeout,
        **other,
    )
