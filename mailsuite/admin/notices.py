"""``/v1/notices`` of the control API: who is told of what, and how it went (features rows N-05 and N-19).

``GET ?account=&channel=&state=`` lists subscriptions, ``count`` at a time from behind ``after``; ``POST``
makes one. Below it, ``subscriptions/ID`` is one of them, with its verbs as children, and ``key`` what
browsers subscribe with. ``/v1/accounts/ADDRESS/notices`` is the same as the owner of an account has it, with
his rights and limits; ``GET`` there tells of NotifyMail too, and ``test`` below it tries every way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
from twisted.web.resource import Resource
from twisted.web.server import Request

from mailsuite.accounts.refusal import RegistryError, asked_address
from mailsuite.admin.notices_trial import state_document, try_all
from mailsuite.admin.questions import Question, count_of, nothing_else
from mailsuite.admin.resources import (
    Desk,
    Document,
    JsonResource,
    Missing,
    bad_request,
    flag_field,
    text_field,
)
from mailsuite.model.address import Address
from mailsuite.model.subscription import Standing, SubscriptionState
from mailsuite.notify.office import Caller, Made, Office
from mailsuite.notify.own_knocks import OwnKnocks

STATES: Final = tuple(state.value for state in SubscriptionState)


@attrs.frozen
class Notices:
    """Notices, as administrators and owners meet them."""

    office: Office
    knocks: OwnKnocks
    key: Callable[[], str]
    """The public key of VAPID (RFC 8292), as browsers take it; empty where Web Push is off."""
    exists: Callable[[Address], Awaitable[bool]]
    """Whether there is such an account. Raises MailFailure."""

    async def account(self, text: str) -> Address:
        """The account of this address. Raises RegistryError."""
        address = asked_address(text)
        if not await self.exists(address):
            raise RegistryError("not-found", f"there is no account {address}")
        return address


def notices_resource(desk: Desk, notices: Notices) -> Resource:
    """All of it, for administrators."""
    whole = _Whole(notices)
    resource = Question(desk, whole.list, {"POST": whole.add})
    resource.putChild(b"subscriptions", _Subscriptions(desk, notices, None))
    resource.putChild(b"key", JsonResource(desk, {"GET": whole.key}))
    return resource


def owners_notices_resource(desk: Desk, notices: Notices, owner: str) -> Resource:
    """Those of one account, by its address, as its owner has them."""
    theirs = _Theirs(notices, owner)
    resource = Question(desk, theirs.list, {"POST": theirs.add})
    resource.putChild(b"subscriptions", _Subscriptions(desk, notices, owner))
    resource.putChild(b"test", JsonResource(desk, {"POST": theirs.test}))
    return resource


@attrs.frozen
class _Whole:
    """What administrators ask for."""

    notices: Notices

    async def list(self, fields: Document) -> Document:
        count, after = count_of(fields), fields.pop("after", "")
        matching = sorted(filter(_filter_of(fields), self.notices.office.book.all()), key=_place)
        page = [each for each in matching if _place(each) > after][:count]
        documents = [await self._one(each) for each in page]
        is_over = not page or page[-1] is matching[-1]
        return {
            "subscriptions": [each for each in documents if each is not None],
            "total": len(matching),
            "after": None if is_over else _place(page[-1]),
        }

    async def _one(self, standing: Standing) -> Document | None:
        """None: it was removed meanwhile."""
        subscription = standing.subscription
        try:
            return await self.notices.office.one(Caller(subscription.account, is_admin=True), subscription.id)
        except RegistryError as error:
            if error.kind != "not-found":
                raise
            return None

    async def add(self, body: Document) -> tuple[int, Document]:
        fields = dict(body)
        account = await self.notices.account(text_field(fields, "account"))
        verified = flag_field(fields, "verified")
        fields = {name: value for name, value in fields.items() if name not in ("account", "verified")}
        caller = Caller(account, is_admin=True)
        return _made(await self.notices.office.subscribe(caller, fields, verified=verified))

    async def key(self, body: Document) -> tuple[int, Document]:
        key = self.notices.key()
        if not key:
            raise RegistryError("not-found", "Web Push is off: notify.webpush.enabled")
        return 200, {"key": key}


@attrs.frozen
class _Theirs:
    """What the owner of an account asks for."""

    notices: Notices
    owner: str

    async def list(self, fields: Document) -> Document:
        nothing_else(fields)
        account = await self.notices.account(self.owner)
        return {
            "account": str(account),
            "notifymail": state_document(await self.notices.knocks.state(account)),
            "subscriptions": await self.notices.office.of(Caller(account)),
        }

    async def add(self, body: Document) -> tuple[int, Document]:
        caller = Caller(await self.notices.account(self.owner))
        return _made(await self.notices.office.subscribe(caller, body))

    async def test(self, body: Document) -> tuple[int, Document]:
        account = await self.notices.account(self.owner)
        results = await try_all(self.notices.office, self.notices.knocks, Caller(account))
        return 200, {"results": results}


class _Subscriptions(Missing):
    """Each as a child by its id."""

    def __init__(self, desk: Desk, notices: Notices, owner: str | None) -> None:
        super().__init__()
        self._desk = desk
        self._notices = notices
        self._owner = owner

    def getChild(self, path: bytes, request: Request) -> Resource:
        if not path:
            return self
        return _Subscription(self._desk, self._notices, self._owner, path.decode("utf-8", "replace"))


class _Subscription(JsonResource):
    """One of them, and what is done with it."""

    def __init__(self, desk: Desk, notices: Notices, owner: str | None, id: str) -> None:
        super().__init__(desk, {"GET": self._show, "PATCH": self._change, "DELETE": self._remove})
        self._office = notices.office
        self._owner = owner
        self._id = id
        self.putChild(b"deliveries", JsonResource(desk, {"GET": self._deliveries}))
        verbs = {
            b"code": self._send_code,
            b"confirm": self._confirm,
            b"test": self._test,
            b"replay": self._replay,
        }
        for name, verb in verbs.items():
            self.putChild(name, JsonResource(desk, {"POST": verb}))

    def _caller(self) -> Caller:
        """The owner, or an administrator. Raises RegistryError where the subscription is not there."""
        if self._owner is not None:
            return Caller(asked_address(self._owner))
        standing = self._office.book.find(self._id)
        if standing is None:
            raise RegistryError("not-found", f"there is no subscription {self._id[:40]!r}")
        return Caller(standing.subscription.account, is_admin=True)

    async def _show(self, body: Document) -> tuple[int, Document]:
        return 200, {"subscription": await self._office.one(self._caller(), self._id)}

    async def _change(self, body: Document) -> tuple[int, Document]:
        return 200, {"subscription": await self._office.change(self._caller(), self._id, body)}

    async def _remove(self, body: Document) -> tuple[int, Document]:
        return 200, {"subscription": await self._office.remove(self._caller(), self._id)}

    async def _deliveries(self, body: Document) -> tuple[int, Document]:
        caller = self._caller()
        return 200, {
            "attempts": await self._office.attempts(caller, self._id),
            "given_up": await self._office.letters(caller, self._id),
        }

    async def _send_code(self, body: Document) -> tuple[int, Document]:
        return 200, {"subscription": await self._office.send_code(self._caller(), self._id)}

    async def _confirm(self, body: Document) -> tuple[int, Document]:
        code = text_field(body, "code")
        return 200, {"subscription": await self._office.confirm(self._caller(), self._id, code)}

    async def _test(self, body: Document) -> tuple[int, Document]:
        return 200, {"attempt": await self._office.test(self._caller(), self._id)}

    async def _replay(self, body: Document) -> tuple[int, Document]:
        seq = body.get("seq")
        if not isinstance(seq, int) or isinstance(seq, bool):
            raise bad_request("seq is missing" if seq is None else "seq is no number")
        return 200, {"attempt": await self._office.replay(self._caller(), self._id, seq)}


def _made(made: Made) -> tuple[int, Document]:
    """The secret is told this once."""
    return 201, {"subscription": made.document, "secret": made.secret or None}


def _place(standing: Standing) -> str:
    """Where it stands in the list: by account."""
    subscription = standing.subscription
    return f"{subscription.account} {subscription.id}"


def _filter_of(fields: Document) -> Callable[[Standing], bool]:
    account, channel = fields.pop("account", None), fields.pop("channel", None)
    state = fields.pop("state", None)
    nothing_else(fields)
    whose = None if account is None else asked_address(account)
    if state is not None and state not in STATES:
        raise bad_request(f"state is none of {', '.join(STATES)}")

    def matches(standing: Standing) -> bool:
        subscription = standing.subscription
        return (
            whose in (None, subscription.account)
            and channel in (None, subscription.channel)
            and state in (None, subscription.state.value)
        )

    return matches
