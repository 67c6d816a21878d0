"""What a policy rule is told, and what it answers."""

from __future__ import annotations

import enum

import attrs

from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.reply import Reply


@attrs.frozen
class ConnectionFacts:
    """Who is at the other end, as far as we know."""

    session: str
    """The session's id, as in the log."""
    listener: str
    service: str
    """"smtp", "submission" or "pop3"."""
    peer: IPAddress
    peer_port: int
    tls: str = ""
    """Version and cipher, for example "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty on a clear connection."""
    helo: str = ""
    esmtp: bool = False
    account: Address | None = None
    """Who logged in."""
    device: str = ""
    """The id of the device whose password it was; empty: the account's own, or nobody has logged in."""


class Stage(enum.Enum):
    """When a rule is asked."""

    MAIL = "mail"
    RECIPIENT = "recipient"


class RouteKind(enum.Enum):
    """What can become of a recipient's mail."""

    LOCAL = "local"
    REMOTE = "remote"
    UNKNOWN = "unknown"
    OFF = "off"
    """There is an account, and it takes no mail."""
    LOOP = "loop"
    """Accounts forward it to one another, and none keeps it."""
    STRANDED = "stranded"
    """It would be forwarded to where nobody of ours takes it."""


@attrs.frozen
class Route:
    """Where a recipient's mail goes: into the maildrops of ``accounts``, elsewhere, or nowhere."""

    kind: RouteKind
    accounts: tuple[Address, ...] = ()
    """Whose maildrops, each once; some where the kind is LOCAL, none elsewhere."""
    dead_end: Address | None = None
    """The account on the way that forwards to nobody, also where others on the way keep a copy."""


@attrs.frozen
class StageFacts:
    """What is known at a stage; what does not belong to the stage is None."""

    stage: Stage
    connection: ConnectionFacts
    sender: Address | None = None
    recipient: Address | None = None
    route: Route | None = None


@attrs.frozen
class Accept:
    """Go on."""


@attrs.frozen
class Refuse:
    """Answer with this reply, temporary or permanent as its code says."""

    reply: Reply


Verdict = Accept | Refuse
