"""How much mail accounts may have."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

from typing import Final, Literal

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds import OneOf, OrNone
from mailsuite.config.kinds_quota import QuotaLimits
from mailsuite.config.measures import Size
from mailsuite.model.quota import Quota

OverQuota = Literal["tempfail", "reject"]

OWN_MAXIMUM: Final = Size(1 << 10, 2 << 30)
"""As max_message of a listener."""


@attrs.frozen(kw_only=True)
class DomainQuota:
    """Keys of ``[[domain]]``."""

    quota: Quota = setting(
        QuotaLimits(inherits=True),
        "",
        example="1GiB,20000",
        shown=False,
        meaning='As delivery.quota, for each account of this domain; "" is what stands there.',
        applied="live",
    )
    total_quota: Quota = setting(
        QuotaLimits(inherits=True),
        "",
        example="100GiB",
        shown=False,
        meaning="How much mail all its accounts may have together, written as a quota is; none: no limit.",
        applied="live",
    )
    max_message: int | None = setting(
        OrNone(OWN_MAXIMUM),
        "",
        example="20MiB",
        shown=False,
        meaning='The largest message its accounts send or get, below the listener\'s; "" is what that says.',
        applied="live",
    )


@attrs.frozen(kw_only=True)
class AccountQuota:
    """Keys of ``[[account]]``."""

    quota: Quota = setting(
        QuotaLimits(inherits=True),
        "",
        example="5GiB",
        shown=False,
        meaning='As delivery.quota, for this account; "" is as its domain says.',
        applied="live",
    )
    max_message: int | None = setting(
        OrNone(OWN_MAXIMUM),
        "",
        example="10MiB",
        shown=False,
        meaning='The largest message it sends or gets, below its domain\'s; "" is as its domain says.',
        applied="live",
    )


@attrs.frozen(kw_only=True)
class DeliveryQuota:
    """Keys of ``[delivery]``."""

    quota: Quota = setting(
        QuotaLimits(),
        "2GiB",
        meaning='How much mail an account may have: octets, messages ("2GiB,10000"); "0" is no limit.',
        applied="live",
    )
    over_quota: OverQuota = setting(
        OneOf(("tempfail", "reject")),
        "tempfail",
        meaning="Whether mail for a full maildrop is to come again later, or is refused for good.",
        applied="live",
    )
    deleted_quota: Quota = setting(
        QuotaLimits(),
        "2GiB",
        meaning="How much deleted mail an account can bring back; beyond, the oldest of it is gone for good.",
        applied="live",
    )
