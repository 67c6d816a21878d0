"""The names that people log in with: which are possible at all, and whose account each one means."""

from __future__ import annotations

import re
from typing import Protocol

from precis_i18n import get_profile

from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.address import Address, AddressSyntaxError

MAX_NAME_OCTETS = 320
"""64 for the local part, the @, 255 for the domain (RFC 5321 section 4.5.3.1)."""

_LOCAL = re.compile(r"[a-z0-9!#$%&'+=^_`{|}~\x80-\U0010ffff-]+(\.[a-z0-9!#$%&'+=^_`{|}~\x80-\U0010ffff-]+)*")
"""A dot-string of RFC 6531 section 3.3 in lower case, without what paths and globs are made of."""

_USERNAME = get_profile("UsernameCaseMapped")


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
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_OCTETS:
        raise AddressSyntaxError(f"the name is longer than {MAX_NAME_OCTETS} octets")
    local, at, domain = name.rpartition("@")
    if not at:
        local, domain = name, default_domain
    local = local.lower() if local.isascii() else _fold(local)
    if not _LOCAL.fullmatch(local):
        raise AddressSyntaxError("the part before the @ has a character that no account's name has")
    return Address.of(local, domain)


def _fold(local: str) -> str:
    """Prepare and enforce (RFC 8265 sections 3.3.2 and 3.3.3). What is forbidden before case is mapped
    stays forbidden: else the Kelvin sign would be a k."""
    try:
        _USERNAME.base.enforce(_USERNAME.width_mapping_rule(local))
        folded: str = _USERNAME.enforce(local)
    except UnicodeError as error:
        raise AddressSyntaxError("the part before the @ has a character that RFC 8265 forbids") from error
    return folded


async def login_address(name: str, rules: NameRules, directory: IAccountDirectory) -> Address | None:
    """Whose account *name* means at a listener with these rules; None where it can be nobody's.

    Where the name has no @ and one of ``alternate_at``'s characters, the last of them stands for it, unless
    there is an account that is called so literally (features row S-M02). The account need not exist.
    """
    literal = _possible(name, rules.default_domain)
    at = max(map(name.rfind, rules.alternate_at), default=-1) if "@" not in name else -1
    if at < 0:
        return literal
    if literal is not None and await directory.account(literal) is not None:
        return literal
    return _possible(f"{name[:at]}@{name[at + 1 :]}", "") or literal


def _possible(name: str, default_domain: str) -> Address | None:
    try:
        return account_address(name, default_domain)
    except AddressSyntaxError:
        return None
