"""Users of this machine as accounts: who they are says the kernel, so they need no password."""

from __future__ import annotations

import pwd
from collections.abc import Awaitable, Callable

import attrs

from mailsuite.interfaces import IThreads
from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import ACCOUNT_OFF


@attrs.frozen
class Callers:
    """joe of this machine is joe of *domain*, whether there is such an account or not: www-data may send mail
    as www-data, and as nobody else. Where there is one, and it is off, joe sends nothing."""

    domain: str
    threads: IThreads
    objection: Callable[[Address], Awaitable[str]]
    """What speaks against an account, in a word; empty: nothing, or there is none. Raises MailFailure."""

    async def account(self, user: int) -> Address | None:
        """Whom a user's id stands for; None: nobody has it, or a name that no mailbox can have. Raises
        PermanentFailure for who may not send, TemporaryFailure where that cannot be known now.

        Nothing is waited for after the account was looked at.
        """
        name = await self.threads.run(lambda: _name_of(user))
        try:
            address = Address.of(name, self.domain)
        except AddressSyntaxError:
            return None
        if objection := await self.objection(address.canonical):
            raise PermanentFailure(ACCOUNT_OFF, f"{address}: {objection}")
        return address


def _name_of(user: int) -> str:
    """Empty where nobody has it. May ask a directory server, so it blocks."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return ""
