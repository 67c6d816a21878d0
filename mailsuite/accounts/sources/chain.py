"""All sources, in the order of the file."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from mailsuite.accounts.passwords import MAX_PASSWORD_OCTETS
from mailsuite.accounts.sources.source import Source
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE


@attrs.define(eq=False)
class Sources:
    """Says whether a password is right for an account that has none of its own here.

    Who exists is the directory's business: nobody asks here about anybody else. Without sources nothing is
    served.
    """

    sources: Sequence[Source] = ()

    def serves(self, address: Address) -> bool:
        """Whether any source knows the accounts of this domain."""
        return any(source.serves(address) for source in self.sources)

    async def check(self, address: Address, password: str) -> bool:
        """Whether one of the sources says yes; they are asked one after the other until one does.

        Raises TemporaryFailure(DIRECTORY_UNAVAILABLE) where none does and one could not say. A password
        that is empty, longer than any, or has a NUL in it is wrong, and no source sees it: to LDAP an empty
        one is no password at all (RFC 4513 section 5.1.2), to PAM it ends at the NUL.
        """
        try:
            octets = password.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return False
        if not octets or b"\0" in octets or len(octets) > MAX_PASSWORD_OCTETS:
            return False
        unavailable: list[str] = []
        for source in self.sources:
            if not source.serves(address):
                continue
            try:
                if await source.check(address, octets):
                    return True
            except TemporaryFailure as failure:
                unavailable.append(failure.detail)
        if unavailable:
            raise TemporaryFailure(DIRECTORY_UNAVAILABLE, "; ".join(unavailable))
        return False

    def forget(self, address: Address) -> None:
        """What was said about *address* counts no more: its password was changed."""
        for source in self.sources:
            source.verdicts.forget(address)

    def use(self, others: Sources) -> Sources:
        """From now on ask those of *others*; answers those that were asked until now, to be stopped."""
        before = Sources(self.sources)
        self.sources = others.sources
        return before

    async def stop(self) -> None:
        """Close what the sources keep open. What they are being asked is still answered."""
        for source in self.sources:
            await source.close()
