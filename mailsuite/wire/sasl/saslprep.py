"""SASLprep (RFC 4013): names and passwords in the one form in which both ends compare them."""

from __future__ import annotations

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)
"""RFC 4013 section 2.3."""


def saslprep(text: str, *, stored: bool = False) -> str:
    """Prepare *text*; ValueError, which shows none of it, where the result would hold what is prohibited.

    What Unicode 3.2 had not assigned passes unless the text is to be *stored* (RFC 3454 section 7): younger
    characters, emoji among them, stand in the names and passwords of today.
    """
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", "".join(map(_mapped, text)))
    if any(prohibited(character) for character in prepared for prohibited in _PROHIBITED):
        raise ValueError("there is a character that SASLprep prohibits")
    if stored and any(stringprep.in_table_a1(character) for character in prepared):
        raise ValueError("there is a character that Unicode 3.2 does not know")
    _check_direction(prepared)
    return prepared


def _mapped(character: str) -> str:
    """RFC 4013 section 2.1. The zero-width space is on both lists; it becomes a space, as in libidn."""
    if stringprep.in_table_c12(character):
        return " "
    return "" if stringprep.in_table_b1(character) else character


def _check_direction(text: str) -> None:
    """RFC 3454 section 6: right-to-left text is so from its first character to its last."""
    if not any(stringprep.in_table_d1(character) for character in text):
        return
    if any(stringprep.in_table_d2(character) for character in text):
        raise ValueError("there is text of both directions")
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise ValueError("there is right-to-left text that does not begin and end as such")
