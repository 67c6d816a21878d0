"""Quotas as values."""

from __future__ import annotations

import pytest

from mailsuite.model.quota import UNLIMITED, Quota
from mailsuite.model.retention import Usage


@pytest.mark.parametrize(
    ("own", "general", "meant"),
    [
        (Quota(), Quota(10, 2), Quota(10, 2)),
        (Quota(5), Quota(10, 2), Quota(5, 2)),
        (Quota(None, 1), Quota(10, 2), Quota(10, 1)),
        (Quota(0, 0), Quota(10, 2), Quota(0, 0)),
        (Quota(0), Quota(), Quota(0)),
    ],
)
def test_what_is_not_said_is_as_for_all(own: Quota, general: Quota, meant: Quota) -> None:
    assert own.within(general) == meant


def test_more_mail() -> None:
    assert Usage(1, 20, 3, 40).plus(2, 5) == Usage(3, 25, 3, 40)


@pytest.mark.parametrize("quota", [UNLIMITED, Quota(0), Quota(0, 0), Quota(None, 0)])
def test_no_limit(quota: Quota) -> None:
    assert quota.is_unlimited
    assert quota.holds(10**15, 10**9)
    assert (quota.percent(10**15, 10**9), quota.level(10**15, 10**9)) == (0, 0)


@pytest.mark.parametrize(
    ("octets", "messages", "holds"),
    [(0, 0, True), (1000, 10, True), (1001, 1, False), (1, 11, False)],
)
def test_both_limits_count(octets: int, messages: int, holds: bool) -> None:
    assert Quota(1000, 10).holds(octets, messages) is holds
    assert not Quota(1000, 10).is_unlimited


@pytest.mark.parametrize(
    ("octets", "messages", "percent", "level"),
    [
        (0, 0, 0, 0),
        (799, 7, 79, 0),
        (800, 0, 80, 80),
        (0, 8, 80, 80),
        (949, 9, 94, 80),
        (950, 9, 95, 95),
        (5000, 0, 500, 95),
    ],
)
def test_the_nearer_limit_warns(octets: int, messages: int, percent: int, level: int) -> None:
    quota = Quota(1000, 10)
    assert (quota.percent(octets, messages), quota.level(octets, messages)) == (percent, level)
