"""Addresses that stand for others, as values."""

from __future__ import annotations

import attrs

from mailsuite.model.address import Address
from mailsuite.model.origin import Origin

MAX_NESTING = 20
"""Aliases that lead to aliases, in a row (features row L-03)."""
MAX_EXPANSION = 10_000
"""Addresses that one alias may lead to in the end; our own limit."""


@attrs.frozen
class Alias:
    """An address of ours without a maildrop of its own. ``address`` is canonical."""

    address: Address
    targets: tuple[Address, ...] = ()
    """Accounts, other aliases, or addresses elsewhere. None at all: mail is taken and thrown away
    (``:discard``)."""
    origin: Origin = Origin.DATABASE


@attrs.frozen
class AliasPattern:
    """Many addresses of one domain that stand for others."""

    pattern: str
    """A regular expression for the whole local part, in lower case."""
    targets: tuple[str, ...]
    """Addresses as text, where ``\\1`` is what the first group has matched."""
