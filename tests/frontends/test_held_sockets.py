"""Mail that is to be sent later, from a program to the queue: configuration, TLS, login, and what is refused
(RFC 4865; features row U-05)."""

from __future__ import annotations

import datetime
import smtplib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import attrs
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailsuite.accounts.attempt import Attempt, Granted
from mailsuite.delivery.logins import Login as SubmitterLogin
from mailsuite.delivery.logins import Scram
from mailsuite.delivery.reception import Services
from mailsuite.frontends.doors import Doors
from mailsuite.frontends.smtp_plan import MailTaking
from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundRecipient
from mailsuite.policy.chain import Chain
from mailsuite.policy.recipients import Recipients
from mailsuite.policy.relaying import Relaying
from mailsuite.policy.sender import Sender
from mailsuite.queue.memory import MemoryQueue, Queued
from mailsuite.store.memory import MemoryStore
from tests.frontends.planned import DOMAIN, DOOR, Logins, World
from tests.frontends.test_sockets import PATIENCE

T = TypeVar("T")
JOE, EVE = Address("joe", "example.test"), Address("eve", "example.org")
LETTER = "From: joe@example.test\r\nSubject: later\r\n\r\nLater.\r\n"


class KnownLogins(Logins):
    """Everybody is joe."""

    async def login_submitter(self, attempt: Attempt) -> Any:
        return Granted(JOE)


class Holding(World):
    """A server with an outbound queue."""

    def __init__(self, directory: Path, text: str) -> None:
        self.queue: MemoryQueue | None = MemoryQueue()
        self.store = MemoryStore()
        super().__init__(directory, text)
        self.logins = KnownLogins()
        self.plan(self.config)

    def reception(self, settings: MailTaking, login: SubmitterLogin, scram: Scram) -> Services:
        return attrs.evolve(
            super().reception(settings, login, scram),
            store=self.store,
            policy=Chain((Sender(), Relaying(sends=True), Recipients()), self.log),
            seconds=time.time,
            queue=self.queue,
        )


def holding(directory: Path, section: str = "", service: str = "submission") -> Holding:
    door = DOOR.format(service=service)
    return Holding(directory, f'{DOMAIN}[{service}]\n{section}\n{door}tls = "implicit"\n')


class HeldTests(TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name)

    async def served(self, world: Holding, act: Callable[[int], T]) -> T:
        """What a client finds at the port of the only listener."""
        doors = Doors(reactor, world.log)
        [listener] = world.listeners.values()
        await doors.open({listener.name: listener.places})
        doors.turn([listener])
        port = int(doors.addresses(listener)[0].rpartition(":")[2])
        try:
            found: T = await deferToThread(act, port)
        finally:
            await doors.drain(0.0)
        assert [line for line in world.lines if "traceback=" in line] == []
        return found

    def client(self, port: int) -> smtplib.SMTP_SSL:
        return smtplib.SMTP_SSL("127.0.0.1", port, "client.example", timeout=PATIENCE)

    async def test_a_message_waits_in_the_queue_and_nowhere_else(self) -> None:
        world = holding(self.folder, "not_offered = []")

        def act(port: int) -> str:
            with self.client(port) as client:
                client.ehlo()
                offered: str = client.esmtp_features["futurerelease"]
                client.login("joe@example.test", "secret")
                for option in ("HOLDFOR=3600", f"HOLDUNTIL={offered.split()[1]}"):
                    client.sendmail(
                        str(JOE), [str(JOE), str(EVE)], LETTER, [option], ["ORCPT=rfc822;a+2Bb@example.org"]
                    )
                client.sendmail(str(JOE), [str(JOE)], LETTER)
                return offered

        before = time.time()
        offered = await self.served(world, act)
        after = time.time()
        seconds, latest = offered.split()
        self.assertEqual(seconds, str(30 * 86400))
        until = datetime.datetime.fromisoformat(latest).timestamp()
        assert before + 30 * 86400 - 1 <= until <= after + 30 * 86400
        assert world.queue is not None
        first, second = world.queue.messages
        self.check(first)
        self.check(second)
        assert before + 3600 <= first.envelope.release <= after + 3600
        self.assertEqual(second.envelope.release, until)
        self.assertEqual(len(world.store.contents(JOE)), 1, "the one that was not to wait")
        self.assertEqual(len([line for line in world.lines if " held_until=" in line]), 2)

    def check(self, queued: Queued) -> None:
        envelope = queued.envelope
        self.assertEqual([each.address for each in envelope.recipients], [JOE, EVE])
        self.assertEqual((envelope.sender, envelope.account), (JOE, JOE))
        self.assertEqual(
            {each.parameters.original for each in envelope.recipients}, {"rfc822;a+b@example.org"}
        )
        self.assertIsInstance(envelope.recipients[0], OutboundRecipient)
        self.assertTrue(queued.content.endswith(b"\r\n\r\nLater.\r\n"))

    async def test_what_is_refused(self) -> None:
        world = holding(self.folder, 'future_release = "1h"\nnot_offered = []')

        def act(port: int) -> list[bytes]:
            with self.client(port) as client:
                client.ehlo()
                replies = [b"%d %s" % client.mail(str(JOE), ["HOLDFOR=60"])]
                client.login("joe@example.test", "secret")
                for option in ("HOLDFOR=3601", "HOLDFOR=0", "HOLDUNTIL=2020-01-01T00:00:00Z"):
                    replies.append(b"%d %s" % client.mail(str(JOE), [option]))
                replies.append(b"%d %s" % client.mail(str(JOE), ["HOLDFOR=60"]))
                replies.append(b"%d %s" % client.rcpt("nobody@example.test"))
                client.rcpt(str(EVE))
                client.close()
                return replies

        replies = [reply[:10] for reply in await self.served(world, act)]
        self.assertEqual(
            replies,
            [b"530 5.7.0 ", b"501 5.5.4 ", b"501 5.5.4 ", b"501 5.5.4 ", b"250 2.1.0 ", b"550 5.1.1 "],
        )
        assert world.queue is not None
        self.assertEqual(world.queue.messages, ())
        self.assertEqual(world.store.contents(JOE), ())

    async def test_where_it_is_not_offered(self) -> None:
        worlds = [
            holding(self.folder, 'future_release = "0s"'),
            holding(self.folder, service="smtp"),
        ]
        without = holding(self.folder)
        without.queue = None
        without.plan(without.config)

        def act(port: int) -> tuple[bool, int]:
            with self.client(port) as client:
                client.ehlo()
                if client.has_extn("auth"):
                    client.login("joe@example.test", "secret")
                return client.has_extn("futurerelease"), client.mail(str(EVE), ["HOLDFOR=60"])[0]

        for world in (*worlds, without):
            self.assertEqual(await self.served(world, act), (False, 555))
