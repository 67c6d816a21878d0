"""Quotas in the file: read, shown, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailsuite.config.kinds import BadValue
from mailsuite.config.kinds_quota import QuotaLimits
from mailsuite.config.load import load
from mailsuite.config.values import values
from mailsuite.model.quota import Quota

GIB = 1 << 30


@pytest.mark.parametrize(
    ("raw", "quota", "written"),
    [
        ("2GiB", Quota(2 * GIB), "2GiB"),
        (" 2 GiB , 10000 ", Quota(2 * GIB, 10000), "2GiB,10000"),
        ("0,10000", Quota(0, 10000), "0,10000"),
        ("2GiB,0", Quota(2 * GIB, 0), "2GiB,0"),
        ("0", Quota(0, 0), "0"),
        ("0,0", Quota(0, 0), "0"),
        (0, Quota(0, 0), "0"),
    ],
)
@pytest.mark.parametrize("inherits", [True, False])
def test_what_is_a_quota(raw: object, quota: Quota, written: str, inherits: bool) -> None:
    kind = QuotaLimits(inherits)
    assert kind.parse(raw, Path("/")) == quota
    assert kind.write(quota) == written
    assert kind.parse(written, Path("/")) == quota


@pytest.mark.parametrize(("raw", "quota"), [("", Quota()), (",10000", Quota(None, 10000))])
def test_what_is_left_out_is_as_somebody_else_says(raw: str, quota: Quota) -> None:
    assert QuotaLimits(inherits=True).parse(raw, Path("/")) == quota
    assert QuotaLimits(inherits=True).write(quota) == raw
    with pytest.raises(BadValue):
        QuotaLimits().parse(raw, Path("/"))


@pytest.mark.parametrize(
    "raw",
    [
        *(5, True, -1, None, 1.5, ["2GiB"]),
        *("2", "2GB", "GiB", "-2GiB", "2GiB,", "2GiB,x", "2GiB,-1", "2GiB,1,2", "2GiB,1000000001"),
        *("2GiB," + "9" * 5000, "1B", "9999999TiB", "2GiB,\u0661", "none", "2GiB\x00"),
    ],
)
def test_what_is_none(raw: object) -> None:
    for kind in (QuotaLimits(), QuotaLimits(inherits=True)):
        with pytest.raises(BadValue) as refused:
            kind.parse(raw, Path("/"))
        assert "expected" in str(refused.value) or "control character" in str(refused.value)


def test_from_outside() -> None:
    kind = QuotaLimits()
    assert [kind.from_text(text) for text in ("0", "", "2GiB,5")] == ["0", "", "2GiB,5"]


def test_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mailsuite.toml"
    path.write_text(
        """
[delivery]
quota = "1GiB,5000"
over_quota = "reject"
deleted_quota = "100MiB"
[[domain]]
name = "example.net"
quota = "3GiB"
total_quota = "100GiB,500000"
max_message = "20MiB"
language = "de"
[[account]]
address = "joe@example.net"
quota = "0"
max_message = "100KiB"
language = "en"
[[account]]
address = "ann@example.net"
""",
        encoding="utf-8",
    )
    config = load(path, {}).accepted()
    delivery = config.delivery
    assert (delivery.quota, delivery.over_quota) == (Quota(GIB, 5000), "reject")
    assert delivery.deleted_quota == Quota(100 << 20)
    assert [one.quota for one in config.domains] == [Quota(3 * GIB)]
    assert [one.quota for one in config.accounts] == [Quota(0, 0), Quota()]
    assert [one.domain.total_quota for one in config.domains] == [Quota(100 * GIB, 500_000)]
    assert [one.domain.max_message for one in config.domains] == [20 << 20]
    assert [one.account.max_message for one in config.accounts] == [100 << 10, None]
    assert [one.domain.language for one in config.domains] == ["de"]
    assert [one.account.language for one in config.accounts] == ["en", ""]
    shown = {one.key: one.text for one in values(config)}
    assert shown["delivery.quota"] == '"1GiB,5000"'


def test_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mailsuite.toml"
    path.write_text('[delivery]\nover_quota = "bounce"\n', encoding="utf-8")
    (problem,) = load(path, {}).errors
    assert '"tempfail", "reject"' in str(problem.text)
    path.write_text("", encoding="utf-8")
    delivery = load(path, {}).accepted().delivery
    assert (delivery.quota, delivery.over_quota) == (Quota(2 * GIB), "tempfail")
    assert delivery.deleted_quota == Quota(2 * GIB)
