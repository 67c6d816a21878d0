"""What is taken as the header of a message, and what we write into it."""

# The declarations are immutable: they are no shared mutable defaults. Without slots, for a class has one
# base with slots at most.

from __future__ import annotations

import attrs

from mailsuite.config.declare import Caution, setting
from mailsuite.config.kinds import Boolean, Integer
from mailsuite.config.measures import Size

_KIB = 1 << 10
_MIB = 1 << 20


@attrs.frozen(kw_only=True, slots=False)
class Letters:
    """Keys that ``[smtp]``, ``[submission]`` and ``[lmtp]`` have in common."""

    max_header: int = setting(
        Size(16 * _KIB, 4 * _MIB),
        "256KiB",
        caution=Caution("64KiB", "is below what honest mail has that came by lists and filters"),
        meaning="The largest header of a message that is taken, up to the first empty line.",
        applied="new sessions",
    )
    max_hops: int = setting(
        Integer(1, 1000, example=100),
        100,
        caution=Caution(100, "is below the hundred servers RFC 5321 asks for"),
        meaning="Mail that has come by more servers than this goes in a circle, and is refused.",
        applied="new sessions",
    )


@attrs.frozen(kw_only=True, slots=False)
class SubmissionLetters:
    """Keys of ``[submission]``."""

    hide_client: bool = setting(
        Boolean(),
        True,
        meaning="Whether the address of a user's computer stays out of what recipients see; the log has it.",
        applied="new sessions",
    )
    show_login: bool = setting(
        Boolean(),
        False,
        meaning="Whether recipients see in the header as whom a user has logged in.",
        applied="new sessions",
    )
