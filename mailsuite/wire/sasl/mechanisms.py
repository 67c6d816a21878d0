"""The mechanisms by their registered names, and what they need of the connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mailsuite.wire.sasl.exchange import Mechanism
from mailsuite.wire.sasl.plain import Login, Plain

MECHANISMS: Mapping[str, Callable[[], Mechanism]] = {"PLAIN": Plain, "LOGIN": Login}
"""Those that need nothing but what the client sends, by their registered names."""
