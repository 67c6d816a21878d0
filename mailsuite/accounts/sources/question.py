"""What a source is asked: whether this password is right for this account."""

from __future__ import annotations

from hmac import compare_digest

import attrs
from twisted.cred.credentials import IUsernamePassword
from zope.interface import implementer

from mailsuite.model.address import Address

AvatarId = bytes | tuple[()]
"""What a checker answers who lets somebody in; the empty one is nobody in particular."""


@implementer(IUsernamePassword)
@attrs.frozen(eq=False)
class Question:
    """A name and a password as any twisted.cred checker takes them, and the account they stand for."""

    address: Address
    username: bytes
    """As the source knows the account; UTF-8."""
    password: bytes = attrs.field(repr=False)
    """UTF-8, never empty, without NUL; or the octets of a client that does not speak UTF-8."""

    def checkPassword(self, password: bytes) -> bool:
        return compare_digest(self.password, password)


def plain(address: Address) -> str:
    """The address as other programs write it: the local part never in quotes."""
    return f"{address.local}@{address.domain}" if address.domain else address.local


def asked_about(credentials: IUsernamePassword) -> tuple[str, str, str]:
    """Address, local part and domain that *credentials* are for, also where others made them."""
    if isinstance(credentials, Question):
        return plain(credentials.address), credentials.address.local, credentials.address.domain
    name = credentials.username.decode("utf-8", "surrogateescape")
    local, _, domain = name.rpartition("@")
    return (name, local, domain) if local else (name, name, "")
