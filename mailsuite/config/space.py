"""When the disk is too full to take mail."""

# The declarations are immutable: they are no shared mutable defaults.

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class DeliverySpace:
    """Keys of ``[delivery]``."""
