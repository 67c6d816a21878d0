"""A maildrop over TLS for one user, for the client to look at."""

from __future__ import annotations

import attrs
from twisted.internet import reactor
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.protocols.basic import LineReceiver

from mailsuite.client.pop3 import Login


@attrs.define(eq=False)
class Maildrop:
    """What it holds, and who may look: by name, whatever password of *passwords*."""

    name: str
    passwords: list[str]
    uidls: list[str] = attrs.field(factory=list)
    login_delay: int = 0
    logins: list[Login] = attrs.field(factory=list)

    def listen(self, context: DefaultOpenSSLContextFactory) -> IListeningPort:
        factory = Factory.forProtocol(lambda: _Session(self))
        port: IListeningPort = reactor.listenSSL(0, factory, context, interface="127.0.0.1")
        return port


class _Session(LineReceiver):
    def __init__(self, maildrop: Maildrop) -> None:
        self.maildrop = maildrop
        self.name = ""

    def connectionMade(self) -> None:
        self.sendLine(b"+OK ready")

    def lineReceived(self, line: bytes) -> None:
        verb, _, rest = line.decode().partition(" ")
        maildrop = self.maildrop
        match verb:
            case "CAPA":
                delay = [f"LOGIN-DELAY {maildrop.login_delay}"] if maildrop.login_delay else []
                self.several(["UIDL", *delay])
            case "USER":
                self.name = rest
                self.sendLine(b"+OK")
            case "PASS" if self.name == maildrop.name and rest in maildrop.passwords:
                maildrop.logins.append(Login(self.name, rest))
                self.sendLine(b"+OK")
            case "UIDL":
                self.several([f"{number} {uidl}" for number, uidl in enumerate(maildrop.uidls, 1)])
            case "QUIT":
                self.sendLine(b"+OK")
            case _:
                self.sendLine(b"-ERR [AUTH] no")

    def several(self, lines: list[str]) -> None:
        for line in ["+OK", *lines, "."]:
            self.sendLine(line.encode())
