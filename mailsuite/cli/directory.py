"""The accounts of the running server, or of the store itself where no server runs."""

from __future__ import annotations

import os
import pwd
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs

from mailsuite.cli.context import CommandFailed, Context, NotReachable
from mailsuite.cli.control import Control, Document, resource
from mailsuite.cli.terminal import clean, note

if TYPE_CHECKING:
    from mailsuite.accounts.registry import Registry

T = TypeVar("T")

Made = tuple[Document, str | None]
"""An account, and its password where that was generated."""


class Directory(Protocol):
    """What the commands do with accounts and domains. Every method raises CommandFailed."""

    def accounts(self) -> list[Document]: ...

    def account(self, address: str) -> Document: ...

    def add_account(
        self, address: str, name: str, password: str | None, notifymail: Document | None
    ) -> Made: ...

    def change_account(self, address: str, name: str | None, notifymail: Document | None) -> Document: ...

    def set_password(self, address: str, password: str | None) -> Made: ...

    def remove_account(self, address: str) -> None: ...

    def domains(self) -> list[Document]: ...

    def add_domain(self, name: str) -> Document: ...


@attrs.frozen
class OfServer:
    """The running server does it, so that it takes effect at once."""

    control: Control

    def accounts(self) -> list[Document]:
        return list(self.control.get(resource("accounts"))["accounts"])

    def account(self, address: str) -> Document:
        return dict(self.control.get(resource("accounts", address))["account"])

    def add_account(self, address: str, name: str, password: str | None, notifymail: Document | None) -> Made:
        body = {"address": address, "name": name, "password": password, "notifymail": notifymail}
        answer = self.control.post(resource("accounts"), body)
        return answer["account"], answer["generated"]

    def change_account(self, address: str, name: str | None, notifymail: Document | None) -> Document:
        body = {"name": name, "notifymail": notifymail}
        return dict(self.control.patch(resource("accounts", address), body)["account"])

    def set_password(self, address: str, password: str | None) -> Made:
        answer = self.control.put(resource("accounts", address, "password"), {"password": password})
        return answer["account"], answer["generated"]

    def remove_account(self, address: str) -> None:
        self.control.delete(resource("accounts", address))

    def domains(self) -> list[Document]:
        return list(self.control.get(resource("domains"))["domains"])

    def add_domain(self, name: str) -> Document:
        return dict(self.control.post(resource("domains"), {"name": name})["domain"])


@attrs.frozen
class OfStore:
    """The registry over the store itself, whose lock is held meanwhile."""

    registry: Registry

    def accounts(self) -> list[Document]:
        return _asked(self.registry.accounts())

    def account(self, address: str) -> Document:
        return _asked(self.registry.account(address))

    def add_account(self, address: str, name: str, password: str | None, notifymail: Document | None) -> Made:
        return _asked(self.registry.add_account(address, name, password, notifymail))

    def change_account(self, address: str, name: str | None, notifymail: Document | None) -> Document:
        return _asked(self.registry.change_account(address, name, notifymail))

    def set_password(self, address: str, password: str | None) -> Made:
        return _asked(self.registry.set_password(address, password))

    def remove_account(self, address: str) -> None:
        _asked(self.registry.remove_account(address))

    def domains(self) -> list[Document]:
        return _asked(self.registry.domains())

    def add_domain(self, name: str) -> Document:
        return _asked(self.registry.add_domain(name))


def _asked(work: Coroutine[Any, Any, T]) -> T:
    """What the registry answers; what it refuses is CommandFailed."""
    from mailsuite.accounts.registry import RegistryError  # noqa: PLC0415 - keeps --help fast
    from mailsuite.concurrent.now import run_now  # noqa: PLC0415

    try:
        return run_now(work)
    except RegistryError as error:
        raise CommandFailed(clean(error.text + _detail(error.__cause__))) from error


def _detail(cause: BaseException | None) -> str:
    """What the log of a server would say; without a server there is none."""
    from mailsuite.model.failure import TemporaryFailure  # noqa: PLC0415 - keeps --help fast

    return f" ({cause.detail})" if isinstance(cause, TemporaryFailure) and cause.detail else ""


@contextmanager
def open_directory(context: Context, quiet: bool = False) -> Iterator[Directory]:
    """The running server's accounts; without a server those of the store, which it says on stderr."""
    if context.control.is_listening():
        yield OfServer(context.control)
        return
    from mailsuite import app  # noqa: PLC0415 - takes half a second
    from mailsuite.state import StateError, StateLocked  # noqa: PLC0415

    state = context.config.server.state
    if not quiet:
        note(f"mailsuite is not running: this works on the accounts in {clean(str(state))} itself.")
    _become_owner(state, context.config.server.user)
    try:
        with app.offline_registry(context.config) as registry:
            yield OfStore(registry)
    except StateLocked as error:
        raise NotReachable(
            f"{clean(str(error))}, which does not answer at {clean(str(context.control.path))}; "
            "if it is just starting or stopping, try again in a moment"
        ) from error
    except StateError as error:
        raise CommandFailed(clean(str(error))) from error


def _become_owner(state: Path, user: str) -> None:
    """Where root works for a server that runs as somebody else, nothing may become root's.

    That is *user*, as the server itself would become before its first start; where none is named, whoever
    owns the state.
    """
    if os.geteuid() != 0:
        return
    if user:
        _give_and_become(state, user)
    elif state.is_dir() and state.stat().st_uid != 0:
        owner = state.stat()
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _give_and_become(state: Path, user: str) -> None:
    from mailsuite.privileges import PrivilegeError, become  # noqa: PLC0415 - keeps --help fast
    from mailsuite.state import DIRECTORY_MODE, State  # noqa: PLC0415

    try:
        if not state.exists():
            owner = pwd.getpwnam(user)  # the check of the configuration has found it
            state.mkdir(mode=DIRECTORY_MODE, parents=True)
            os.chown(state, owner.pw_uid, owner.pw_gid)
        become(user, State(state))
    except OSError as error:
        raise CommandFailed(f"{clean(str(state))}: {error.strerror}") from error
    except PrivilegeError as error:
        raise CommandFailed(clean(str(error))) from error
