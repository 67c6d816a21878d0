"""The accounts of the running server, or of the store itself where no server runs."""

from __future__ import annotations

import os
import pwd
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs

from mailsuite.cli.context import CommandFailed, Context, NotReachable
from mailsuite.cli.control import Control, Document, resource
from mailsuite.cli.terminal import clean, clean_lines, note

if TYPE_CHECKING:
    from mailsuite.accounts.office import Office
    from mailsuite.config.load import Loaded

T = TypeVar("T")

Made = tuple[Document, str | None]
"""An account or a device, and its password where that was generated."""

PATIENCE = 600.0
"""Seconds for what walks over all accounts."""


class Directory(Protocol):
    """What the commands do with accounts, their devices and domains. Every method raises CommandFailed."""

    def accounts(self) -> list[Document]: ...

    def account(self, address: str) -> Document: ...

    def details(self, address: str) -> Document: ...

    def add_account(self, fields: Document) -> Made: ...

    def change_account(self, address: str, fields: Document) -> Document: ...

    def set_password(self, address: str, password: str | None) -> Made: ...

    def remove_account(self, address: str) -> None: ...

    def domains(self) -> list[Document]: ...

    def domain(self, name: str) -> Document: ...

    def add_domain(self, name: str) -> Document: ...

    def change_domain(self, name: str, fields: Document) -> Document: ...

    def usage(self) -> list[Document]: ...

    def devices(self, address: str | None) -> list[Document]: ...

    def device(self, address: str, name: str) -> Document: ...

    def add_device(self, address: str, fields: Document) -> Made: ...

    def remove_device(self, address: str, name: str) -> None: ...

    def rotate_keys(self) -> Document: ...

    def what_if(self, setting: str, value: str) -> Document: ...

    def test_login(self, login: Document) -> Document: ...


@attrs.frozen
class OfServer:
    """The running server does it, so that it takes effect at once."""

    control: Control

    def accounts(self) -> list[Document]:
        return list(self.control.get(resource("accounts"))["accounts"])

    def account(self, address: str) -> Document:
        return dict(self.details(address)["account"])

    def details(self, address: str) -> Document:
        return self.control.get(resource("accounts", address))

    def add_account(self, fields: Document) -> Made:
        answer = self.control.post(resource("accounts"), fields)
        return answer["account"], answer["generated"]

    def change_account(self, address: str, fields: Document) -> Document:
        return dict(self.control.patch(resource("accounts", address), fields)["account"])

    def set_password(self, address: str, password: str | None) -> Made:
        answer = self.control.put(resource("accounts", address, "password"), {"password": password})
        return answer["account"], answer["generated"]

    def remove_account(self, address: str) -> None:
        self.control.delete(resource("accounts", address))

    def domains(self) -> list[Document]:
        return list(self.control.get(resource("domains"))["domains"])

    def domain(self, name: str) -> Document:
        return self._patient.get(resource("domains", name))

    def add_domain(self, name: str) -> Document:
        return dict(self.control.post(resource("domains"), {"name": name})["domain"])

    def change_domain(self, name: str, fields: Document) -> Document:
        return dict(self.control.patch(resource("domains", name), fields)["domain"])

    def usage(self) -> list[Document]:
        return list(self._patient.get(resource("accounts", "usage"))["accounts"])

    def devices(self, address: str | None) -> list[Document]:
        where = resource("devices") if address is None else resource("accounts", address, "devices")
        return list(self.control.get(where)["devices"])

    def device(self, address: str, name: str) -> Document:
        return dict(self.control.get(resource("accounts", address, "devices", name))["device"])

    def add_device(self, address: str, fields: Document) -> Made:
        answer = self.control.post(resource("accounts", address, "devices"), fields)
        return answer["device"], answer["generated"]

    def remove_device(self, address: str, name: str) -> None:
        self.control.delete(resource("accounts", address, "devices", name))

    def rotate_keys(self) -> Document:
        return self._patient.post(resource("keys", "rotate"), {})

    def what_if(self, setting: str, value: str) -> Document:
        return self._patient.post(resource("what-if"), {"setting": setting, "value": value})

    def test_login(self, login: Document) -> Document:
        return self.control.post(resource("auth", "test"), login)

    @property
    def _patient(self) -> Control:
        return attrs.evolve(self.control, timeout=PATIENCE)


