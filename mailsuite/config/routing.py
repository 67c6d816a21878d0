"""Where mail for an address of ours goes."""

# The declarations are immutable: they are no shared mutable defaults. Without slots, for a class has one
# base with slots at most.
# ruff: noqa: RUF009

from __future__ import annotations

from typing import Final, Literal

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds import Boolean, ListOf, OneOf, OrNone
from mailsuite.config.kinds_routing import (
    Aliases,
    AliasLines,
    CatchAll,
    Delimiters,
    Limit,
    LocalPart,
    Patterns,
    UnknownUser,
    aliases_of,
)
from mailsuite.config.names import HostName
from mailsuite.model.account import Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias, AliasPattern
from mailsuite.model.origin import Origin
from mailsuite.model.rate import Rate

Part = Literal["full", "header"]
_PART: Final[OneOf[Part]] = OneOf(("full", "header"))


@attrs.frozen(kw_only=True, slots=False)
class DomainRouting:
    """Keys of ``[[domain]]``."""

    same_as: str | None = setting(
        OrNone(HostName("example.net")),
        "",
        example="example.com",
        shown=False,
        meaning="Another domain of ours, whose addresses this one has, too, beside its own.",
        applied="live",
    )
    aliases: AliasLines | None = setting(
        OrNone(Aliases()),
        "",
        example={"postmaster": "joe", "sales": ["joe", "ann"]},
        shown=False,
        meaning='Names that stand for others, here or elsewhere; ":discard" throws mail away.',
        applied="live",
    )
    alias_patterns: AliasLines | None = setting(
        OrNone(Patterns()),
        "",
        example={"'list-(.+)'": r"lists+\1"},
        shown=False,
        meaning=r"Regular expressions for names that exist nowhere else; \1 is what the first group matched.",
        applied="live",
    )
    recipient_delimiter: str | None = setting(
        OrNone(Delimiters()),
        "",
        example="+-",
        shown=False,
        meaning='As smtp.recipient_delimiter, for the addresses of this domain; "" is what stands there.',
        applied="live",
    )
    catch_all: tuple[Address, ...] | None = setting(
        OrNone(CatchAll()),
        "",
        example="box@example.net",
        shown=False,
        meaning='Who gets mail for unknown names; "none": it is refused; "" is as delivery.unknown_user.',
        applied="live",
    )
    catch_all_except: tuple[str, ...] = setting(
        ListOf(LocalPart(), example='["root"]'),
        [],
        example=["root", "info"],
        shown=False,
        meaning="Names whose mail is refused all the same.",
        applied="live",
    )
    archive_to: tuple[Address, ...] | None = setting(
        OrNone(CatchAll()),
        "",
        example="archive@example.net",
        shown=False,
        meaning='Who gets a copy of its mail; "none": nobody; "" is as delivery.archive_to.',
        applied="live",
    )
    archive_directions: tuple[Literal["in", "out"], ...] = setting(
        ListOf(OneOf(("in", "out")), example='["in"]'),
        [],
        example=["in"],
        shown=False,
        meaning="As delivery.archive_directions; an empty list is what stands there.",
        applied="live",
    )
    archive_part: Part | None = setting(
        OrNone(_PART),
        "",
        example="header",
        shown=False,
        meaning='As delivery.archive_part; "" is what stands there.',
        applied="live",
    )

    def routed(self, domain: Domain) -> Domain:
        """*domain* with what is said here."""
        return attrs.evolve(
            domain,
            same_as=self.same_as or "",
            delimiters=self.recipient_delimiter,
            catch_all=self.catch_all,
            catch_all_except=frozenset(self.catch_all_except),
            patterns=tuple(AliasPattern(pattern, targets) for pattern, targets in self.alias_patterns or ()),
        )

    def aliases_in(self, domain: str) -> tuple[Alias, ...]:
        """The aliases as values of the model."""
        named = aliases_of(self.aliases or (), domain)
        return tuple(Alias(address, targets, Origin.FILE) for address, targets in named.items())


@attrs.frozen(kw_only=True, slots=False)
class DeliveryRouting:
    """Keys of ``[delivery]``."""

    unknown_user: tuple[Address, ...] = setting(
        UnknownUser(),
        "reject",
        meaning='What becomes of mail for names that do not exist: "reject", or "catchall:box@example.net".',
        applied="live",
    )
    catch_all_rate: Rate = setting(
        Limit(),
        "100/1h",
        meaning="How much mail for names that do not exist each domain takes at most.",
        applied="live",
    )
    rewrite_forwarded_senders: bool = setting(
        Boolean(),
        True,
        shown=False,
        meaning="Whether what is forwarded to other servers goes by a sender of ours, which leads back.",
        applied="live",
    )
    archive_to: tuple[Address, ...] = setting(
        CatchAll(),
        "none",
        example="archive@example.net",
        shown=False,
        meaning='Who gets a copy of all mail, with its envelope in front: an address, or several, or "none".',
        applied="live",
    )
    archive_directions: tuple[Literal["in", "out"], ...] = setting(
        ListOf(OneOf(("in", "out")), example='["in"]'),
        ["in", "out"],
        example=["in"],
        shown=False,
        meaning="Whether of mail that comes in for our addresses, or that our accounts send.",
        applied="live",
    )
    archive_part: Part = setting(
        _PART,
        "full",
        example="header",
        shown=False,
        meaning="Whether the copy is the whole message, or its header alone.",
        applied="live",
    )


@attrs.frozen(kw_only=True, slots=False)
class ReceptionRouting:
    """Keys of ``[smtp]``."""

    recipient_delimiter: str = setting(
        Delimiters(),
        "+",
        meaning='What may stand between a name and its tag, as in joe+shop: any of +-_, or "none".',
        applied="live",
    )
