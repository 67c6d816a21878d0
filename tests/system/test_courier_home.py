"""Mail of the queue that is ours: circles, and who tells the sender what."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mailsuite.model.account import Account, AccountState
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.envelope import NotifyOn, OutboundEnvelope, OutboundRecipient, RecipientParameters
from tests.system.courier_case import EVE, JOE, POSTMASTER, CourierCase


class Home(CourierCase):
    async def letter(
        self, to: Address, content: bytes = b"Subject: x\r\n\r\n", notify: NotifyOn | None = None
    ) -> None:
        said = RecipientParameters(None if notify is None else frozenset({notify}))
        queuing = self.queue.begin(OutboundEnvelope("id1", JOE, (OutboundRecipient(to, said),), account=JOE))
        queuing.write(content)
        await queuing.prepare()
        await queuing.commit()

    async def add(self, *aliases: Alias) -> None:
        for alias in aliases:
            await self.directory.add_alias(alias)

    async def test_what_was_in_this_maildrop_before_goes_in_a_circle(self) -> None:
        self.begin()
        await self.letter(POSTMASTER, b"Delivered-To: Postmaster@example.net\r\nSubject: x\r\n\r\n")
        await self.empty()
        (notice,) = self.letters_of(JOE)
        self.assertIn(b"Status: 5.4.6\r\n", notice)
        self.assertEqual(self.letters_of(POSTMASTER), ())

    async def test_what_has_passed_too_many_servers_does_too(self) -> None:
        hops = b"Received: from a by b; now\r\n" * 31
        self.begin("[smtp]\nmax_hops = 30")
        await self.letter(POSTMASTER, hops + b"\r\n")
        await self.empty()
        self.assertEqual(self.letters_of(POSTMASTER), ())
        self.sending.use(self.config(f"[queue]\nport = {self.sink.port}\n[smtp]\nmax_hops = 31"))
        await Deferred.fromCoroutine(self.put(POSTMASTER, id="id2", content=hops + b"\r\n"))
        await self.empty()
        self.assertEqual(len(self.letters_of(POSTMASTER)), 1)

    async def test_who_has_asked_is_told(self) -> None:
        self.begin()
        await self.letter(POSTMASTER, notify=NotifyOn.SUCCESS)
        await self.empty()
        (notice,) = self.letters_of(JOE)
        self.assertIn(b"Action: delivered\r\n", notice)

    async def test_who_leads_on_tells_nothing(self) -> None:
        """The next server promises to, once it has taken it."""
        away = Account(Address("away", "example.net"), state=AccountState.FORWARD, forward=EVE)
        await self.directory.add_account(away)
        self.begin()
        await self.letter(away.address, notify=NotifyOn.SUCCESS)
        await self.empty()
        (message,) = self.sink.record.messages
        self.assertEqual(message.taken_for, (str(EVE),))
        self.assertEqual(self.letters_of(JOE), ())
        self.assertIn("NOTIFY=SUCCESS", self.sink.record.told())
        self.assertIn("ORCPT=rfc822;away@example.net", self.sink.record.told())

    async def test_who_leads_to_several_tells_alone(self) -> None:
        both = Address("both", "example.net")
        await self.add(Alias(both, (POSTMASTER, EVE)))
        self.begin()
        await self.letter(both, notify=NotifyOn.SUCCESS)
        await self.empty()
        self.assertEqual(len(self.letters_of(POSTMASTER)), 1)
        self.assertEqual(len(self.letters_of(JOE)), 1)
        self.assertIn("NOTIFY=NEVER", self.sink.record.told())
