"""The copies that archives get of a message (features row S-B07)."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from mailsuite.delivery.envelope import Envelope
from mailsuite.delivery.route_archive import Wanted, journal
from mailsuite.delivery.ways import Archiving, Routes
from mailsuite.model.address import Address
from mailsuite.model.facts import Copy
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import ARCHIVE_UNREACHABLE


@attrs.frozen
class ArchiveCopies:
    """Of one message."""

    whole: tuple[Copy, ...] = ()
    headers: tuple[Copy, ...] = ()
    """Those that get the header alone."""
    journals: Mapping[Address, bytes] = attrs.field(factory=dict)
    """By account: the envelope, as fields in front of its copy."""

    def __bool__(self) -> bool:
        return bool(self.whole or self.headers)


async def archive_copies(
    archives: Archiving, router: Routes, account: Address | None, envelope: Envelope
) -> ArchiveCopies:
    """Which copies archives get of a message that *account* submits, or a stranger sends.

    An archive that leads nowhere keeps the message from being taken: nothing goes by it unseen. Raises
    TemporaryFailure then, and what the router raises.
    """
    copies: dict[Address, Copy] = {}
    wanted: dict[Address, Wanted] = {}
    for address, each in archives.of(account, envelope.ours).items():
        route = await router.route(address)
        if not route.copies or route.remotes or route.dead_end is not None:
            raise TemporaryFailure(ARCHIVE_UNREACHABLE, f"the archive {address} leads to no maildrop of ours")
        for copy in route.copies:
            copies.setdefault(copy.account, copy)
            wanted[copy.account] = wanted[copy.account] | each if copy.account in wanted else each
    return ArchiveCopies(
        tuple(copy for copy in copies.values() if not wanted[copy.account].header_only),
        tuple(copy for copy in copies.values() if wanted[copy.account].header_only),
        {account: _journal(envelope, each) for account, each in wanted.items()},
    )


def _journal(envelope: Envelope, wanted: Wanted) -> bytes:
    named = dict.fromkeys(each.recipient for each in envelope.accepted)
    return journal(envelope.sender, filter(wanted.knows, named))
