"""The languages that notices are written in, and which of them their readers want."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from mailsuite.delivery.dsn_texts import ENGLISH, Texts
from mailsuite.delivery.dsn_texts_german import GERMAN
from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import language_in_force
from mailsuite.model.address import Address

LANGUAGES: Mapping[str, Texts] = MappingProxyType({texts.tag: texts for texts in (ENGLISH, GERMAN)})
"""By their tags (RFC 5646)."""


async def nobody_says(*readers: Address | None) -> str:
    """Where nothing is known of any reader."""
    return ""


@attrs.frozen
class Languages:
    """What accounts and domains say of their language."""

    directory: IAccountDirectory

    async def of(self, *readers: Address | None) -> str:
        """That of the first of *readers* who says one, or whose domain does, by its tag; empty: none of them.
        Fails as the directory does."""
        for reader in readers:
            if reader is not None and (tag := await self._of(reader.canonical)):
                return tag
        return ""

    async def _of(self, reader: Address) -> str:
        domain = await self.directory.domain(reader.domain)
        if domain is None:
            return ""
        if domain.same_as:
            reader = attrs.evolve(reader, domain=domain.same_as)
            domain = await self.directory.domain(reader.domain)
        return language_in_force(await self.directory.account(reader), domain)
