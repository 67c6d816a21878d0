"""MD4 (RFC 1320), which NTLM is made of and which crypto libraries no longer have.

It is broken as a digest, so nothing else is to use it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_BLOCK = struct.Struct("<16I")
_STATE = struct.Struct("<4I")
_MASK = 0xFFFFFFFF

_Round = tuple[Callable[[int, int, int], int], int, tuple[int, ...], tuple[int, ...]]
_ROUNDS: tuple[_Round, ...] = (
    (lambda x, y, z: z ^ (x & (y ^ z)), 0, tuple(range(16)), (3, 7, 11, 19)),
    (
        lambda x, y, z: (x & y) | (z & (x | y)),
        0x5A827999,
        (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
        (3, 5, 9, 13),
    ),
    (
        lambda x, y, z: x ^ y ^ z,
        0x6ED9EBA1,
        (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
        (3, 9, 11, 15),
    ),
)
"""RFC 1320 section 3.4: function, constant, order of the words, and shifts of each round."""


def md4(message: bytes) -> bytes:
    """The digest of *message*, 16 octets."""
    padding = b"\x80" + bytes(-(len(message) + 9) % _BLOCK.size)
    padded = message + padding + struct.pack("<Q", len(message) * 8 & 0xFFFFFFFFFFFFFFFF)
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    for words in _BLOCK.iter_unpack(padded):
        a, b, c, d = state
        for function, constant, order, shifts in _ROUNDS:
            for step, index in enumerate(order):
                total = (a + function(b, c, d) + words[index] + constant) & _MASK
                shift = shifts[step % 4]
                a, b, c, d = d, (total << shift | total >> (32 - shift)) & _MASK, b, c
        state = [(old + new) & _MASK for old, new in zip(state, (a, b, c, d), strict=True)]
    return _STATE.pack(*state)
