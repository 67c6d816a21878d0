"""What an administrator does to the outbound queue: each change names what it means, and leaves its trace in
the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any, Final, Protocol

import attrs
from twisted.web.server import Request

from mailsuite.accounts.refusal import asked_address
from mailsuite.admin.queue_documents import filter_of, words_of
from mailsuite.admin.resources import (
    Desk,
    Document,
    JsonResource,
    bad_request,
    flag_field,
    text_field,
)
from mailsuite.config.kinds import BadValue, Text
from mailsuite.frontends.unix import caller_of
from mailsuite.interfaces import IQueueDesk
from mailsuite.interfaces.queue import Changed
from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.model.outbound import QueueFilter, QueueState
from mailsuite.model.reply import GIVEN_UP_BY_ADMINISTRATOR, given_up_by_administrator

IDS_IN_A_LINE: Final = 15
"""Of the log, whose fields have 300 characters."""
_REASON: Final = Text(200, r"[ -~]+", "The newsletter of March was sent twice")
"""What another server could have said: visible ASCII."""


class Change(Protocol):
    """A verb of IQueueDesk with all that it needs beside these."""

    def __call__(self, which: QueueFilter, now: float, *, changed: Changed) -> Awaitable[int]: ...


@attrs.frozen
class Verb:
    """One of them: how the log calls what was done, and what a request has to say for it."""

    done: str
    prepare: Callable[[IQueueDesk, Document], tuple[Change, Document]]
    """To the change, and the fields of its line in the log. Raises ApiError."""
    fields: frozenset[str] = frozenset()
    """What a request may say beside the usual."""
    wakes: bool = False
    """Destinations that could not be reached are worth a try again."""


def _hold(desk: IQueueDesk, body: Document) -> tuple[Change, Document]:
    return desk.hold, {}


def _release(desk: IQueueDesk, body: Document) -> tuple[Change, Document]:
    return desk.release, {}


def _retry(desk: IQueueDesk, body: Document) -> tuple[Change, Document]:
    return desk.retry, {}


def _remove(desk: IQueueDesk, body: Document) -> tuple[Change, Document]:
    return desk.remove, {}


def _bounce(desk: IQueueDesk, body: Document) -> tuple[Change, Document]:
    reply = GIVEN_UP_BY_ADMINISTRATOR
    if "reason" in body:
        try:
            reply = given_up_by_administrator(_REASON.parse(text_field(body, "reason"), Path("/")))
        except BadValue as error:
            raise bad_request(f"reason: {error}") from error

    def bounce(which: QueueFilter, now: float, *, changed: Changed) -> Awaitable[int]:
        return desk.bounce(which, now, reply, changed)

    return bounce, {"reason": " ".join(reply.text)}


def _redirect(desk: IQueueDesk, body: Document) -> tuple[Change, Document]:
    text = text_field(body, "to")
    try:
        to = Address.parse(text)
    except AddressSyntaxError as error:
        raise bad_request(f"to: {text!r} is no address: {error}") from error

    def redirect(which: QueueFilter, now: float, *, changed: Changed) -> Awaitable[int]:
        return desk.redirect(which, now, to, changed)

    return redirect, {"to": to}


VERBS: Final = {
    "hold": Verb("held", _hold),
    "release": Verb("released", _release),
    "retry": Verb("retried", _retry, wakes=True),
    "remove": Verb("removed", _remove),
    "bounce": Verb("bounced", _bounce, frozenset({"reason"})),
    "redirect": Verb("redirected", _redirect, frozenset({"to"})),
}
OWNERS_VERBS: Final = ("release", "remove")
"""What somebody may do with his own mail, while it waits for the time that he chose."""
_USUAL: Final = frozenset({"filter", "all", "dry_run"})


class Place(Protocol):
    """Where the changes are made."""

    @property
    def queue(self) -> IQueueDesk: ...

    def now(self) -> float:
        """Seconds since the epoch."""

    def wake(self) -> None:
        """Whoever sends forgets what could not be reached. Raises nothing."""


class ChangeResource(JsonResource):
    """``POST {"filter": {...}}`` or ``{"all": true}``, with ``"dry_run": true`` to be told how many match.

    Answers how many match, and how many were changed: what is held already is not held again. For an
    *owner*, it means his own mail that waits for its time.
    """

    def __init__(self, desk: Desk, verb: Verb, place: Place, owner: str | None) -> None:
        super().__init__(desk, {"POST": self._unasked})
        self._verb = verb
        self._place = place
        self._queue = place.queue
        self._now = place.now
        self._owner = owner

    async def _unasked(self, body: Document) -> tuple[int, Document]:
        raise AssertionError("render() asks a resource of its own")

    def render(self, request: Request) -> Any:
        """What a resource made for this one caller answers."""
        channel: Any = request.channel
        caller = caller_of(channel.transport)

        async def change(body: Document) -> tuple[int, Document]:
            return 200, await self._change(body, caller)

        return JsonResource(self._desk, {"POST": change}).render(request)

    async def _change(self, body: Document, caller: int | None) -> Document:
        which = self._which(body)
        change, details = self._verb.prepare(self._queue, body)
        dry_run = flag_field(body, "dry_run")
        now = self._now()
        matched = await self._queue.count(which, now)
        done = 0 if dry_run else await self._carry_out(which, now, change, details, caller)
        return {"matched": matched, "changed": done, "dry_run": dry_run}

    def _which(self, body: Document) -> QueueFilter:
        if unknown := sorted(set(body) - _USUAL - self._verb.fields):
            raise bad_request(f"nothing here is called {unknown[0]!r}")
        fields = body.get("filter", {})
        if not isinstance(fields, dict):
            raise bad_request("filter is no object")
        which = filter_of(fields)
        if flag_field(body, "all") is bool(fields):
            raise bad_request("either a filter says which messages are meant, or all is true")
        if self._owner is None:
            return which
        if which.account is not None or which.state is not None:
            raise bad_request("account and state have no place in this filter")
        return attrs.evolve(which, account=asked_address(self._owner), state=QueueState.WAITING)

    async def _carry_out(
        self, which: QueueFilter, now: float, change: Change, details: Document, caller: int | None
    ) -> int:
        log = self._desk.log.bind(user=caller, done=self._verb.done)
        done = 0

        def changed(ids: Collection[str]) -> None:
            nonlocal done
            done += len(ids)
            names = list(ids)
            for start in range(0, len(names), IDS_IN_A_LINE):
                log.info("queue.changed", ids=" ".join(names[start : start + IDS_IN_A_LINE]), **details)

        if self._verb.wakes:
            self._place.wake()
        try:
            return await change(which, now, changed=changed)
        finally:
            log.info("queue.change_ended", which=words_of(which), messages=done, **details)
