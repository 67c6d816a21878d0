"""What a device had hidden goes with its password (features row B-01)."""

from __future__ import annotations

import attrs

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IMailStore
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log


@attrs.frozen
class Views:
    """Forgets views behind the answer: nobody waits for the disk of a maildrop to remove a password.

    What cannot be forgotten is logged, and tried again by housekeeping. *tasks* owns what is under way.
    """

    store: IMailStore
    tasks: Tasks
    log: Log

    def forget(self, account: Address, device: str) -> None:
        """This device password is gone."""
        self.tasks.start(self._forget(account, device))

    async def _forget(self, account: Address, device: str) -> None:
        try:
            await self.store.forget_view(account, device)
        except MailFailure as failure:
            self.log.warning("view.kept", account=account, device=device, reason=failure.reason)
