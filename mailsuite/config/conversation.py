"""How an SMTP session goes: what is announced, how long it may take, what it may say wrong."""

# The declarations are immutable: they are no shared mutable defaults.

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Conversation:
    """Keys that ``[smtp]``, ``[submission]`` and ``[lmtp]`` have in common."""
