"""Pattern aliases: regular expressions that cannot run for long, and what they lead to.

The expressions come from the administrator, the names from strangers. Python's ``re`` backtracks, so an
expression such as ``(a+)+b`` would occupy the server for years on 64 letters. What is taken here is a part of
its language for which the number of ways to match a name can be counted beforehand: groups are not repeated,
repetitions are few, alternatives are bounded. Nothing that a stranger writes gets into a domain.
"""

from __future__ import annotations

import re
import warnings
from typing import Final

from mailsuite.model.address import MAX_LOCAL_OCTETS, Address, AddressSyntaxError
from mailsuite.model.alias import AliasPattern

MAX_PATTERN_CHARACTERS: Final = 200
MAX_WAYS: Final = 1_000_000
"""In which a name may be tried; some 20 ms at worst on the machine that this was measured on."""

_TOKEN: Final = re.compile(
    r"""(?P<escape>\\.)
    |(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])
    |(?P<open>\((?:\?:)?(?!\?))
    |(?P<close>\))
    |(?P<repeat>[*+?]|\{[0-9]{1,4}(?:,[0-9]{0,4})?\})
    |(?P<or>\|)
    |(?P<plain>[^\\\[\](){}*+?|])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = re.compile(r"\\[dwsDWS]|\\[^A-Za-z0-9]")
_REFERENCE: Final = re.compile(r"\\([1-9])")
_ROUTING: Final = frozenset("%!@")
"""What stands between the parts of an address in an address: percent hack, bang path, and what is quoted."""
_REPEATED: Final = MAX_LOCAL_OCTETS + 1
"""How often something may be there, at most, in a name."""


class PatternRefused(ValueError):
    """The pattern cannot be taken; the message says why, in words for a person."""


def check_pattern(pattern: AliasPattern, domain: str) -> None:
    """Whether names of *domain* may be matched by it. Raises PatternRefused."""
    text = pattern.pattern
    if len(text) > MAX_PATTERN_CHARACTERS:
        raise PatternRefused(f"it is longer than {MAX_PATTERN_CHARACTERS} characters")
    ways = _ways(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # it will mean something else one day
            groups = re.compile(text).groups
    except (re.error, OverflowError, FutureWarning) as error:
        raise PatternRefused(f"it is no regular expression: {error}") from error
    if ways > MAX_WAYS:
        raise PatternRefused("there are too many ways to match it: use fewer of * + ? {} and |")
    for target in pattern.targets:
        _check_target(target, domain, groups)


def expand(pattern: AliasPattern, local: str, domain: str) -> tuple[Address | None, ...] | None:
    """What a local part of *domain* stands for; None where it does not match. A target that is no address
    with this name in it is None, and so is one in another domain that would ask it to send the mail on."""
    found = re.fullmatch(pattern.pattern, local)
    if found is None:
        return None
    return tuple(_filled(target, found, domain) for target in pattern.targets)


def _filled(target: str, found: re.Match[str], domain: str) -> Address | None:
    """Taken apart before it is filled in: an @ in the name stays in the local part."""
    local, _, named = target.rpartition("@") if "@" in target else (target, "", domain)
    filled = _REFERENCE.sub(lambda reference: found[int(reference[1])] or "", local)
    if named != domain and not _ROUTING.isdisjoint(filled) and _ROUTING.isdisjoint(local):
        return None
    try:
        return Address.of(filled, named)
    except AddressSyntaxError:
        return None


def _check_target(target: str, domain: str, groups: int) -> None:
    local, _, named = target.rpartition("@") if "@" in target else (target, "", domain)
    if "\\" in named:
        raise PatternRefused(
            f"target {target}: what a sender writes cannot become a domain, or anybody could send anywhere"
        )
    for reference in _REFERENCE.findall(local):
        if int(reference) > groups:
            raise PatternRefused(f"target {target}: there is no group {reference}")
    try:
        Address.parse(f"{_REFERENCE.sub('x', local)}@{named}")
    except AddressSyntaxError as error:
        raise PatternRefused(f"target {target}: {error}") from error


def _ways(text: str) -> int:
    """A bound on the ways to match a name. Raises PatternRefused for what is not taken at all."""
    ways, place, last = 1, 0, ""
    branches = [1]
    """Of the whole, then of each group that is open."""
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise PatternRefused(f"what begins with {text[place : place + 3]} is not taken here")
        kind, place = str(token.lastgroup), token.end()
        if kind == "escape" and not _ESCAPES.fullmatch(token[0]):
            raise PatternRefused(f"{token[0]} is not taken here")
        if kind == "or":
            branches[-1] += 1
        elif kind == "open":
            branches.append(1)
        elif kind == "close":
            ways *= branches.pop() if len(branches) > 1 else 1
        elif kind == "repeat":
            ways *= _choices(token[0], last)
        last = kind
    return ways * branches[0]


def _choices(repeat: str, last: str) -> int:
    """How often the one before may be there."""
    if last == "close" and repeat != "?":
        raise PatternRefused("a group cannot be repeated; only ? may follow it")
    if last == "repeat":
        raise PatternRefused("two repetitions stand one behind the other")
    if repeat == "?":
        return 2
    return 1 if "," not in repeat and repeat.startswith("{") else _REPEATED
