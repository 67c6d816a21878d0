"""What the secrets of subscriptions are sealed by, as far as those who keep them need to know."""

from __future__ import annotations

from typing import Protocol


class Seal(Protocol):
    """Seals for one purpose: what *about* says, and nothing else opens it. For any thread."""

    def seal(self, plain: bytes, about: str) -> bytes: ...

    def open(self, sealed: bytes, about: str) -> bytes | None:
        """None: the key is gone, or it was changed, or it was sealed for something else."""
        ...

    def is_current(self, sealed: bytes) -> bool:
        """Whether it is sealed by the newest key."""
        ...
