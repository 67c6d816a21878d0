"""The kind of a quota: an amount of data, a number of messages, or both (``"2GiB,10000"``)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs

from mailsuite.config.kinds import Kind, printable
from mailsuite.config.measures import Size, size_text
from mailsuite.model.quota import Quota

MAX_QUOTA_MESSAGES: Final = 1_000_000_000
_OCTETS: Final = Size(1 << 10, 1 << 60)


@attrs.frozen
class QuotaLimits(Kind[Quota]):
    """Both limits of a quota in one text; ``"0"`` is no limit, in the place of one or of both."""

    inherits: bool = False
    """Whether ``""`` may be written, and the size left out: what is not said is as somebody else says."""

    @property
    def word(self) -> str:
        return "quota"

    @property
    def range(self) -> str:
        return f'{_OCTETS.range}, or "0"; messages 0 to {MAX_QUOTA_MESSAGES}'

    @property
    def expects(self) -> str:
        return 'a size, or a size and a number of messages, as in "2GiB" or "2GiB,10000"; "0" is no limit'

    def parse(self, raw: object, base: Path) -> Quota:
        if isinstance(raw, int) and not isinstance(raw, bool) and raw == 0:
            return Quota(0, 0)
        text = printable(raw, self).strip()
        if not text and self.inherits:
            return Quota()
        octets_text, comma, messages_text = (part.strip() for part in text.partition(","))
        if not comma:
            return Quota(0, 0) if octets_text == "0" else Quota(self._octets(octets_text, base))
        if not (messages_text.isascii() and messages_text.isdigit()) or len(messages_text) > 10:
            raise self.refuse(raw)
        messages = int(messages_text)
        if messages > MAX_QUOTA_MESSAGES:
            raise self.refuse(raw, "has too many messages")
        if not octets_text and self.inherits:
            return Quota(None, messages)
        return Quota(0 if octets_text == "0" else self._octets(octets_text, base), messages)

    def _octets(self, text: str, base: Path) -> int:
        return _OCTETS.parse(text, base)

    def write(self, value: Quota) -> object:
        octets = "" if value.octets is None else size_text(value.octets) if value.octets else "0"
        if value.messages is None or (octets == "0" and value.messages == 0):
            return octets
        return f"{octets},{value.messages}"

    def from_text(self, text: str) -> object:
        return text if text in {"", "0"} else super().from_text(text)
