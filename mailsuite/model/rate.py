"""How much of something in how long."""

from __future__ import annotations

import attrs


@attrs.frozen
class Rate:
    """At most ``count`` in any ``seconds``."""

    count: int
    seconds: float
