"""What IResolver is asked, as questions of one name and one type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

from mailsuite.model.account import IPAddress
from mailsuite.model.dns import Answer, Association
from mailsuite.resolver.both import either
from mailsuite.resolver.question import Question, Type, plain, reverse_name


class Lookups(ABC):
    """All methods of IResolver, over find()."""

    @abstractmethod
    async def find(self, question: Question) -> Answer[Any]:
        """What there is. Raises TemporaryFailure where that cannot be known now."""

    async def addresses(self, name: str, version: Literal[4, 6] | None = None) -> Answer[IPAddress]:
        if version is not None:
            return await self._find(name, Type.A if version == 4 else Type.AAAA)
        return await either(self._find(name, Type.AAAA), self._find(name, Type.A))

    async def names(self, address: IPAddress) -> Answer[str]:
        return await self._find(reverse_name(address), Type.PTR)

    async def exchanges(self, name: str) -> Answer[tuple[int, str]]:
        return await self._find(name, Type.MX)

    async def texts(self, name: str) -> Answer[bytes]:
        return await self._find(name, Type.TXT)

    async def associations(self, name: str) -> Answer[Association]:
        return await self._find(name, Type.TLSA)

    async def _find(self, text: str, kind: Type) -> Answer[Any]:
        name = plain(text)
        return Answer(exists=False) if name is None else await self.find(Question(name, kind))
