"""Copies of mail for an archive, by domain and direction (features row S-B07)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal

import attrs

from mailsuite.config.schema import Config, Delivery, DomainBlock
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
class Wanted:
    """What one archive gets of a message."""

    header_only: bool
    domains: frozenset[str] = frozenset()
    """Whose recipients it may know; others may be blind copies, which are nothing to it."""
    everybody: bool = False
    """It archives the sender, who knows them all."""

    def __or__(self, other: Wanted) -> Wanted:
        return Wanted(
            self.header_only and other.header_only,
            self.domains | other.domains,
            self.everybody or other.everybody,
        )

    def knows(self, recipient: Address) -> bool:
        """Whether it is told of a recipient."""
        return self.everybody or recipient.domain in self.domains


@attrs.frozen
class Archives:
    """Asked once for each message, when its recipients are known."""

    general: ArchiveRule = NO_ARCHIVE
    domains: Mapping[str, ArchiveRule] = attrs.field(factory=dict)

    def of(self, account: Address | None, recipients: Iterable[Address]) -> Mapping[Address, Wanted]:
        """To whom a copy goes, and what is in it. *account*: who submitted it; *recipients*: those that were
        accepted and are ours, as the sender named them."""
        found: dict[Address, Wanted] = {}
        for domain in sorted({recipient.domain for recipient in recipients}):
            _add(found, self._rule(domain, "in"), frozenset({domain}), everybody=False)
        if account is not None:
            _add(found, self._rule(account.domain, "out"), frozenset(), everybody=True)
        return dict(sorted(found.items()))

    def _rule(self, domain: str, direction: Direction) -> ArchiveRule:
        rule = self.domains.get(domain, self.general)
        return rule if direction in rule.directions else NO_ARCHIVE


def _add(
    found: dict[Address, Wanted], rule: ArchiveRule, domains: frozenset[str], *, everybody: bool
) -> None:
    wanted = Wanted(rule.header_only, domains, everybody)
    for address in rule.to:
        found[address] = found[address] | wanted if address in found else wanted


def configured_archives(config: Config) -> Archives:
    """What the configuration says."""
    delivery = config.delivery
    general = _rule(delivery.archive_to, delivery.archive_directions, delivery.archive_part)
    blocks = {block.name: block for block in config.domains}
    return Archives(general, {name: _rule_of(block, blocks, delivery) for name, block in blocks.items()})


def _rule_of(block: DomainBlock, blocks: Mapping[str, DomainBlock], delivery: Delivery) -> ArchiveRule:
    """Where a domain says nothing, what the domain says that it stands for; then, what the server says."""
    meant = blocks.get(block.same_as or "", block)
    to = block.archive_to if block.archive_to is not None else meant.archive_to
    return _rule(
        delivery.archive_to if to is None else to,
        block.archive_directions or meant.archive_directions or delivery.archive_directions,
        block.archive_part or meant.archive_part or delivery.archive_part,
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
