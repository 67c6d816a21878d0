"""Users of this machine as accounts: who they are says the kernel, so they need no password."""

from __future__ import annotations

import pwd

import attrs

from mailsuite.interfaces import IThreads
from mailsuite.model.address import Address, AddressSyntaxError


@attrs.frozen
class Callers:
    """joe of this machine is joe of *domain*, whether there is such an account or not: www-data may send mail
    as www-data, and as nobody else."""

    domain: str
    threads: IThreads

    async def account(self, user: int) -> Address | None:
        """Whom a user's id stands for; None: nobody has it, or a name that no mailbox can have. Raises
        MailFailure where that cannot be known now."""
        name = await self.threads.run(lambda: _name_of(user))
        try:
            return Address.of(name, self.domain)
        except AddressSyntaxError:
            return None


def _name_of(user: int) -> str:
    """Empty where nobody has it. May ask a directory server, so it blocks."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return ""
