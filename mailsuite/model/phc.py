"""Which password hashes are taken at all: argon2id in PHC string form, of a bearable cost."""

from __future__ import annotations

import re

MAX_MEMORY_KIB = 1024 * 1024
MAX_PASSES = 64
MAX_LANES = 64
"""A stored hash that asks for more is not tried: one login must not take the machine."""

_PHC = re.compile(
    r"\$argon2id\$v=19\$m=([0-9]{1,10}),t=([0-9]{1,10}),p=([0-9]{1,10})"
    r"\$[A-Za-z0-9+/]{11,200}\$[A-Za-z0-9+/]{16,200}"
)


def is_readable(stored: str) -> bool:
    """Whether *stored* is an argon2id hash in PHC string form, of a bearable cost."""
    parts = _PHC.fullmatch(stored)
    if parts is None:
        return False
    memory, passes, lanes = map(int, parts.groups())
    return 8 * lanes <= memory <= MAX_MEMORY_KIB and 0 < passes <= MAX_PASSES and 0 < lanes <= MAX_LANES
