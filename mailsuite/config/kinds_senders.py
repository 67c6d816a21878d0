"""The kind of a list of senders that belongs to one account or one domain."""

from __future__ import annotations

from pathlib import Path

import attrs

from mailsuite.config.kinds import BadValue, Kind, ListOf
from mailsuite.config.kinds_relaying import Sender
from mailsuite.model.sender_list import MAX_OWN_SENDERS, SenderEntry


@attrs.frozen
class OwnSenderList(ListOf[SenderEntry]):
    """A list that is bounded, for every account may have one."""

    item: Kind[SenderEntry] = attrs.field(factory=Sender)
    example: str = '["eve@example.org", "example.com", "*.example.com"]'

    @property
    def range(self) -> str:
        return f"at most {MAX_OWN_SENDERS}"

    def parse(self, raw: object, base: Path) -> tuple[SenderEntry, ...]:
        if isinstance(raw, list) and len(raw) > MAX_OWN_SENDERS:
            raise BadValue(
                f"the list has {len(raw)} entries, and {MAX_OWN_SENDERS} are the most; a longer one is a "
                "file in smtp.block_sender_files"
            )
        return super().parse(raw, base)
