"""Who may send to other servers, in whose name, and how much."""

# The declarations are immutable: they are no shared mutable defaults.

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class ReceptionRules:
    """Keys of ``[smtp]``."""


@attrs.frozen(kw_only=True)
class SubmissionRules:
    """Keys of ``[submission]``."""
