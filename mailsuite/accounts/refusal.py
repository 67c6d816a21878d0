"""How those who look after accounts hear that something cannot be done, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from mailsuite.accounts.names import account_address
from mailsuite.config.kinds import BadValue, Kind
from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.model.failure import MailFailure
from mailsuite.model.reply import (
    ALREADY_EXISTS,
    NO_SUCH_ACCOUNT,
    NO_SUCH_ALIAS,
    NO_SUCH_DEVICE,
    NO_SUCH_DOMAIN,
    READ_ONLY,
    Reply,
)

ErrorKind = Literal["bad-request", "not-found", "exists", "read-only", "too-many", "unavailable"]

_KINDS: Final[dict[Reply, ErrorKind]] = {
    ALREADY_EXISTS: "exists",
    NO_SUCH_ACCOUNT: "not-found",
    NO_SUCH_ALIAS: "not-found",
    NO_SUCH_DEVICE: "not-found",
    NO_SUCH_DOMAIN: "not-found",
    READ_ONLY: "read-only",
}


class RegistryError(Exception):
    """It cannot be done; ``text`` says why, in words for a person."""

    def __init__(self, kind: ErrorKind, text: str) -> None:
        super().__init__(text)
        self.kind: ErrorKind = kind
        self.text = text


def bad(text: str) -> RegistryError:
    """The request itself is wrong."""
    return RegistryError("bad-request", text)


def refused(what: str, reply: Reply) -> RegistryError:
    """What the directory refuses, in words for the person who asked about *what*."""
    words = " ".join(reply.text)
    return RegistryError(_KINDS.get(reply, "unavailable"), f"{what}: {words[:1].lower()}{words[1:]}")


@contextmanager
def in_words(what: str) -> Iterator[None]:
    """Within it, a MailFailure becomes the RegistryError that refused() makes of it."""
    try:
        yield
    except MailFailure as error:
        raise refused(what, error.reply) from error


def parsed(kinds: Mapping[str, Kind[Any]], fields: Mapping[str, object], what: str = "") -> dict[str, Any]:
    """*fields* as values of the model. *what* stands in front of their names where something is wrong."""
    values: dict[str, Any] = {}
    for name, value in fields.items():
        kind = kinds.get(name)
        if kind is None:
            *first, last = kinds
            raise bad(f"{what or 'this'} has no field {name!r}; it has {', '.join(first)} and {last}")
        try:
            values[name] = kind.parse(value, Path("/"))
        except BadValue as error:
            raise bad(f"{what}{'.' if what else ''}{name}: {error}") from error
    return values


def asked_address(text: str) -> Address:
    """The canonical address of an account that may be there."""
    if "@" not in text:
        raise bad(f"{text!r} is no address: there is no @ in it")
    try:
        return account_address(text)
    except AddressSyntaxError as error:
        raise bad(f"{text!r} is no address of an account: {error}") from error
