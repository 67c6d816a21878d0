"""The names that people log in with: which are possible at all, and whose account each one means."""

from __future__ import annotations

import re

from mailsuite.model.address import Address, AddressSyntaxError

MAX_NAME_OCTETS = 320
"""64 for the local part, the @, 255 for the domain (RFC 5321 section 4.5.3.1)."""

_LOCAL = re.compile(r"[a-z0-9!#$%&'+=^_`{|}~-]+(\.[a-z0-9!#$%&'+=^_`{|}~-]+)*")
"""A dot-string of RFC 5321 section 4.1.2 in lower case, without what paths and globs are made of."""


def account_address(name: str, default_domain: str = "") -> Address:
    """The canonical address of the account that *name* means: ``joe@example.net``, or ``joe`` alone
    where there is a default domain.

    The local part is ASCII for now; a domain may be written in any script (RFC 5890). Raises
    AddressSyntaxError for whatever can be no account's name.
    """
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_OCTETS:
        raise AddressSyntaxError(f"the name is longer than {MAX_NAME_OCTETS} octets")
    local, at, domain = name.rpartition("@")
    if not at:
        local, domain = name, default_domain
    if not local.isascii():  # before lower(), which makes an ASCII k of the Kelvin sign
        raise AddressSyntaxError("the part before the @ is not ASCII")
    local = local.lower()
    if not _LOCAL.fullmatch(local):
        raise AddressSyntaxError("the part before the @ has a character that no account's name has")
    return Address.of(local, domain)
