"""Values of the parameters that say what a sender wants to be told (RFC 3461 section 4, RFC 6533 section 3).

All functions raise PermanentFailure with 501 5.5.4 for a value that is none. What they answer never has a
control character: it will stand in the fields of a notice.
"""

from __future__ import annotations

import re

from mailsuite.model.envelope import NotifyOn, Returned
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import BAD_PARAMETER

MAX_ENVELOPE_ID = 100
"""Characters of ENVID as it stands on the wire (RFC 3461 section 4.4)."""
MAX_ORIGINAL = 500
"""Octets of ORCPT as it stands on the wire (RFC 3461 section 4.2)."""

XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
"""RFC 3461 section 4."""
_HEX_PAIR = re.compile(r"\+([0-9A-F]{2})")
_PRINTABLE = re.compile(r"[ -~]+")
_TYPE = re.compile(r"[A-Za-z0-9-]+")
_UNICODE = re.compile(r"(?:[!-<>-\[\]-~\u00a0-\U0010ffff]|\\x\{[0-9A-F]{2,6}\})+")
"""``utf-8-addr-unitext``; a plus sign stands for itself, as it does in an address."""
_EMBEDDED = re.compile(r"\\x\{([0-9A-F]{2,6})\}")
_SAYABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
"""No control character, no end of a line, nothing that is no UTF-8."""


def undo_xtext(text: str) -> str:
    """The printable ASCII that *text* stands for."""
    if XTEXT.fullmatch(text):
        plain = _HEX_PAIR.sub(lambda found: chr(int(found[1], 16)), text)
        if _PRINTABLE.fullmatch(plain):
            return plain
    raise PermanentFailure(BAD_PARAMETER)


def envelope_id(value: str) -> str:
    """Read ENVID."""
    if len(value) > MAX_ENVELOPE_ID:
        raise PermanentFailure(BAD_PARAMETER)
    return undo_xtext(value)


def returned(value: str) -> Returned:
    """Read RET."""
    for each in Returned:
        if each.value == upper(value):
            return each
    raise PermanentFailure(BAD_PARAMETER)


def notify(value: str) -> frozenset[NotifyOn]:
    """Read NOTIFY. NEVER stands alone."""
    words = {each.value: each for each in NotifyOn}
    wanted = frozenset(words.get(word) for word in upper(value).split(","))
    found = frozenset(each for each in wanted if each is not None)
    if found != wanted or (NotifyOn.NEVER in found and len(found) > 1):
        raise PermanentFailure(BAD_PARAMETER)
    return found


def original_recipient(value: str, utf8: bool) -> str:
    """Read ORCPT; *utf8*: characters beyond ASCII may stand in it as they are, for MAIL has said so.

    Then UTF-8 in the xtext of an address of type rfc822 is taken too, as of type utf-8. RFC 6533 section 3
    wants it written otherwise, but Postfix 3.7 hands it on so, and would bounce the mail if it was refused.
    """
    kind, _, address = value.partition(";")
    if len(value.encode("utf-8", "surrogateescape")) > MAX_ORIGINAL or not _TYPE.fullmatch(kind):
        raise PermanentFailure(BAD_PARAMETER)
    kind = kind.lower()
    if kind == "utf-8":
        return f"utf-8;{_unicode(address, utf8)}"
    if utf8 and kind == "rfc822" and (hidden := _utf8_in_xtext(address)):
        return f"utf-8;{hidden}"
    return f"{kind};{undo_xtext(address)}"


def _utf8_in_xtext(text: str) -> str:
    """What stands there in UTF-8; nothing where that is ASCII alone, or cannot be said."""
    if not XTEXT.fullmatch(text):
        return ""
    octets = _HEX_PAIR.sub(lambda found: chr(int(found[1], 16)), text).encode("latin-1")
    plain = octets.decode("utf-8", "surrogateescape")
    return plain if not plain.isascii() and _SAYABLE.fullmatch(plain) else ""


def _unicode(text: str, utf8: bool) -> str:
    if not _UNICODE.fullmatch(text) or not (utf8 or text.isascii()):
        raise PermanentFailure(BAD_PARAMETER)
    points = (int(point, 16) for point in _EMBEDDED.findall(text))
    if any(point > 0x10FFFF for point in points):
        raise PermanentFailure(BAD_PARAMETER)
    plain = _EMBEDDED.sub(lambda found: chr(int(found[1], 16)), text)
    if not _SAYABLE.fullmatch(plain):
        raise PermanentFailure(BAD_PARAMETER)
    return plain


def upper(text: str) -> str:
    """In upper case as far as it is ASCII, for letters elsewhere have some of ASCII for their capitals."""
    return text.upper() if text.isascii() else text
