"""How much mail accounts may have."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

from typing import Literal

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds import OneOf
from mailsuite.config.kinds_quota import QuotaLimits
from mailsuite.model.quota import Quota

OverQuota = Literal["tempfail", "reject"]


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
