"""Serve mailboxes of twisted.mail by mailsuite's POP3.

    python pop3_over_a_twisted_mailbox.py PORT MAILDIRS

MAILDIRS/NAME is the maildir of NAME, whose password stands in MAILDIRS/NAME.password. Any other
IMailboxPOP3 will do: put yours into mailbox_of(). (That of twisted.mail.maildir cannot delete on Python 3.)
On this machine alone, for there is no TLS here.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable
from functools import partial
from hmac import compare_digest
from mailbox import Maildir
from pathlib import Path
from typing import IO

from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.mail.interfaces import IMailboxPOP3
from zope.interface import implementer

from mailsuite.accounts.attempt import Granted
from mailsuite.accounts.login import OpenedMaildrop
from mailsuite.concurrent.threads import Pool
from mailsuite.frontends.admission import Admission
from mailsuite.frontends.door import Door
from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.pop3 import Pop3Services, Pop3Session
from mailsuite.model.address import Address
from mailsuite.model.facts import ConnectionFacts
from mailsuite.observe.log import Log
from mailsuite.store.mailbox_store import MailboxStore
from mailsuite.wire.pop3.settings import SessionSettings
from mailsuite.wire.sasl.steps import Claim, PasswordClaim, ScramParameters, ScramQuestion

PORT, MAILDIRS = int(sys.argv[1]), Path(sys.argv[2])
SETTINGS = SessionSettings("localhost", plaintext_login=True, octets=secrets.token_bytes, seconds=time.time)


@implementer(IMailboxPOP3)
class StandardMailbox:
    """A mailbox of Python's standard library."""

    def __init__(self, mailbox: Maildir) -> None:
        self._mailbox, self._keys = mailbox, sorted(mailbox.keys())
        self._marked: set[int] = set()

    def listMessages(self, i: int | None = None) -> int | list[int]:
        sizes = [
            0 if n in self._marked else len(self._mailbox.get_bytes(key)) for n, key in enumerate(self._keys)
        ]
        return sizes if i is None else sizes[i]

    def getMessage(self, i: int) -> IO[bytes]:
        return self._mailbox.get_file(self._keys[i])

    def getUidl(self, i: int) -> bytes:
        return self._keys[i].encode()

    def deleteMessage(self, i: int) -> None:
        self._marked.add(i)

    def undeleteMessages(self) -> None:
        self._marked.clear()

    def sync(self) -> None:
        for i in self._marked:
            self._mailbox.discard(self._keys[i])


async def mailbox_of(account: Address) -> tuple[IMailboxPOP3, Callable[[], object]]:
    """Open a mailbox; and what is called when the session has ended."""
    mailbox = Maildir(MAILDIRS / account.local)
    return StandardMailbox(mailbox), mailbox.close


async def login(claim: Claim, facts: ConnectionFacts) -> OpenedMaildrop:
    """Whoever shows the right password gets the maildrop."""
    if not isinstance(claim, PasswordClaim) or not claim.authcid.isalnum():
        raise UnauthorizedLogin
    file = MAILDIRS / f"{claim.authcid}.password"
    password = file.read_bytes().rstrip(b"\n") if file.exists() else b""
    if not password or not compare_digest(password, claim.password.encode()):
        raise UnauthorizedLogin
    account = Address(claim.authcid, "localhost")
    return OpenedMaildrop(await store.open_maildrop(account), Granted(account))


async def scram(question: ScramQuestion, facts: ConnectionFacts) -> ScramParameters:
    raise RuntimeError("no mechanism is offered that asks this")


def show(line: str, level: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


log = Log(show)
threads = Pool(reactor, "files", size=4, queue=100)
store = MailboxStore(mailbox_of, threads)
services = Pop3Services(lambda facts: SETTINGS, login, scram)
session = partial(Pop3Session, Door("pop3", "example", reactor, log, idle_timeout=600.0), services)
admission = Admission(total=100, per_address=0)
port = reactor.listenTCP(
    PORT,
    SessionFactory(reactor, session, admission, b"-ERR [SYS/TEMP] Too many\r\n", log),
    interface="127.0.0.1",
)
threads.start()
reactor.addSystemEventTrigger("after", "shutdown", threads.stop)
log.info("example.ready", port=port.getHost().port)
reactor.run()
