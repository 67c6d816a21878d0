"""The languages that notices are written in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mailsuite.delivery.dsn_texts import ENGLISH, Texts
from mailsuite.delivery.dsn_texts_german import GERMAN

LANGUAGES: Mapping[str, Texts] = MappingProxyType({texts.tag: texts for texts in (ENGLISH, GERMAN)})
"""By their tags (RFC 5646)."""
