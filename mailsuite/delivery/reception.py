"""What a server does with a session's SMTP events: policy, routing, delivery, and the reply to each.

The shell hands events over one at a time and sends what comes back. A 250 for a message comes after its
commit, never before; a mistake of ours is answered 451 4.3.0 and logged with its traceback.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping

import attrs
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError

from mailsuite.concurrent.tasks import Tasks
from mailsuite.delivery.archiving import ArchiveCopies, archive_copies
from mailsuite.delivery.arrivals import Arrivals
from mailsuite.delivery.commands import ORDERED, Commands
from mailsuite.delivery.conclusion import Conclusion
from mailsuite.delivery.delivered import Delivered, nobody_hears, wants_to_hear
from mailsuite.delivery.dsn_original import MAX_RETURNED
from mailsuite.delivery.envelope import Envelope
from mailsuite.delivery.incoming import Incoming
from mailsuite.delivery.judge import Judge, codes, shown
from mailsuite.delivery.letters import Letters
from mailsuite.delivery.logins import Login, Scram
from mailsuite.delivery.message_facts import ROOM
from mailsuite.delivery.route_archive import Archives
from mailsuite.delivery.shield import to_its_end
from mailsuite.delivery.transaction import Transaction
from mailsuite.delivery.ways import Archiving, Routes
from mailsuite.interfaces import IDeliveries, IOutboundQueue, IPolicyRule
from mailsuite.model import reply as replies
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, ConnectionFacts, Refuse, RouteKind, Stage, StageFacts, Verdict
from mailsuite.model.notice import Level
from mailsuite.model.reply import Reply
from mailsuite.observe.log import Log
from mailsuite.wire.sasl.steps import Claim, ScramParameters, ScramQuestion
from mailsuite.wire.smtp.events import BodyEnd, Mail, Recipient

HostOf = Callable[[IPAddress], Awaitable[str]]
"""Answers the confirmed name of an address, empty where none is known. Raises nothing."""


def _keep_nothing(session: str) -> None:
    """Where nothing is kept free for anybody."""


async def _as_the_door_says(account: Address) -> int | None:
    """Where nobody has a limit of their own."""
    return None


def new_message_id() -> str:
    """An id that no other message has: 64 random bits in hexadecimal, an RFC 5322 atom."""
    return secrets.token_hex(8)


@attrs.frozen
class Services:
    """What all sessions of a listener share. receive() begins one of them."""

    hostname: str
    store: IDeliveries
    router: Routes
    policy: IPolicyRule
    arrivals: Arrivals
    """Are told of what is in a maildrop."""
    login: Login
    scram: Scram
    seconds: Callable[[], float]
    """Since the epoch."""
    log: Log
    letters: Letters = attrs.field()
    """What is taken as a message, and what is written in front of it."""
    queue: IOutboundQueue | None = None
    """Where mail for other servers goes; None: nobody would fetch it there, so none is taken."""
    host_of: HostOf | None = None
    """None: nobody asks what the clients are called."""
    commands: Commands | None = None
    """Who obeys; None: all that comes is mail."""
    archives: Archiving = attrs.field(factory=Archives)
    """Who gets a copy beside the recipients."""
    delivered: Delivered = nobody_hears
    """Is told what senders want to hear of mail that is in our maildrops. Raises nothing."""
    let_go: Callable[[str], None] = _keep_nothing
    """Is told of the session whose transaction is over: what was kept free for it is free. Raises nothing."""
    largest: Callable[[Address], Awaitable[int | None]] = _as_the_door_says
    """Answers how large a message of an account may be; None: as the door says. Raises MailFailure."""
    new_id: Callable[[], str] = new_message_id
    commits: Tasks = attrs.field()
    """Commits and aborts under way. They outlive their sessions: a stopping server waits for
    ``commits.finished()`` before it closes the store, and never cancels them."""

    @letters.default
    def _usual_letters(self) -> Letters:
        return Letters.of(self.hostname)

    @commits.default
    def _make_commits(self) -> Tasks:
        return Tasks(lambda failure: self.log.failure("smtp.failed", failure))

    def receive(self, facts: ConnectionFacts, log: Log) -> Reception:
        """Begin the reception of one session; *log* carries its id."""
        return Reception(self, facts, log)


@attrs.define(eq=False)
class Reception:
    """One SMTP session's business. At any time at most one transaction is open.

    Every delivery that is begun ends: committed by end() or end_each(), or aborted by one of them, reset(),
    hello(), tls_started() or closed().
    """

    _services: Services
    facts: ConnectionFacts
    _log: Log
    largest: int | None = attrs.field(default=None, init=False)
    """Octets of a message of whoever logged in, as it was then; None: as the door says."""
    _judge: Judge = attrs.field(init=False)
    _welcome: Verdict | None = attrs.field(default=None, init=False)
    """What the rules say of HELO; None: they have not been asked since it was said."""
    _looked_up: bool = attrs.field(default=False, init=False)
    """The host's name is in the facts, if it has one."""
    _envelope: Envelope = attrs.field(factory=lambda: Envelope(None), init=False)
    _incoming: Incoming | None = attrs.field(default=None, init=False)
    _trouble: Reply = attrs.field(default=replies.INTERNAL_ERROR, init=False)
    """What end() answers where the message was given up before."""
    _closed: bool = attrs.field(default=False, init=False)

    @_judge.default
    def _make_judge(self) -> Judge:
        return Judge(self._services.policy, self._log)

    def hello(self, name: str, extended: bool) -> None:
        """HELO, EHLO or LHLO; clears the transaction (RFC 5321 section 4.1.4)."""
        self.reset()
        self._welcome = None
        self.facts = attrs.evolve(self.facts, helo=name, esmtp=extended)

    def tls_started(self, tls: str) -> None:
        """TLS runs from here: forget all that was said in clear (RFC 3207 section 4.2)."""
        self.reset()
        self._welcome = None
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
            self._judge.no(error)
            return replies.AUTHENTICATION_UNAVAILABLE, b""
        device = granted.device
        self.facts = attrs.evolve(
            self.facts, account=granted.account, device=device.id if device is not None else ""
        )
        self._welcome = None
        self._log.info(
            "submission.login",
            account=granted.account,
            mechanism=claim.mechanism,
            tls=self.facts.tls,
            device=device.name if device is not None else "",
        )
        return replies.AUTHENTICATION_SUCCEEDED, granted.signature

    async def learn_limit(self) -> None:
        """Find out how large a message of whoever logged in may be. Where that cannot be known now it is as
        the door says, and the rules have their say at MAIL."""
        account = self.facts.account
        if account is None:
            return
        try:
            self.largest = await self._services.largest(account)
        except CancelledError:
            raise
        except Exception as error:
            self._judge.no(error)

    async def scram(self, question: ScramQuestion) -> ScramParameters | Reply:
        """What SCRAM needs of an account; 454 where that cannot be known now."""
        try:
            return await self._services.scram(question, self.facts)
        except CancelledError:
            raise
        except Exception as error:
            self._judge.no(error)
            return replies.AUTHENTICATION_UNAVAILABLE

    async def mail(self, event: Mail) -> Reply:
        """MAIL FROM: begin an envelope where policy has nothing against it, nor against the client's HELO."""
        self.reset()
        verdict = await self._judge_hello()
        if isinstance(verdict, Accept):
            facts = StageFacts(Stage.MAIL, self.facts, event.sender, mail=event.parameters)
            verdict = await self._judge.verdict(facts)
        if isinstance(verdict, Refuse):
            self._log.info("smtp.sender_refused", sender=shown(event.sender), **codes(verdict.reply))
            return verdict.reply
        sender = event.sender if verdict.sender is None else verdict.sender
        self._envelope = Envelope(sender, event.parameters, self._services.seconds())
        return replies.SENDER_OK

    async def recipient(self, event: Recipient) -> Reply:
        """RCPT TO: add a recipient to the envelope where policy has nothing against it."""
        refusal = await self._add(event)
        if refusal is None:
            return replies.RECIPIENT_OK
        sender = shown(self._envelope.sender)
        self._log.info("smtp.recipient_refused", sender=sender, recipient=event.address, **codes(refusal))
        return refusal

    async def start_data(self) -> Reply:
        """DATA: begin a delivery for each copy, trace fields first. The envelope survives a refusal."""
        services, envelope = self._services, self._envelope
        if not envelope.accepted:
            return replies.NO_VALID_RECIPIENTS
        try:
            archive = await archive_copies(services.archives, services.router, self.facts.account, envelope)
            passed_on_as = envelope.sender
            if envelope.leading:
                passed_on_as = await services.router.passed_on_as(envelope.sender, envelope.leading)
            followed = await services.arrivals.followed(
                (*envelope.copies, *archive.whole), brief=archive.headers
            )
        except CancelledError:
            raise
        except Exception as error:
            return self._judge.no(error)
        if self._closed:  # nobody hears this; begin nothing that nobody will end
            return replies.INTERNAL_ERROR
        self._abandon()
        transaction = Transaction(services.store, self._log)
        try:
            self._incoming = self._begin(transaction, archive, passed_on_as, followed)
        except Exception as error:
            services.commits.start(transaction.abort())
            return self._judge.no(error)
        return replies.START_MAIL_INPUT

    def _begin(
        self,
        transaction: Transaction,
        archive: ArchiveCopies,
        passed_on_as: Address | None,
        followed: Mapping[Address, Level],
    ) -> Incoming:
        """Begin all that the envelope asks for; *passed_on_as* is the sender for those it leads to elsewhere.
        Fails as the transaction does."""
        services, envelope = self._services, self._envelope
        id = services.new_id()
        letter = services.letters.begin(self.facts, envelope, id, services.seconds())
        transaction.begin(envelope.copies, letter.head)
        for copies, brief in ((archive.whole, False), (archive.headers, True)):
            transaction.begin(
                copies, lambda copy: archive.journals[copy.account] + letter.archived(copy), brief
            )
        outbound = envelope.outbound(id, self.facts.account, passed_on_as)
        if services.queue is not None:
            for each in outbound:
                transaction.begin_outbound(services.queue, each, letter.trace)
        apart = self.facts.service == "lmtp" and not outbound and not archive
        is_read = followed or envelope.ordered is not None
        room = max(MAX_RETURNED if wants_to_hear(envelope) else 0, ROOM if is_read else 0)
        return Incoming(id, envelope, transaction, letter.filter, apart, room, followed)

    def take(self, chunk: bytes) -> None:
        """Take octets of the body. Never raises: trouble is kept for end()."""
        incoming = self._incoming
        if incoming is None:
            return
        try:
            incoming.take(chunk)
        except Exception as error:
            self._give_up(self._judge.no(error, id=incoming.id))
        else:
            if incoming.refusal is not None:
                self._give_up(self._judge.refused(incoming, incoming.refusal))

    @property
    def congested(self) -> bool:
        """Whether the shell should wait for drained() before it takes more."""
        return self._incoming is not None and self._incoming.congested

    async def drained(self) -> None:
        """Return when more can be taken. Never raises anything but its own cancellation."""
        incoming = self._incoming
        if incoming is None:
            return
        try:
            refusal = await self._judge.header(incoming, self.facts) if incoming.pending else None
            if refusal is None:
                await incoming.transaction.drained()
        except CancelledError:
            raise
        except Exception as error:
            if incoming is self._incoming:
                self._give_up(self._judge.no(error, id=incoming.id))
        else:
            if refusal is not None and incoming is self._incoming:
                self._give_up(refusal)

    async def end(self, event: BodyEnd) -> Reply:
        """The body is whole: deliver it, and answer 250 when it is durable. The envelope is used up.

        From here the client's absence changes nothing: a commit that has begun runs to its end, and so
        does what follows from it.
        """
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            reply = event.defect or self._trouble
        else:
            reply = await to_its_end(self._conclusion().of_all(incoming, event), self._services.commits)
        self._used_up(event)
        return reply

    async def end_each(self, event: BodyEnd) -> tuple[Reply, ...]:
        """As end(), with a reply for each accepted recipient (RFC 2033 section 4.2)."""
        incoming, self._incoming = self._incoming, None
        count = len(self._envelope.accepted)
        if incoming is None:
            found = (event.defect or self._trouble,) * count
        else:
            found = await to_its_end(self._conclusion().of_each(incoming, event), self._services.commits)
        self._used_up(event)
        return found

    def reset(self) -> None:
        """Forget the envelope, abort the deliveries (RSET, and what implies it)."""
        self._abandon()
        self._services.let_go(self.facts.session)
        self._envelope = Envelope(None)
        self._trouble = replies.INTERNAL_ERROR

    async def closed(self) -> None:
        """The connection is gone. Returns when an open transaction is undone."""
        self._closed = True
        self._services.let_go(self.facts.session)
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            await to_its_end(incoming.transaction.abort(), self._services.commits)

    # The envelope

    async def _judge_hello(self) -> Verdict:
        """Once for each HELO, at the first MAIL behind it: a refusal there ends no session (RFC 5321 section
        4.1.4)."""
        if self._welcome is None:
            if not self._looked_up and self._services.host_of is not None:
                self.facts = attrs.evolve(self.facts, host=await self._services.host_of(self.facts.peer))
                self._looked_up = True
            self._welcome = await self._judge.verdict(StageFacts(Stage.HELLO, self.facts))
        return self._welcome

    async def _add(self, event: Recipient) -> Reply | None:
        """Add a recipient; answers the refusal, None where there is none."""
        recipient, envelope = event.address, self._envelope
        try:
            ordered = await self._is_order(recipient)
            route = ORDERED if ordered else await self._services.router.route(recipient)
        except CancelledError:
            raise
        except Exception as error:
            return self._judge.no(error)
        facts = StageFacts(
            Stage.RECIPIENT,
            self.facts,
            envelope.sender,
            recipient,
            route,
            mail=envelope.mail,
            max_message=envelope.max_message,
        )
        verdict = await self._judge.verdict(facts)
        if route.dead_end is not None:
            self._log.warning("smtp.forward_stranded", recipient=recipient, account=route.dead_end)
        if isinstance(verdict, Refuse):
            return verdict.reply
        route = route.without(verdict.left_out)
        nowhere = route.kind not in (RouteKind.LOCAL, RouteKind.REMOTE)
        if nowhere or ((route.remotes or envelope.mail.held) and self._services.queue is None):
            # Policy let pass what nobody here can deliver. Whatever it says, there is no way out.
            self._log.error("smtp.undeliverable", recipient=recipient, route=route.kind.value)
            return replies.INTERNAL_ERROR
        envelope.add(recipient, event.parameters, route, verdict.max_message)
        envelope.vouched |= verdict.vouched
        if ordered:
            envelope.ordered = recipient
        return None

    async def _is_order(self, recipient: Address) -> bool:
        """Whether the client tells the server to do something; what is held for later never does."""
        commands, account = self._services.commands, self.facts.account
        if commands is None or account is None or self._envelope.mail.held:
            return False
        return await commands.takes(recipient, account, self.facts.device)

    # The message

    def _conclusion(self) -> Conclusion:
        services = self._services
        delivered, seconds = services.delivered, services.seconds
        conclusion = Conclusion(self._judge, services.arrivals, delivered, seconds, self.facts, self._log)
        return attrs.evolve(conclusion, commands=services.commands)

    def _used_up(self, event: BodyEnd) -> None:
        if event.defect is not None:
            self._log.info("smtp.message_refused", size=event.size, **codes(event.defect))
        self.reset()

    def _give_up(self, trouble: Reply) -> None:
        """The message will not be kept: discard the rest of it and answer so at its end."""
        self._trouble = trouble
        self._abandon()

    def _abandon(self) -> None:
        """Undo an open transaction, without waiting for that."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            self._services.commits.start(incoming.transaction.abort())
