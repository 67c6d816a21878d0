"""The copies that archives get of a message (features row S-B07)."""

from __future__ import annotations

import attrs

from mailsuite.delivery.envelope import Envelope
from mailsuite.delivery.route_archive import Archives, journal
from mailsuite.delivery.router import Router
from mailsuite.model.address import Address
from mailsuite.model.facts import Copy
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import INTERNAL_ERROR


@attrs.frozen
class ArchiveCopies:
    """Of one message."""

    whole: tuple[Copy, ...] = ()
    headers: tuple[Copy, ...] = ()
    """Those that get the header alone."""
    journal: bytes = b""
    """The envelope, as fields in front of all of them."""

    def __bool__(self) -> bool:
        return bool(self.whole or self.headers)


async def archive_copies(
    archives: Archives, router: Router, account: Address | None, envelope: Envelope
) -> ArchiveCopies:
    """Which copies archives get of a message that *account* submits, or a stranger sends.

    An archive that leads nowhere keeps the message from being taken: nothing goes by it unseen. Raises
    TemporaryFailure then, and what the router raises.
    """
    found = archives.of(account, envelope.ours)
    whole: dict[Address, Copy] = {}
    headers: dict[Address, Copy] = {}
    for address, header_only in found.items():
        route = await router.route(address)
        if not route.copies or route.remotes or route.dead_end is not None:
            raise TemporaryFailure(INTERNAL_ERROR, f"the archive {address} leads to no maildrop of ours")
        for copy in route.copies:
            (headers if header_only else whole).setdefault(copy.account, copy)
    brief = tuple(copy for copy in headers.values() if copy.account not in whole)
    fields = journal(envelope.sender, (each.recipient for each in envelope.accepted)) if found else b""
    return ArchiveCopies(tuple(whole.values()), brief, fields)
