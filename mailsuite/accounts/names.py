"""The names that people log in with: which are possible at all, and whose account each one means."""

from __future__ import annotations

import re
from typing import Final, Protocol

import attrs
from precis_i18n import get_profile

from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.model.view import Box

MAX_NAME_OCTETS = 320
"""64 for the local part, the @, 255 for the domain (RFC 5321 section 4.5.3.1)."""

_LOCAL = re.compile(r"[a-z0-9!#$%&'+=^_`{|}~\x80-\U0010ffff-]+(\.[a-z0-9!#$%&'+=^_`{|}~\x80-\U0010ffff-]+)*")
"""A dot-string of RFC 6531 section 3.3 in lower case, without what paths and globs are made of."""

_USERNAME = get_profile("UsernameCaseMapped")


_ENDINGS: Final = tuple((f"+{box.value}", box) for box in Box if box.value)
"""What a name for another box than the inbox ends with before its @; none ends with another."""


@attrs.frozen
class Named:
    """What a login name means."""

    address: Address
    """Canonical, of an account that need not exist."""
    box: Box = Box.INBOX


class NameRules(Protocol):
    """What a listener says about names; accounts/attempt.py's LoginRules are some."""

    @property
    def default_domain(self) -> str: ...

    @property
    def alternate_at(self) -> str: ...


def account_address(name: str, default_domain: str = "") -> Address:
    """The canonical address of the account that *name* means: ``joe@example.net``, or ``joe`` alone
    where there is a default domain.

    The local part is folded by the profile UsernameCaseMapped of RFC 8265, and a domain may be written in
    any script (RFC 5890). Raises AddressSyntaxError for whatever can be no account's name.
    """
    local, domain = _halves(name, default_domain)
    return Address.of(local, domain)


def _halves(name: str, default_domain: str) -> tuple[str, str]:
    """The local part, folded, and the domain as it was written. Raises AddressSyntaxError."""
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_OCTETS:
        raise AddressSyntaxError(f"the name is longer than {MAX_NAME_OCTETS} octets")
    local, at, domain = name.rpartition("@")
    if not at:
        local, domain = name, default_domain
    local = local.lower() if local.isascii() else _fold(local)
    if not _LOCAL.fullmatch(local):
        raise AddressSyntaxError("the part before the @ has a character that no account's name has")
    return local, domain


def _fold(local: str) -> str:
    """Prepare and enforce (RFC 8265 sections 3.3.2 and 3.3.3). What is forbidden before case is mapped
    stays forbidden: else the Kelvin sign would be a k."""
    try:
        _USERNAME.base.enforce(_USERNAME.width_mapping_rule(local))
        folded: str = _USERNAME.enforce(local)
    except UnicodeError as error:
        raise AddressSyntaxError("the part before the @ has a character that RFC 8265 forbids") from error
    return folded


async def login_address(
    name: str, rules: NameRules, directory: IAccountDirectory, *, boxes: bool = False
) -> Named | None:
    """Whose account *name* means at a listener with these rules, and which of its boxes; None where it can be
    nobody's.

    Where the name has no @ and one of ``alternate_at``'s characters, the last of them stands for it (features
    row S-M02). Where *boxes* can be named, ``+trash`` and ``+trash+restore`` before the @ do that (B-02). In
    both cases an account that is called so literally wins. The account need not exist.
    """
    literal = _Reading.of(name, rules.default_domain, boxes)
    at = max(map(name.rfind, rules.alternate_at), default=-1) if "@" not in name else -1
    if at < 0:
        return await literal.meant(directory)
    if literal.plain is not None and await directory.account(literal.plain) is not None:
        return Named(literal.plain)
    alternate = _Reading.of(f"{name[:at]}@{name[at + 1 :]}", "", boxes)
    return await alternate.meant(directory) or await literal.meant(directory)


@attrs.frozen
class _Reading:
    """What a name may mean, once it is clear where its @ is."""

    plain: Address | None = None
    """The account that is called so literally."""
    boxed: Named | None = None
    """The account without the ending, and its box."""

    @classmethod
    def of(cls, name: str, default_domain: str, boxes: bool) -> _Reading:
        try:
            local, domain = _halves(name, default_domain)
        except AddressSyntaxError:
            return cls()
        reading = cls(_possible(local, domain))
        for ending, box in _ENDINGS:
            if boxes and local.endswith(ending):
                owner = _possible(local.removesuffix(ending), domain)
                return attrs.evolve(reading, boxed=Named(owner, box) if owner is not None else None)
        return reading

    async def meant(self, directory: IAccountDirectory) -> Named | None:
        if self.boxed is None:
            return Named(self.plain) if self.plain is not None else None
        if self.plain is not None and await directory.account(self.plain) is not None:
            return Named(self.plain)
        return self.boxed


def _possible(local: str, domain: str) -> Address | None:
    if not _LOCAL.fullmatch(local):
        return None
    try:
        return Address.of(local, domain)
    except AddressSyntaxError:
        return None
