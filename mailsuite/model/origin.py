"""Where something is written down."""

from __future__ import annotations

import enum


class Origin(enum.Enum):
    """Where an account, a domain, an alias or a device password is written down."""

    FILE = "file"
    DATABASE = "database"
