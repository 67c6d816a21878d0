"""What is kept of a login that succeeded."""

from __future__ import annotations

import attrs

from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address


@attrs.frozen
class LoginRecord:
    """Somebody logged in like this, the last time at this moment."""

    account: Address
    device: str
    """The id of the device whose password it was; empty: the account's own password."""
    service: str
    """``"pop3"`` or ``"submission"``."""
    mechanism: str
    """As in the log: ``"USER"``, ``"APOP"``, ``"PLAIN"``, ``"SCRAM-SHA-256"`` ..."""
    peer: IPAddress
    at: float
    """Seconds since the epoch."""
