"""When the disk is too full to take mail."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds_space import FreeSpace, KeepFree


@attrs.frozen(kw_only=True, slots=False)  # a base beside others: slots would not fit together
class DeliverySpace:
    """Keys of ``[delivery]``."""

    keep_free: KeepFree = setting(
        FreeSpace(),
        "auto",
        example="2GiB",
        shown=False,
        meaning="Mail is put off while less of the disk is free; auto is 5 percent, at least 1 GiB.",
        applied="live",
    )
