"""CRC32c, the check sum of Castagnoli's polynomial (RFC 9260 appendix A). The standard library has only the
older one."""

from __future__ import annotations

from typing import Final

_POLYNOMIAL: Final = 0x82F63B78
"""0x1EDC6F41 with its bits in the other order."""


def _row(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (_POLYNOMIAL if octet & 1 else 0)
    return octet


_TABLE: Final = tuple(map(_row, range(256)))


def crc32c(octets: bytes) -> int:
    """For some thousand octets, not for messages."""
    value = 0xFFFFFFFF
    for octet in octets:
        value = value >> 8 ^ _TABLE[(value ^ octet) & 0xFF]
    return value ^ 0xFFFFFFFF
