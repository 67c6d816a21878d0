"""What somebody gets who logged in: the twisted.cred realm of maildrops and submitters."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from mailsuite.accounts.sources.question import AvatarId
from mailsuite.accounts.turnstile import Entry
from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IAccountDirectory, IMaildrop, IMailStore, ISubmitter
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.view import View

Avatar = tuple[type[Interface], object, Callable[[], None]]


@implementer(ISubmitter)
@attrs.frozen
class Submitter:
    account: Account


@implementer(IRealm)
@attrs.frozen
class MailRealm:
    """Gives an IMaildrop, opened and locked, or an ISubmitter.

    The avatar id is a canonical address in UTF-8. A mind that is an Entry says when a maildrop may be opened,
    and in which view; without one it is the classic inbox, at once. Logging out of a maildrop releases it.
    What opening raises (MaildropInUse among it) comes through.
    *tasks* owns openings and releases, so that one whose session went away meanwhile is still finished:
    a maildrop that opens for nobody is released at once.
    """

    store: IMailStore
    directory: IAccountDirectory
    tasks: Tasks

    def requestAvatar(
        self, avatarId: AvatarId, mind: object, *interfaces: type[Interface]
    ) -> Deferred[Avatar]:
        return Deferred.fromCoroutine(self._avatar(avatarId, mind, interfaces))

    async def _avatar(
        self, avatar_id: AvatarId, mind: object, interfaces: tuple[type[Interface], ...]
    ) -> Avatar:
        if isinstance(avatar_id, tuple):
            raise UnauthorizedLogin("nobody is served without a name")
        address = Address.parse(avatar_id.decode("utf-8"))
        if IMaildrop in interfaces:
            entry = mind if isinstance(mind, Entry) else None
            maildrop = await (entry.open(address, self._open) if entry else self._open(address, View()))
            return IMaildrop, maildrop, lambda: self.tasks.start(maildrop.release())
        if ISubmitter in interfaces:
            return ISubmitter, await self._submitter(address), lambda: None
        raise NotImplementedError("no interface that this realm knows")  # as IRealm prescribes

    async def _submitter(self, address: Address) -> Submitter:
        account = await self.directory.account(address)
        if account is None:
            raise UnauthorizedLogin("the account was removed just now")
        return Submitter(account)

    async def _open(self, address: Address, view: View) -> IMaildrop:
        session: Deferred[IMaildrop] = Deferred()
        self.tasks.start(self._open_for(session, address, view))
        return await session

    async def _open_for(self, session: Deferred[IMaildrop], address: Address, view: View) -> None:
        try:
            maildrop = await self.store.open_maildrop(address, view)
        except Exception as error:
            if not session.called:
                session.errback(Failure())
            elif not isinstance(error, MailFailure):
                raise
            return
        if session.called:
            await maildrop.release()
        else:
            session.callback(maildrop)
