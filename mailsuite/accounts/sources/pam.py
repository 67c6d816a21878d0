"""PAM, as a twisted.cred checker."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import ClassVar

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from mailsuite.accounts.sources.libpam import LibPam, PamError
from mailsuite.accounts.sources.question import AvatarId
from mailsuite.interfaces import IThreads
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE

PAM_THREADS = 8
"""Calls at once: a module that asks a network waits, and one that hashes takes a core."""


@implementer(ICredentialsChecker)
@attrs.frozen(eq=False)
class PamChecker:
    """Asks the authentication and account modules of one PAM service, each time in a thread.

    Raises TemporaryFailure where PAM cannot say, which includes a service that is not there.
    """

    library: LibPam
    service: str
    threads: IThreads
    folder: Path | None = None
    """Where the service's file lies, if not in /etc/pam.d."""

    credentialInterfaces: ClassVar[tuple[type[Interface], ...]] = (IUsernamePassword,)

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[AvatarId]:
        return Deferred.fromCoroutine(self._avatar_id(credentials))

    async def _avatar_id(self, credentials: IUsernamePassword) -> AvatarId:
        name, password = credentials.username, credentials.password
        if not password or b"\0" in name + password:  # C strings: what stands behind a NUL would not count
            raise UnauthorizedLogin("nobody's password")
        try:
            valid = await self.threads.run(
                partial(self.library.check, self.service, name, password, self.folder)
            )
        except PamError as error:
            raise TemporaryFailure(DIRECTORY_UNAVAILABLE, str(error)) from None
        if not valid:
            raise UnauthorizedLogin("PAM says no")
        return name
