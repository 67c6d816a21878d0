"""Serve mailsuite's maildrops by the POP3 of twisted.mail: or by anything else that takes an IMailboxPOP3.

    python our_maildrop_in_twisted_mail.py PORT STATE ADDRESS

The maildrop of ADDRESS under the state directory STATE; its password is read from standard input. On this
machine alone, for there is no TLS here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.mail.interfaces import IMailboxPOP3
from twisted.mail.pop3 import POP3
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.concurrent.threads import Pool
from mailsuite.model.address import Address
from mailsuite.observe.log import Log
from mailsuite.store.maildir.layout import Layout
from mailsuite.store.maildir.store import MaildirStore
from mailsuite.store.twisted_mailbox import MaildropMailbox

PORT, STATE, ADDRESS = int(sys.argv[1]), sys.argv[2], Address.parse(sys.argv[3]).canonical


@implementer(IRealm)
class Realm:
    """Gives whoever logged in the maildrop, locked until logout."""

    def requestAvatar(self, avatarId: bytes, mind: object, *interfaces: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._open(Address.parse(avatarId.decode())))

    async def _open(self, account: Address) -> tuple[Any, MaildropMailbox, Callable[[], object]]:
        mailbox = MaildropMailbox(await store.open_maildrop(account), threads)
        return IMailboxPOP3, mailbox, mailbox.release


class PatientPOP3(POP3):
    """Twisted's, which answers QUIT at once, but with the answer after the removal."""

    mbox: MaildropMailbox | None

    def do_QUIT(self) -> None:
        if self.mbox is None:
            super().do_QUIT()
        else:
            Deferred.fromCoroutine(self._quit(self.mbox)).addErrback(self._failed)

    async def _quit(self, mailbox: MaildropMailbox) -> None:
        await mailbox.sync()
        await mailbox.release()
        self.successResponse()
        self.transport.loseConnection()

    def _failed(self, failure: Failure) -> None:
        log.failure("example.failed", failure)
        self.failResponse("[SYS/TEMP] Nothing was removed, or not all")
        self.transport.loseConnection()


class PatientFactory(ServerFactory):
    def buildProtocol(self, addr: IAddress | None) -> PatientPOP3:
        protocol = PatientPOP3()
        protocol.factory, protocol.portal = self, Portal(Realm(), [checker])
        return protocol


def show(line: str, level: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


log = Log(show)
threads = Pool(reactor, "files", size=4, queue=100)
store = MaildirStore(Layout(f"{STATE}/mail/{{domain}}/{{local}}"), reactor, threads, log)
checker = InMemoryUsernamePasswordDatabaseDontUse()
checker.addUser(str(ADDRESS).encode(), sys.stdin.readline().strip().encode())
port = reactor.listenTCP(PORT, PatientFactory(), interface="127.0.0.1")
threads.start()
store.start()
reactor.addSystemEventTrigger("after", "shutdown", store.stop)
reactor.addSystemEventTrigger("after", "shutdown", threads.stop)
log.info("example.ready", port=port.getHost().port)
reactor.run()
