"""What somebody shows who wants to log in with a name and a password."""

from __future__ import annotations

from hmac import compare_digest

import attrs
from twisted.cred.credentials import IUsernamePassword
from zope.interface import implementer

from mailsuite.model.facts import ConnectionFacts


@implementer(IUsernamePassword)
@attrs.frozen
class LoginAttempt:
    """One name and password as a front-end decoded them, and where they come from.

    For twisted.cred they are the octets ``username`` and ``password``. Neither the name nor the password
    is in its repr(): people type a password into the field of the name.
    """

    name: str = attrs.field(alias="username", repr=False)
    secret: str = attrs.field(alias="password", repr=False)
    default_domain: str
    """The domain of a name that has none; empty: such a name is nobody's."""
    facts: ConnectionFacts

    @property
    def username(self) -> bytes:
        return octets(self.name)

    @property
    def password(self) -> bytes:
        return octets(self.secret)

    def checkPassword(self, password: bytes) -> bool:
        return compare_digest(self.password, password)


def octets(text: str) -> bytes:
    """*text* in UTF-8, octets that were escaped at decoding restored; never fails."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
