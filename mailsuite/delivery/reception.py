"""What a server does with a session's SMTP events: policy, routing, delivery, and the reply to each.

The shell hands events over one at a time and sends what comes back. A 250 for a message comes after its
commit, never before; a mistake of ours is answered 451 4.3.0 and logged with its traceback.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.delivery import trace
from mailsuite.delivery.router import Router
from mailsuite.delivery.shield import to_its_end
from mailsuite.delivery.transaction import Transaction
from mailsuite.interfaces import IEventBus, IMailStore, IPolicyRule
from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.events import MessageStored
from mailsuite.model.facts import Accept, ConnectionFacts, Copy, RouteKind, Stage, StageFacts
from mailsuite.model.failure import MailFailure
from mailsuite.model.message import Stored
from mailsuite.model.reply import Reply
from mailsuite.observe.log import Log
from mailsuite.wire.sasl.steps import Claim, ScramParameters, ScramQuestion
from mailsuite.wire.smtp.events import BodyEnd, Mail, Recipient


class Grant(Protocol):
    """Who it is, and by what: accounts/attempt.py's Granted."""

    @property
    def account(self) -> Address: ...

    @property
    def device(self) -> Device | None: ...

    @property
    def signature(self) -> bytes: ...


Login = Callable[[Claim, ConnectionFacts], Awaitable[Grant]]
"""Answers whose claim it is. Raises UnauthorizedLogin, or MailFailure where that cannot be known now."""
Scram = Callable[[ScramQuestion, ConnectionFacts], Awaitable[ScramParameters]]
"""Answers for any name. Raises MailFailure where that cannot be known now."""


def new_message_id() -> str:
    """An id that no other message has: 64 random bits in hexadecimal, an RFC 5322 atom."""
    return secrets.token_hex(8)


@attrs.frozen
class Services:
    """What all sessions of a listener share. receive() begins one of them."""

    hostname: str
    store: IMailStore
    router: Router
    policy: IPolicyRule
    bus: IEventBus
    login: Login
    scram: Scram
    seconds: Callable[[], float]
    """Since the epoch."""
    log: Log
    new_id: Callable[[], str] = new_message_id
    commits: Tasks = attrs.field()
    """Commits and aborts under way. They outlive their sessions: a stopping server waits for
    ``commits.finished()`` before it closes the store, and never cancels them."""

    @commits.default
    def _make_commits(self) -> Tasks:
        return Tasks(lambda failure: self.log.failure("smtp.failed", failure))

    def receive(self, facts: ConnectionFacts, log: Log) -> Reception:
        """Begin the reception of one session; *log* carries its id."""
        return Reception(self, facts, log)


@attrs.frozen
class Receipt:
    """What the log will say of a message, kept while it is committed."""

    id: str
    sender: Address | None
    size: int
    began: float


