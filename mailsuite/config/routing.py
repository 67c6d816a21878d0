"""Where mail for an address of ours goes."""

# The declarations are immutable: they are no shared mutable defaults.

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class DomainRouting:
    """Keys of ``[[domain]]``."""


@attrs.frozen(kw_only=True)
class AccountRouting:
    """Keys of ``[[account]]``."""


@attrs.frozen(kw_only=True)
class DeliveryRouting:
    """Keys of ``[delivery]``."""


@attrs.frozen(kw_only=True)
class ReceptionRouting:
    """Keys of ``[smtp]``."""
