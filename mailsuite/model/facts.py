"""What a policy rule is told, and what it answers."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from typing import Literal

import attrs

from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.envelope import NOTHING_SAID, MailParameters
from mailsuite.model.reply import Reply


@attrs.frozen
class ConnectionFacts:
    """Who is at the other end, as far as we know."""

    session: str
    """The session's id, as in the log."""
    listener: str
    service: str
    """"smtp", "submission", "lmtp" or "pop3"."""
    peer: IPAddress
    peer_port: int
    tls: str = ""
    """Version and cipher, for example "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty on a clear connection."""
    host: str = ""
    """The name of the peer by DNS, where that name has the peer's address (RFC 8601 section 2.7.3); empty
    where there is none, or nobody has looked."""
    helo: str = ""
    esmtp: bool = False
    account: Address | None = None
    """Who logged in."""
    device: str = ""
    """The id of the device whose password it was; empty: the account's own, or nobody has logged in."""


class Stage(enum.Enum):
    """When a rule is asked."""

    HELLO = "hello"
    """After HELO or EHLO. The client has its answer by then: a refusal is the answer to each MAIL that
    follows."""
    MAIL = "mail"
    RECIPIENT = "recipient"
    HEADER = "header"
    """The header of the message has come, before its end. A refusal is the answer to the end."""


class RouteKind(enum.Enum):
    """What can become of a recipient's mail."""

    LOCAL = "local"
    """It is for us to deliver: into maildrops of ours, or to where aliases and forwards lead."""
    REMOTE = "remote"
    """The recipient's domain is not ours."""
    UNKNOWN = "unknown"
    OFF = "off"
    """There is an account, and it takes no mail."""
    LOOP = "loop"
    """Accounts or aliases lead to one another, and nobody keeps it."""
    STRANDED = "stranded"
    """It would be forwarded to where nobody of ours takes it."""
    LIMITED = "limited"
    """The catch-all of the domain has had as many as it may have for now."""


@attrs.frozen
class Copy:
    """One copy of a message, for a maildrop of ours."""

    account: Address
    """Whose maildrop."""
    recipient: Address
    """As it was named last: with its tag, behind all aliases. What Delivered-To shows."""


@attrs.frozen
class Route:
    """Where a recipient's mail goes: into maildrops of ours, to addresses elsewhere, both, or nowhere."""

    kind: RouteKind
    copies: tuple[Copy, ...] = ()
    """Of one account, one; none where the kind is not LOCAL."""
    remotes: tuple[Address, ...] = ()
    """Where aliases and forwards lead that are not ours; the recipient itself where the kind is REMOTE."""
    dead_end: Address | None = None
    """The account or alias on the way that leads to nobody, also where others on the way take a copy."""
    steps: tuple[str, ...] = ()
    """In words, one decision each, for ``mailsuite route``."""
    returns: bool = False
    """The way is that of an address which stands for the sender of something forwarded."""
    forwarders: Mapping[Address, tuple[Address, ...]] = attrs.field(factory=dict, eq=False)
    """By account or remote: those without whose forwards it would get nothing, where there are some."""

    def without(self, left_out: Collection[Address]) -> Route:
        """The same, but that these accounts and remotes get nothing."""
        return attrs.evolve(
            self,
            copies=tuple(copy for copy in self.copies if copy.account not in left_out),
            remotes=tuple(remote for remote in self.remotes if remote not in left_out),
            forwarders={name: by for name, by in self.forwarders.items() if name not in left_out},
        )

    @property
    def accounts(self) -> tuple[Address, ...]:
        """Whose maildrops."""
        return tuple(copy.account for copy in self.copies)


@attrs.frozen
class HeaderFacts:
    """What a message says of itself, as far as rules ask for it."""

    from_addresses: tuple[Address, ...] = ()
    """Of From, those that are addresses (RFC 5322 section 3.6.2)."""
    sender_addresses: tuple[Address, ...] = ()
    """Of Sender."""
    from_broken: bool = False
    """There is more than one From, or what stands in it is no list of addresses."""


@attrs.frozen
class StageFacts:
    """What is known at a stage; what does not belong to the stage is None."""

    stage: Stage
    connection: ConnectionFacts
    sender: Address | None = None
    recipient: Address | None = None
    route: Route | None = None
    header: HeaderFacts | None = None
    mail: MailParameters = NOTHING_SAID
    max_message: int | None = None
    """At RECIPIENT: octets of a message for the recipients before this one; None: there is none."""


@attrs.frozen
class Note:
    """What a rule has to tell the log, and nobody else."""

    event: str
    fields: tuple[tuple[str, object], ...] = ()
    level: Literal["info", "warning"] = "warning"


@attrs.frozen
class Accept:
    """Go on."""

    sender: Address | None = None
    """What takes the place of what was said: at MAIL the reverse-path, at HEADER the Sender field (RFC 6409
    section 8.1). None: it stays."""
    note: Note | None = None
    max_message: int | None = None
    """At RECIPIENT: octets of the largest message that this recipient may be sent. None: nothing is said."""
    left_out: tuple[Address, ...] = ()
    """At RECIPIENT: the accounts and remotes of the route that are to get nothing."""
    vouched: bool = False
    """At RECIPIENT: the recipient is elsewhere, and whoever sends there is known: logged in, or a listed
    host."""


@attrs.frozen
class Refuse:
    """Answer with this reply, temporary or permanent as its code says."""

    reply: Reply
    note: Note | None = None


Verdict = Accept | Refuse
