"""Copies of mail for an archive, by domain and direction (features row S-B07)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal

import attrs

from mailsuite.config.schema import Config
from mailsuite.model.address import Address

Direction = Literal["in", "out"]

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")


@attrs.frozen
class ArchiveRule:
    """What is archived of one domain."""

    to: tuple[Address, ...] = ()
    """None: nothing is."""
    directions: frozenset[Direction] = frozenset({"in", "out"})
    """For its addresses, or sent by its accounts."""
    header_only: bool = False


NO_ARCHIVE: Final = ArchiveRule()


@attrs.frozen
class Archives:
    """Asked once for each message, when its recipients are known."""

    general: ArchiveRule = NO_ARCHIVE
    domains: Mapping[str, ArchiveRule] = attrs.field(factory=dict)

    def of(self, account: Address | None, recipients: Iterable[Address]) -> Mapping[Address, bool]:
        """To whom a copy goes, and whether of the header alone; whoever gets both gets the whole. *account*:
        who submitted it; *recipients*: those that were accepted and are ours, as the sender named them."""
        rules = [self._rule(domain, "in") for domain in {recipient.domain for recipient in recipients}]
        if account is not None:
            rules.append(self._rule(account.domain, "out"))
        found: dict[Address, bool] = {}
        for rule in rules:
            for address in rule.to:
                found[address] = found.get(address, True) and rule.header_only
        return dict(sorted(found.items()))

    def _rule(self, domain: str, direction: Direction) -> ArchiveRule:
        rule = self.domains.get(domain, self.general)
        return rule if direction in rule.directions else NO_ARCHIVE


def configured_archives(config: Config) -> Archives:
    """What the configuration says."""
    delivery = config.delivery
    general = _rule(delivery.archive_to, delivery.archive_directions, delivery.archive_part)
    return Archives(
        general,
        {
            block.name: _rule(
                delivery.archive_to if block.archive_to is None else block.archive_to,
                block.archive_directions or delivery.archive_directions,
                block.archive_part or delivery.archive_part,
            )
            for block in config.domains
        },
    )


def _rule(to: tuple[Address, ...], directions: Collection[Direction], part: str) -> ArchiveRule:
    return ArchiveRule(to, frozenset(directions), part == "header")


def journal(sender: Address | None, recipients: Iterable[Address]) -> bytes:
    """The envelope as fields in front of an archive's copy, one recipient on a line; blind copies are there,
    so that these fields are for no other copy."""
    named = ",\r\n\t".join(f"<{_shown(recipient)}>" for recipient in recipients)
    shown = "" if sender is None else _shown(sender)
    return f"X-Envelope-From: <{shown}>\r\nX-Envelope-To: {named}\r\n".encode("utf-8", "replace")


def _shown(address: Address) -> str:
    return _CONTROLS.sub("?", str(address))
