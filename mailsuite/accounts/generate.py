"""Passwords made by the machine, to be read out and typed."""

from __future__ import annotations

import secrets
from math import log2

ONSETS = "bdfhjklmnprstvwy"
VOWELS = "aeiou"
ENDINGS = "lmnrdktv"
WORDS = 4
DEVICE_WORDS = 5
LOWEST_NUMBER = 10
NUMBERS = 90
WORD_BITS = 2 * log2(len(ONSETS)) + 2 * log2(len(VOWELS)) + log2(len(ENDINGS))
ENTROPY_BITS = WORDS * WORD_BITS + log2(NUMBERS)
DEVICE_ENTROPY_BITS = DEVICE_WORDS * WORD_BITS + log2(NUMBERS)


def generate_password() -> str:
    """A new password such as ``tavol-burim-heyad-nofek-42``.

    Four words of two syllables (16 * 5 * 16 * 5 * 8 = 51,200 each, 15.6 bits) and a number from 10 to 99
    (6.5 bits): 69 bits, all from the system's source of randomness. The words are put together from
    letters that are hard to mishear; none is looked up anywhere.
    """
    return _generated(WORDS)


def generate_device_password() -> str:
    """A new device password such as ``tavol-burim-heyad-nofek-lasud-42``: one word more, 84 bits.

    Too many to guess even where each guess is cheap, as with APOP's MD5. Lower-case letters, digits and
    hyphens: 32 characters that every keyboard has and no client's configuration has to quote.
    """
    return _generated(DEVICE_WORDS)


def _generated(count: int) -> str:
    words = (_word() for _ in range(count))
    return "-".join((*words, str(LOWEST_NUMBER + secrets.randbelow(NUMBERS))))


def _word() -> str:
    return "".join(map(secrets.choice, (ONSETS, VOWELS, ONSETS, VOWELS, ENDINGS)))
