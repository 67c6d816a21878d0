"""What the store hears of bans, behind the answer: no refusal waits for a disk."""

from __future__ import annotations

from functools import partial
from typing import Final

import attrs

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IBans
from mailsuite.model.ban import Ban
from mailsuite.model.device import IPNetwork
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log

MAX_UNWRITTEN: Final = 100_000
"""Networks that wait to be written; beyond, the oldest change is lost to the next start."""


@attrs.define(eq=False)
class KeptBans:
    """Writes one change after the other, of each network the last. A failure is logged, and what it left is
    tried again with the next change."""

    store: IBans
    log: Log
    _unwritten: dict[IPNetwork, Ban | None] = attrs.field(factory=dict, init=False)
    """None: to be forgotten."""
    _writing: Tasks = attrs.field(init=False)

    @_writing.default
    def _make_writing(self) -> Tasks:
        return Tasks(partial(self.log.failure, "guard.failed"))

    def write(self, network: IPNetwork, ban: Ban | None) -> None:
        """Keep the ban of *network*, or forget it, as soon as possible."""
        self._unwritten[network] = ban
        if len(self._unwritten) > MAX_UNWRITTEN:
            del self._unwritten[next(iter(self._unwritten))]
        if not len(self._writing):
            self._writing.start(self._write_all())

    async def drop_now(self, ban: Ban) -> None:
        """Forget *ban*, and return when that is done. Raises MailFailure; then it stays."""
        self._unwritten.pop(ban.network, None)
        try:
            await self.store.drop(ban.network)
        except MailFailure:
            self.write(ban.network, ban)
            raise

    async def finished(self) -> None:
        """Return when all that waits has been tried."""
        await self._writing.finished()

    def __len__(self) -> int:
        return len(self._unwritten)

    async def _write_all(self) -> None:
        try:
            while self._unwritten:
                network, ban = next(iter(self._unwritten.items()))
                await (self.store.drop(network) if ban is None else self.store.keep(ban))
                if self._unwritten.get(network, self) is ban:
                    del self._unwritten[network]
        except MailFailure as failure:
            self.log.error("guard.not_kept", bans=len(self._unwritten), reason=failure.reason)
