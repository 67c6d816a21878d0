"""Whom a device password may send to (row U-10)."""

from __future__ import annotations

from mailsuite.model.address import Address
from mailsuite.model.device import Device


def test_whom_it_may_send_to() -> None:
    ann, shop = Address("ann", "example.net"), Address("*", "shop.example")
    listed = Device("d1", "printer", b"", recipients=(ann, shop))
    assert listed.sends_to(ann)
    assert listed.sends_to(Address("anybody", "shop.example"))
    assert not listed.sends_to(Address("bob", "example.net"))
    assert not listed.sends_to(Address("anybody", "a.shop.example"))
    assert Device("d2", "phone", b"").sends_to(Address("bob", "example.org"))
