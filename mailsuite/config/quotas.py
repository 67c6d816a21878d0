"""How much mail accounts may have."""

# The declarations are immutable: they are no shared mutable defaults.

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class DomainQuota:
    """Keys of ``[[domain]]``."""


@attrs.frozen(kw_only=True)
class AccountQuota:
    """Keys of ``[[account]]``."""


@attrs.frozen(kw_only=True)
class DeliveryQuota:
    """Keys of ``[delivery]``."""
