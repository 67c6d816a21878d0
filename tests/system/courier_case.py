"""A courier with queue, store and names in memory, and real connections to a sink on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailsuite.concurrent.tasks import Tasks
from mailsuite.concurrent.threads import Inline
from mailsuite.config.load import load
from mailsuite.config.schema import Config
from mailsuite.delivery.arrivals import Arrivals
from mailsuite.delivery.routing import configured_router
from mailsuite.delivery.routing_limits import CatchAllLimits
from mailsuite.delivery.srs import SenderRewriting
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.envelope import NOTHING_SAID, MailParameters, OutboundEnvelope, OutboundRecipient
from mailsuite.model.outbound import QueueEntry, QueueFilter
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from mailsuite.queue.memory import MemoryQueue
from mailsuite.queue.memory_desk import MemoryDesk
from mailsuite.resolver.memory import MemoryResolver
from mailsuite.resolver.question import Type
from mailsuite.sending import Ground, Sending, sending
from mailsuite.store.memory import MemoryStore
from tests.sinks.sink import Sink

JOE = Address("joe", "example.net")
POSTMASTER = Address("postmaster", "example.net")
EVE = Address("eve", "example.org")
MAX = Address("max", "example.org")
ZOE = Address("zoe", "example.org")
LETTER = b"Subject: Hello\r\nMessage-ID: <1@example.net>\r\n\r\n.Hello\r\n"
PATIENCE = 20.0


class CourierCase(TestCase):
    """Mail for example.org goes to ``sink``, which a test may script before it calls begin()."""

    sending: Sending

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.sink = Sink()
        self.sink.__enter__()
        self.addCleanup(self.sink.stop)
        self.queue = MemoryQueue()
        self.desk = MemoryDesk(self.queue)
        self.store = MemoryStore()
        self.directory = MemoryDirectory([Account(JOE), Account(POSTMASTER)])
        self.resolver = MemoryResolver()
        self.resolver.set("example.org", Type.MX, (10, "mx.example.org"))
        self.resolver.set("mx.example.org", Type.A, ip_address("127.0.0.1"))
        self.lines: list[str] = []
        self.rewriting = SenderRewriting(b"k" * 32, time.time)

    def config(self, text: str) -> Config:
        file = Path(self.folder) / "mailsuite.toml"
        if "ignore_target_hosts" not in text:
            text = text.replace("[queue]", "[queue]\nignore_target_hosts = []", 1)
        file.write_text(f'[server]\nname = "mail.example.net"\n{text}')
        return load(file, {}).accepted()

    def begin(self, text: str = "", queue: str = "") -> None:
        """Start it with these settings."""
        config = self.config(f"[queue]\nport = {self.sink.port}\n{queue}\n{text}")
        log = Log(lambda line, level: self.lines.append(line))
        commits = Tasks(lambda failure: self.lines.append(failure.getTraceback()))
        router = configured_router(
            config,
            self.directory,
            CatchAllLimits(reactor.seconds),
            sends=True,
            turn=_no_turn,
            rewriting=self.rewriting,
        )
        ground = Ground(
            reactor=reactor,
            queue=self.queue,
            store=self.store,
            charged=self.store,
            router=router,
            directory=self.directory,
            resolver=self.resolver,
            arrivals=Arrivals(time.time, log),
            threads=Inline(),
            commits=commits,
            metrics=Metrics(),
            log=log,
        )
        self.sending = sending(config, ground)
        self.sending.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.sending.stop()))

    async def put(
        self,
        *recipients: Address,
        sender: Address | None = JOE,
        id: str = "id1",
        content: bytes = LETTER,
        parameters: MailParameters = NOTHING_SAID,
        release: float = 0.0,
        age: float = 0.0,
    ) -> None:
        envelope = OutboundEnvelope(
            id,
            sender,
            tuple(map(OutboundRecipient, recipients)),
            parameters,
            account=sender,
            arrived=time.time() - age,
            release=release,
        )
        queuing = self.queue.begin(envelope)
        queuing.write(content)
        await queuing.prepare()
        await queuing.commit()

    async def until(self, condition: Callable[[], Any]) -> None:
        """Return as soon as it holds; looks whenever the reactor has had a turn."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, "\n".join([*self.lines, self.sink.record.told()]))
            turn: Deferred[None] = Deferred()
            reactor.callLater(0.002, turn.callback, None)
            await turn

    async def empty(self) -> None:
        """Until nothing is in the queue, and nothing owed."""
        await self.until(lambda: not self.queue.messages)

    async def entries(self) -> tuple[QueueEntry, ...]:
        return await self.desk.find(QueueFilter(), time.time())

    async def until_tried(self, tries: int = 1) -> QueueEntry:
        """Until each recipient of the first message has been tried so often; then it as it is."""
        while True:
            (entry, *_) = await self.entries()
            if all(each.tries >= tries for each in entry.recipients):
                return entry
            await self.until(lambda: True)
            turn: Deferred[None] = Deferred()
            reactor.callLater(0.002, turn.callback, None)
            await turn

    async def mend(self) -> None:
        """What waits is tried now, and no destination rests."""
        self.sending.courier.wake()
        await self.desk.retry(QueueFilter(), time.time())

    def letters_of(self, account: Address) -> tuple[bytes, ...]:
        return self.store.contents(account)

    def events(self, name: str) -> list[str]:
        return [line for line in self.lines if f" {name} " in line]


async def _no_turn() -> None:
    return None
