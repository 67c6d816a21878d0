"""What MAIL and RCPT have said, and where it leads."""

from __future__ import annotations

import attrs

from mailsuite.model.address import Address
from mailsuite.model.envelope import (
    NOTHING_SAID,
    NOTHING_SAID_OF_RECIPIENT,
    MailParameters,
    NotifyOn,
    OutboundEnvelope,
    OutboundRecipient,
    RecipientParameters,
)
from mailsuite.model.facts import Copy, Route, RouteKind
from mailsuite.wire.smtp.release import release_of


@attrs.frozen
class Accepted:
    """A recipient that was answered 250."""

    recipient: Address
    accounts: tuple[Address, ...]
    """Whose maildrops it leads to."""
    is_ours: bool = True
    """Whether it is an address of our domains."""
    max_message: int | None = None
    """Octets of the largest message that they take; None: nothing is said."""
    parameters: RecipientParameters = NOTHING_SAID_OF_RECIPIENT
    ends_here: bool = True
    """Its way ends with us: in maildrops of ours, or where one address becomes several. False: whoever gets
    it in the place of the recipient tells what becomes of it."""
    is_for_several: bool = False
    """It leads to more than one."""

    def takes(self, octets: int) -> bool:
        """Whether a message of so many is not too large for them."""
        return self.max_message is None or octets <= self.max_message


@attrs.define(eq=False)
class Envelope:
    """Grows by add(), until the message comes.

    Whoever is reached twice gets one copy, as they were reached first. RFC 5321 section 4.5.3.1.8 bounds the
    recipients, which the protocol counts; the router bounds what one of them leads to.

    What its sender wants held (RFC 4865) goes into the queue as a whole, for the recipients as they were
    named: where they lead is seen when it is released.
    """

    sender: Address | None
    mail: MailParameters = NOTHING_SAID
    began: float = 0.0
    """Seconds since the epoch."""
    accepted: list[Accepted] = attrs.field(factory=list, init=False)
    """In the order of the client; who is named twice is here twice."""
    vouched: bool = attrs.field(default=False, init=False)
    """Whoever sends it is known: some recipient is one that others may not send to."""
    max_message: int | None = attrs.field(default=None, init=False)
    """The lowest limit of those who are accepted; None: nothing is said."""
    ordered: Address | None = attrs.field(default=None, init=False)
    """The recipient that is told what to do (delivery/commands.py); None: it is mail alone."""
    leading: str = attrs.field(default="", init=False)
    """The domain of the first recipient that leads to another server; empty: none does."""
    _copies: dict[Address, Copy] = attrs.field(factory=dict, init=False)
    _named: dict[Address, Address] = attrs.field(factory=dict, init=False)
    """By account: the recipient that led there first."""
    _remotes: dict[Address, OutboundRecipient] = attrs.field(factory=dict, init=False)
    _named_remotes: set[Address] = attrs.field(factory=set, init=False)
    """Those whom the client named: what it has said of them holds, whatever leads there beside."""

    def add(
        self,
        recipient: Address,
        parameters: RecipientParameters,
        route: Route,
        max_message: int | None = None,
    ) -> None:
        """Take another recipient, who takes messages of *max_message* octets."""
        several = is_for_several(route)
        self.accepted.append(
            Accepted(
                recipient,
                route.accounts,
                route.kind is not RouteKind.REMOTE,
                max_message,
                parameters,
                not self.mail.held and (several or not route.remotes),
                several,
            )
        )
        limits = [each for each in (self.max_message, max_message) if each is not None]
        self.max_message = min(limits, default=None)
        copies, remotes = ((), (recipient,)) if self.mail.held else (route.copies, route.remotes)
        for copy in copies:
            self._copies.setdefault(copy.account, copy)
            self._named.setdefault(copy.account, recipient)
        for remote in remotes:
            if remote != recipient:
                self.leading = self.leading or recipient.domain
                said = led_on(parameters, recipient, several)
                self._remotes.setdefault(remote, OutboundRecipient(remote, said))
            elif remote not in self._named_remotes:
                self._named_remotes.add(remote)
                self._remotes[remote] = OutboundRecipient(remote, parameters)

    @property
    def copies(self) -> tuple[Copy, ...]:
        """One for each maildrop."""
        return tuple(self._copies.values())

    def named(self, copy: Copy) -> Address:
        """Whom the client named to reach this maildrop."""
        return self._named[copy.account]

    @property
    def ours(self) -> tuple[Address, ...]:
        """The recipients in our domains."""
        return tuple(each.recipient for each in self.accepted if each.is_ours)

    @property
    def single(self) -> Address | None:
        """The recipient, where there is just one."""
        names = {each.recipient for each in self.accepted}
        return names.pop() if len(names) == 1 else None

    @property
    def release(self) -> float:
        """Nobody gets it before, in seconds since the epoch; 0: at once."""
        return release_of(self.mail, self.began)

    def outbound(
        self, id: str, account: Address | None, passed_on_as: Address | None
    ) -> tuple[OutboundEnvelope, ...]:
        """What the queue is to have of it, submitted by *account*: two entries where those whom the client
        has not named get it from another sender, *passed_on_as*."""
        apart = passed_on_as != self.sender
        named: list[OutboundRecipient] = []
        led: list[OutboundRecipient] = []
        for remote, each in self._remotes.items():
            (led if apart and remote not in self._named_remotes else named).append(each)
        senders = ((self.sender, named), (passed_on_as, led))
        entries = [(sender, tuple(remotes)) for sender, remotes in senders if remotes]
        return tuple(
            OutboundEnvelope(
                f"{id}-f" if number else id,  # no other id of ours ends so
                sender,
                remotes,
                self.mail,
                account,
                self.began,
                self.release,
                self.vouched or account is not None,
            )
            for number, (sender, remotes) in enumerate(entries)
        )


def is_for_several(route: Route) -> bool:
    """Whether one address becomes several."""
    return len(route.copies) + len(route.remotes) > 1


def led_on(parameters: RecipientParameters, recipient: Address, several: bool) -> RecipientParameters:
    """What is said of whom an alias or a forward leads to: notices still speak of the *recipient* that the
    sender named (RFC 3461 sections 5.2.7.2 and 5.2.7.3). Where it leads to *several*, success is told of the
    name as a whole, by us, and not of each."""
    if several and NotifyOn.SUCCESS in (parameters.notify or ()):
        rest = (parameters.notify or frozenset()) - {NotifyOn.SUCCESS}
        parameters = attrs.evolve(parameters, notify=rest or frozenset({NotifyOn.NEVER}))
    if parameters.original or not recipient.domain:
        return parameters
    kind = "rfc822" if str(recipient).isascii() else "utf-8"
    return attrs.evolve(parameters, original=f"{kind};{recipient}")
