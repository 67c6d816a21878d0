"""UIDLs of mailboxes of twisted.mail, whose own may be anything, and may be given twice."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, OrderedDict
from collections.abc import Sequence

from mailsuite.model.address import Address

MAX_DOUBLED = 10_000
"""UIDLs remembered that two messages had at once."""
_UIDL = re.compile(r"[\x21-\x7e]{1,70}")
"""RFC 1939 section 7."""


class Doubled:
    """Remembers which UIDLs two messages of a mailbox had at once; the last ones.

    Such a one names neither of them, nor the one that is left when the other is deleted: a client that has
    fetched the one would take the other for it, and never fetch that.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Address, str], None] = OrderedDict()

    def all_of(self, account: Address, found: Sequence[str]) -> set[str]:
        """Those of the UIDLs *found* that two have, or had once."""
        doubled = {text for text, count in Counter(found).items() if count > 1}
        doubled |= {text for text in found if (account, text) in self._known}
        for text in sorted(doubled):
            self._known[account, text] = None
            self._known.move_to_end((account, text))
        while len(self._known) > MAX_DOUBLED:
            self._known.popitem(last=False)
        return doubled


def text_of(found: object) -> str:
    """What a mailbox has answered for a UIDL: octets, as a rule."""
    return found.decode("latin-1") if isinstance(found, bytes) else str(found)


def fit(text: str, seen: set[str]) -> str:
    """A UIDL as RFC 1939 section 7 wants it, unlike those *seen*; a hash where it is not."""
    return text if _UIDL.fullmatch(text) and text not in seen else hashed(text, seen)


def hashed(text: str, seen: set[str]) -> str:
    """A UIDL made of anything, unlike those *seen*."""
    number = 0
    while (
        name := hashlib.sha256(f"{number} {text}".encode("utf-8", "backslashreplace")).hexdigest()[:40]
    ) in seen:
        number += 1
    return name