@attrs.frozen
class OfStore:
    """The same over the store itself, whose lock is held meanwhile."""

    office: Office

    def accounts(self) -> list[Document]:
        return asked(self.office.registry.accounts())

    def account(self, address: str) -> Document:
        return asked(self.office.registry.account(address))

    def details(self, address: str) -> Document:
        account, forwarders = self.account(address), asked(self.office.registry.forwarders(address))
        return {
            "account": account,
            "forwarders": forwarders,
            **asked(self.office.devices.summary(address)),
        }

    def add_account(self, fields: Document) -> Made:
        return asked(self.office.registry.add_account(**fields))

    def change_account(self, address: str, fields: Document) -> Document:
        return asked(self.office.registry.change_account(address, fields))

    def set_password(self, address: str, password: str | None) -> Made:
        return asked(self.office.registry.set_password(address, password))

    def remove_account(self, address: str) -> None:
        asked(self.office.registry.remove_account(address))

    def domains(self) -> list[Document]:
        return asked(self.office.registry.domains())

    def domain(self, name: str) -> Document:
        return {"domain": asked(self.office.registry.domain(name))}

    def add_domain(self, name: str) -> Document:
        return asked(self.office.registry.add_domain(name))

    def change_domain(self, name: str, fields: Document) -> Document:
        return asked(self.office.registry.change_domain(name, fields))

    def usage(self) -> list[Document]:
        raise NotReachable("mailsuite is not running, and only a running server knows how much mail there is")

    def devices(self, address: str | None) -> list[Document]:
        devices = self.office.devices
        return asked(devices.all_devices() if address is None else devices.devices(address))

    def device(self, address: str, name: str) -> Document:
        return asked(self.office.devices.device(address, name))

    def add_device(self, address: str, fields: Document) -> Made:
        return asked(self.office.devices.add_device(address, fields))

    def remove_device(self, address: str, name: str) -> None:
        asked(self.office.devices.remove_device(address, name))

    def rotate_keys(self) -> Document:
        return asked(self.office.keys.rotate())

    def what_if(self, setting: str, value: str) -> Document:
        return asked(self.office.what_if.ask(setting, value))

    def test_login(self, login: Document) -> Document:
        return asked(self.office.rehearsal.judge(**login))


def asked(work: Coroutine[Any, Any, T]) -> T:
    """What the office answers; what it refuses is CommandFailed."""
    from mailsuite.accounts.refusal import RegistryError  # noqa: PLC0415 - keeps --help fast
    from mailsuite.concurrent.now import run_now  # noqa: PLC0415

    try:
        return run_now(work)
    except RegistryError as error:
        raise CommandFailed(clean_lines(error.text + _detail(error.__cause__))) from error


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
    from mailsuite.offline import offline_office  # noqa: PLC0415 - takes half a second

    if not quiet:
        state = clean(str(context.config.server.state))
        note(f"mailsuite is not running: this works on the accounts in {state} itself.")
    with without_server(context), offline_office(context.config, _foresee(context)) as office:
        yield OfStore(office)


@contextmanager
def without_server(context: Context) -> Iterator[None]:
    """For work on the state directory itself: as whoever owns it, and what it refuses in words."""
    from mailsuite.accounts.keyring import KeyringError  # noqa: PLC0415 - keeps --help fast
    from mailsuite.state import StateError, StateLocked  # noqa: PLC0415

    _become_owner(context.config.server.state, context.config.server.user)
    try:
        yield
    except StateLocked as error:
        raise NotReachable(
            f"{clean(str(error))}, which does not answer at {clean(str(context.control.path))}; "
            "if it is just starting or stopping, try again in a moment"
        ) from error
    except (KeyringError, StateError) as error:
        raise CommandFailed(clean(str(error))) from error


def _foresee(context: Context) -> Callable[[str], Awaitable[Loaded]]:
    """How the configuration reads with one more KEY=VALUE."""

    async def foresee(assignment: str) -> Loaded:
        from mailsuite.config.load import load  # noqa: PLC0415 - keeps --help fast

        return load(context.config_path, overrides=(assignment,))

    return foresee


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
