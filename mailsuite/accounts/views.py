"""A device's view comes and goes with its password (features row B-01)."""

from __future__ import annotations

import attrs

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IMailStore
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log


@attrs.frozen
class Views:
    """Works behind the answer: nobody waits for the disk of a maildrop to add or remove a password.

    What cannot be done is logged, and tried again by housekeeping. *tasks* owns what is under way.
    """

    store: IMailStore
    tasks: Tasks
    log: Log

    def enroll(self, account: Address, device: str) -> None:
        """This device has a view of its own: from now on mail waits for it."""
        self.tasks.start(self._enroll(account, device))

    def forget(self, account: Address, device: str) -> None:
        """This device password is gone."""
        self.tasks.start(self._forget(account, device))

    async def _enroll(self, account: Address, device: str) -> None:
        try:
            await self.store.enroll_view(account, device)
        except MailFailure as failure:
            self.log.warning("view.missing", account=account, device=device, reason=failure.reason)

    async def _forget(self, account: Address, device: str) -> None:
        try:
            await self.store.forget_view(account, device)
        except MailFailure as failure:
            self.log.warning("view.kept", account=account, device=device, reason=failure.reason)
