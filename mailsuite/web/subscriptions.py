"""``/notify/v1/subscriptions`` and what belongs to them: who is told of what, where, and how it went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import attrs

from mailsuite.accounts.refusal import RegistryError, bad
from mailsuite.frontends.http_core import Answer
from mailsuite.model.address import Address
from mailsuite.model.notice import Happening, Kind
from mailsuite.model.rate import Rate
from mailsuite.model.subscription import OWN_PASSWORD
from mailsuite.notify.office import Office
from mailsuite.notify.outgoing.budgets import Budgets
from mailsuite.web.answers import Document, Refused, document, problem
from mailsuite.web.site import Routes, Visit
from mailsuite.wire.basic import CHALLENGE

TESTS: Final = Rate(30, 3600.0)
"""Test notices of one account."""


@attrs.define(eq=False)
class Subscriptions:
    """What can be done with subscriptions. *happened* puts something into the log of an account (as
    INoticeIntake has it); *webpush_key* is ours for Web Push, empty where there is none."""

    office: Office
    happened: Callable[[list[Happening]], Awaitable[None]]
    webpush_key: Callable[[], str]
    now: Callable[[], float]
    """Seconds since the epoch."""
    _tests: Budgets[Address] = attrs.field(init=False)

    @_tests.default
    def _make_tests(self) -> Budgets[Address]:
        return Budgets(TESTS, TESTS.count, self.now)

    def routes(self) -> Routes:
        return {
            "/subscriptions": {"GET": self.list, "POST": self.add},
            "/subscriptions/{id}": {"GET": self.show, "PATCH": self.change, "DELETE": self.remove},
            "/subscriptions/{id}/verify": {"POST": self.verify},
            "/subscriptions/{id}/replay": {"POST": self.replay},
            "/subscriptions/{id}/secret": {"POST": self.secret},
            "/deliveries": {"GET": self.deliveries},
            "/test": {"POST": self.test},
            "/webpush-key": {"GET": self.key},
        }

    async def list(self, visit: Visit) -> Answer:
        """Theirs."""
        return document(200, {"subscriptions": await self.office.of(visit.caller)})

    async def add(self, visit: Visit) -> Answer:
        """One more; a secret that was made for it is told this once."""
        made = await self.office.subscribe(visit.caller, visit.body)
        # A device that went before this was in the book could not take it along.
        if visit.caller.device != OWN_PASSWORD and not await visit.visitors.holds(visit.session):
            await self.office.remove(visit.caller, made.document["id"])
            challenge = CHALLENGE.decode("ascii")
            raise Refused(problem(401, "this password is good no more", www_authenticate=challenge))
        content: Document = {"subscription": made.document}
        if made.secret:
            content["secret"] = made.secret
        answer = document(201, content)
        return attrs.evolve(answer, fields={"location": f"{_path(visit)}/{made.document['id']}"})

    async def show(self, visit: Visit) -> Answer:
        """One of theirs."""
        return document(200, {"subscription": await self.office.one(visit.caller, visit.id)})

    async def change(self, visit: Visit) -> Answer:
        """What may change of it."""
        changed = await self.office.change(visit.caller, visit.id, visit.body)
        return document(200, {"subscription": changed})

    async def remove(self, visit: Visit) -> Answer:
        """It is gone, and all that was kept of it."""
        return document(200, {"subscription": await self.office.remove(visit.caller, visit.id)})

    async def verify(self, visit: Visit) -> Answer:
        """With a code: show that it came. Without one: have another sent."""
        code = visit.body.get("code")
        if code is None:
            return document(202, {"subscription": await self.office.send_code(visit.caller, visit.id)})
        if not isinstance(code, str):
            raise bad("code: expected a text")
        return document(200, {"subscription": await self.office.confirm(visit.caller, visit.id, code)})

    async def secret(self, visit: Visit) -> Answer:
        """Sign with another secret; one that was made for that is told this once."""
        wanted = visit.body.get("secret", "")
        if not isinstance(wanted, str):
            raise bad("secret: expected a text")
        made = await self.office.renew_secret(visit.caller, visit.id, wanted)
        content: Document = {"subscription": made.document}
        if made.secret:
            content["secret"] = made.secret
        return document(200, content)

    async def replay(self, visit: Visit) -> Answer:
        """Tell again what was given up."""
        seq = visit.body.get("seq")
        if not isinstance(seq, int) or isinstance(seq, bool):
            raise bad("seq: expected a whole number, of what was given up")
        return document(200, {"delivery": await self.office.replay(visit.caller, visit.id, seq)})

    async def deliveries(self, visit: Visit) -> Answer:
        """What was tried lately, and what was given up, of one of theirs or of all."""
        id = visit.asked("subscription")
        ids = [id] if id else [each["id"] for each in await self.office.of(visit.caller)]
        letters = [letter for each in ids for letter in await self.office.letters(visit.caller, each)]
        return document(
            200, {"deliveries": await self.office.attempts(visit.caller, id), "given_up": letters}
        )

    async def test(self, visit: Visit) -> Answer:
        """Tell a test notice: by one subscription, or over the streams of the account."""
        account, id = visit.caller.account, visit.body.get("subscription")
        if not self._tests.take(account):
            raise RegistryError("too-many", f"{account} has had {TESTS.count} test notices in an hour")
        if id is None:
            await self.happened([Happening(account, Kind.TEST, self.now())])
            return document(202, {})
        if not isinstance(id, str):
            raise bad("subscription: expected a text")
        return document(200, {"delivery": await self.office.test(visit.caller, id)})

    async def key(self, visit: Visit) -> Answer:
        """What a browser subscribes with (RFC 8292 section 3.2)."""
        key = self.webpush_key()
        if not key:
            raise Refused(problem(404, "there is no Web Push here"))
        return document(200, {"key": key})


def _path(visit: Visit) -> str:
    return bytes(visit.request.path).decode("ascii", "replace")
