"""An entry of a list of senders (features row S-I09: kill file, accept list)."""

from __future__ import annotations

import attrs

from mailsuite.model.address import Address, AddressSyntaxError, normalise_domain


@attrs.frozen
class SenderEntry:
    """One sender, all of a domain, or all of the domains below one."""

    text: str
    """As it was written."""
    domain: str
    local: str | None = None
    """Canonical; None: everybody."""
    below: bool = False
    """The domains below ``domain`` are meant, and not that one."""


def parse_sender(text: str) -> SenderEntry:
    """``eve@example.org``, ``example.org``, or ``*.example.org`` for what is below it.

    Raises AddressSyntaxError.
    """
    written = text.strip()
    if "@" in written and not written.startswith("*@"):
        address = Address.parse(written).canonical
        return SenderEntry(written, address.domain, address.local)
    name = written.removeprefix("*@")
    below = name.startswith("*.")
    domain = normalise_domain(name.removeprefix("*."))
    if "." not in domain or domain.startswith("["):
        raise AddressSyntaxError("a domain with a dot in it is meant")
    return SenderEntry(written, domain, below=below)