@attrs.define(eq=False)
class Reception:
    """One SMTP session's business. At any time at most one transaction is open.

    Every delivery that is begun ends: committed by end(), or aborted by end(), reset(), hello(),
    tls_started() or closed().
    """

    _services: Services
    facts: ConnectionFacts
    _log: Log
    _sender: Address | None = attrs.field(default=None, init=False)
    _copies: dict[Address, Copy] = attrs.field(factory=dict, init=False)
    """By account: whoever is named twice gets one copy, as they were named first (RFC 5321 section 4.5.3.1.8
    bounds the recipients, the protocol counts; the router bounds the accounts that one of them leads to)."""
    _named: set[Address] = attrs.field(factory=set, init=False)
    """The recipients that were accepted."""
    _began: float = attrs.field(default=0.0, init=False)
    _id: str = attrs.field(default="", init=False)
    _transaction: Transaction | None = attrs.field(default=None, init=False)
    _trouble: Reply = attrs.field(default=replies.INTERNAL_ERROR, init=False)
    """What end() answers where the transaction broke before."""
    _closed: bool = attrs.field(default=False, init=False)

    def hello(self, name: str, extended: bool) -> None:
        """HELO or EHLO; clears the transaction (RFC 5321 section 4.1.4)."""
        self.reset()
        self.facts = attrs.evolve(self.facts, helo=name, esmtp=extended)

    def tls_started(self, tls: str) -> None:
        """TLS runs from here: forget all that was said in clear (RFC 3207 section 4.2)."""
        self.reset()
        self.facts = attrs.evolve(self.facts, tls=tls, helo="", esmtp=False, account=None, device="")

    async def authenticate(self, claim: Claim) -> tuple[Reply, bytes]:
        """Judge a claim; answers the reply, and SCRAM's signature where the claim was such a one.

        From a 235 on the session belongs to an account (RFC 4954 section 4). Whatever keeps us from judging
        is 454, the one temporary reply that section 6 gives to AUTH.
        """
        try:
            granted = await self._services.login(claim, self.facts)
        except UnauthorizedLogin:
            return replies.AUTHENTICATION_FAILED, b""
        except CancelledError:
            raise
        except Exception as error:
            self._no(error)
            return replies.AUTHENTICATION_UNAVAILABLE, b""
        device = granted.device
        self.facts = attrs.evolve(
            self.facts, account=granted.account, device=device.id if device is not None else ""
        )
        self._log.info(
            "submission.login",
            account=granted.account,
            mechanism=claim.mechanism,
            tls=self.facts.tls,
            device=device.name if device is not None else "",
        )
        return replies.AUTHENTICATION_SUCCEEDED, granted.signature

    async def scram(self, question: ScramQuestion) -> ScramParameters | Reply:
        """What SCRAM needs of an account; 454 where that cannot be known now."""
        try:
            return await self._services.scram(question, self.facts)
        except CancelledError:
            raise
        except Exception as error:
            self._no(error)
            return replies.AUTHENTICATION_UNAVAILABLE

    async def mail(self, event: Mail) -> Reply:
        """MAIL FROM: begin an envelope where policy has nothing against it."""
        self.reset()
        refusal = await self._judge(StageFacts(Stage.MAIL, self.facts, event.sender))
        if refusal is not None:
            self._log.info("smtp.sender_refused", sender=_shown(event.sender), **_codes(refusal))
            return refusal
        self._sender = event.sender
        self._began = self._services.seconds()
        return replies.SENDER_OK

    async def recipient(self, event: Recipient) -> Reply:
        """RCPT TO: add a local recipient to the envelope where policy has nothing against it."""
        refusal = await self._add(event.address)
        if refusal is None:
            return replies.RECIPIENT_OK
        sender = _shown(self._sender)
        self._log.info("smtp.recipient_refused", sender=sender, recipient=event.address, **_codes(refusal))
        return refusal

    async def start_data(self) -> Reply:
        """DATA: begin a delivery for each recipient, trace fields first. The envelope survives a refusal."""
        if not self._named:
            return replies.NO_VALID_RECIPIENTS
        if self._closed:  # nobody hears this; begin nothing that nobody will end
            return replies.INTERNAL_ERROR
        self._abandon()
        self._transaction = Transaction(self._services.store, self._log)
        try:
            self._id = self._services.new_id()
            self._transaction.begin(tuple(self._copies.values()), self._head())
        except Exception as error:
            self._abandon()
            return self._no(error)
        return replies.START_MAIL_INPUT

    def take(self, chunk: bytes) -> None:
        """Take octets of the body. Never raises: trouble is kept for end()."""
        if self._transaction is None:
            return
        try:
            self._transaction.write(chunk)
        except Exception as error:
            self._break(error)

    @property
    def congested(self) -> bool:
        """Whether the shell should wait for drained() before it takes more."""
        return self._transaction is not None and self._transaction.congested

    async def drained(self) -> None:
        """Return when more can be taken. Never raises anything but its own cancellation."""
        transaction = self._transaction
        if transaction is None:
            return
        try:
            await transaction.drained()
        except CancelledError:
            raise
        except Exception as error:
            if transaction is self._transaction:
                self._break(error)

    async def end(self, event: BodyEnd) -> Reply:
        """The body is whole: deliver it, and answer 250 when it is durable. The envelope is used up.

        From here the client's absence changes nothing: a commit that has begun runs to its end, and so
        does what follows from it.
        """
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            reply = event.defect or self._trouble
        elif event.defect is not None:
            await to_its_end(transaction.abort(), self._services.commits)
            reply = event.defect
        else:
            reply = await to_its_end(self._deliver(transaction, event.size), self._services.commits)
        self.reset()
        if event.defect is not None:
            self._log.info("smtp.message_refused", size=event.size, **_codes(reply))
        return reply

    def reset(self) -> None:
        """Forget the envelope, abort the deliveries (RSET, and what implies it)."""
        self._abandon()
        self._sender = None
        self._copies = {}
        self._named = set()
        self._trouble = replies.INTERNAL_ERROR

    async def closed(self) -> None:
        """The connection is gone. Returns when an open transaction is undone."""
        self._closed = True
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            await to_its_end(transaction.abort(), self._services.commits)

    # What stands behind them

    async def _add(self, recipient: Address) -> Reply | None:
        """Add a recipient; answers the refusal, None where there is none."""
        try:
            route = await self._services.router.route(recipient)
        except CancelledError:
            raise
        except Exception as error:
            return self._no(error)
        facts = StageFacts(Stage.RECIPIENT, self.facts, self._sender, recipient, route)
        refusal = await self._judge(facts)
        if route.dead_end is not None:
            self._log.warning("smtp.forward_stranded", recipient=recipient, account=route.dead_end)
        if refusal is not None:
            return refusal
        if route.kind is not RouteKind.LOCAL or not route.copies:
            # Policy let pass what nobody here can deliver. Whatever it says, there is no way out.
            self._log.error("smtp.undeliverable", recipient=recipient, route=route.kind.value)
            return replies.INTERNAL_ERROR
        self._named.add(recipient)
        for copy in route.copies:
            self._copies.setdefault(copy.account, copy)
        return None

    async def _judge(self, facts: StageFacts) -> Reply | None:
        """Ask policy; answers the refusal, None where there is none."""
        try:
            verdict = await self._services.policy.check(facts)
            return None if isinstance(verdict, Accept) else verdict.reply
        except CancelledError:
            raise
        except Exception as error:
            return self._no(error)

    def _head(self) -> Callable[[Copy], bytes]:
        """What stands in front of the message in each copy."""
        services = self._services
        single = next(iter(self._named)) if len(self._named) == 1 else None
        stamp = trace.Stamp(services.hostname, self.facts, self._id, services.seconds(), single)
        before, after = trace.return_path(self._sender), trace.received(stamp)
        return lambda copy: before + trace.delivered_to(copy.recipient) + after

    async def _deliver(self, transaction: Transaction, size: int) -> Reply:
        """Commit, then tell of it; never raises."""
        receipt = Receipt(self._id, self._sender, size, self._began)
        try:
            stored = await transaction.commit()
        except Exception as error:
            return self._no(error, id=receipt.id)
        try:
            self._tell(receipt, stored)
        except Exception:  # the message is safe: nothing that happens here undoes the 250
            self._log.failure("smtp.telling_failed", Failure(), id=receipt.id)
        return replies.message_accepted(receipt.id)

    def _tell(self, receipt: Receipt, stored: tuple[Stored, ...]) -> None:
        """Publish one event for each copy, and write the one line of the log."""
        for each in stored:
            self._services.bus.publish(MessageStored(each.account, each.uidl, each.size))
        self._log.info(
            "smtp.accepted",
            id=receipt.id,
            sender=_shown(receipt.sender),
            recipients=len(stored),
            size=receipt.size,
            tls=self.facts.tls,
            account=self.facts.account or "",
            seconds=round(self._services.seconds() - receipt.began, 3),
        )

    def _break(self, error: Exception) -> None:
        """The body cannot be kept: discard the rest of it and answer so at its end."""
        self._trouble = self._no(error, id=self._id)
        self._abandon()

    def _abandon(self) -> None:
        """Undo an open transaction, without waiting for that."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            self._services.commits.start(transaction.abort())

    def _no(self, error: Exception, **fields: object) -> Reply:
        """The reply to a failure: its own, or 451 4.3.0 and a traceback where nobody foresaw it."""
        if isinstance(error, MailFailure):
            self._log.warning("smtp.unable", **_codes(error.reply), detail=error.detail, **fields)
            return error.reply
        self._log.failure("smtp.failed", Failure(error), **fields)
        return replies.INTERNAL_ERROR


def _shown(sender: Address | None) -> str:
    return str(sender) if sender is not None else "<>"


def _codes(reply: Reply) -> dict[str, object]:
    return {"code": reply.code, "enhanced": reply.enhanced}
