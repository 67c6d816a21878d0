"""Names and filters of LDAP as text: what of an address must be escaped, and what a filter means."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import attrs
from ldaptor.protocols import pureldap  # type: ignore[import-untyped]

MAX_DEPTH = 20
"""Of brackets within brackets."""

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_@")
"""What means itself in a name and in a filter, wherever it stands."""
_ITEM = re.compile(r"([A-Za-z0-9.;\-]*)((?::[A-Za-z0-9.\-]+)*)(=|~=|>=|<=|:=)([^()]*)")
_ESCAPE = re.compile(rb"\\([0-9A-Fa-f]{2})?")


class FilterError(ValueError):
    """The text is no filter; the message says why, in words for a person."""


def escaped(value: str) -> str:
    """*value* as it stands in a distinguished name (RFC 4514 section 2.4) or a filter (RFC 4515 section 3).

    Every octet that could mean something there is written as a backslash and two hexadecimal digits, which
    both define.
    """
    octets = value.encode("utf-8", "surrogateescape")
    return "".join(chr(octet) if octet in _PLAIN else f"\\{octet:02x}" for octet in octets)


def filled(pattern: str, address: str, local: str, domain: str) -> str:
    """*pattern* with the escaped parts of an address in the place of their names."""
    values = {"{address}": address, "{local}": local, "{domain}": domain}
    return re.sub("|".join(map(re.escape, values)), lambda found: escaped(values[found[0]]), pattern)


def parse_filter(text: str) -> Any:
    """The filter that *text* writes (RFC 4515), as ldaptor's codec takes it. Raises FilterError."""
    reader = _Reader(text)
    found = reader.filter(0)
    if reader.at != len(text):
        raise FilterError(f"something follows the filter at character {reader.at + 1}")
    return found


_COMPARISONS: Final[dict[str, Callable[..., Any]]] = {
    "=": pureldap.LDAPFilter_equalityMatch,
    "~=": pureldap.LDAPFilter_approxMatch,
    ">=": pureldap.LDAPFilter_greaterOrEqual,
    "<=": pureldap.LDAPFilter_lessOrEqual,
}


@attrs.define
class _Reader:
    text: str
    at: int = 0

    def _expect(self, character: str) -> None:
        if not self.text.startswith(character, self.at):
            raise FilterError(f"there is no {character!r} at character {self.at + 1}")
        self.at += 1

    def filter(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise FilterError(f"there are more than {MAX_DEPTH} brackets within brackets")
        self._expect("(")
        match self.text[self.at : self.at + 1]:
            case "&":
                found = pureldap.LDAPFilter_and(self._list(depth))
            case "|":
                found = pureldap.LDAPFilter_or(self._list(depth))
            case "!":
                self.at += 1
                found = pureldap.LDAPFilter_not(self.filter(depth + 1))
            case _:
                found = self._item()
        self._expect(")")
        return found

    def _list(self, depth: int) -> list[Any]:
        self.at += 1
        found = [self.filter(depth + 1)]
        while self.text.startswith("(", self.at):
            found.append(self.filter(depth + 1))
        return found

    def _item(self) -> Any:
        item = _ITEM.match(self.text, self.at)
        if item is None or not (item[1] or item[2]) or (item[2] and item[3] != ":="):
            raise FilterError(f"there is no comparison at character {self.at + 1}")
        self.at = item.end()
        attribute, rules, relation, value = item.groups()
        if relation == ":=":
            return _extensible(attribute, rules, _octets(value))
        if relation == "=" and "*" in value:
            return _presence_or_substrings(attribute, value)
        if "*" in value:
            raise FilterError(f"a * stands behind {relation}, where it must be written \\2a")
        return _COMPARISONS[relation](
            attributeDesc=pureldap.LDAPAttributeDescription(attribute.encode("ascii")),
            assertionValue=pureldap.LDAPAssertionValue(_octets(value)),
        )


def _presence_or_substrings(attribute: str, value: str) -> Any:
    if value == "*":
        return pureldap.LDAPFilter_present(attribute.encode("ascii"))
    first, *middle, last = value.split("*")
    parts = [pureldap.LDAPFilter_substrings_initial(_octets(first))] if first else []
    parts += [pureldap.LDAPFilter_substrings_any(_octets(part)) for part in middle if part]
    parts += [pureldap.LDAPFilter_substrings_final(_octets(last))] if last else []
    return pureldap.LDAPFilter_substrings(type=attribute.encode("ascii"), substrings=parts)


def _extensible(attribute: str, rules: str, value: bytes) -> Any:
    """``attribute:dn:rule:=value`` (RFC 4515 section 3); the attribute, dn and the rule may be missing."""
    words = rules.split(":")[1:]
    through_dn = bool(words) and words[0].lower() == "dn"
    rule = words[1:] if through_dn else words
    if len(rule) > 1 or not (attribute or rule):
        raise FilterError("a comparison with := names more than one rule, or nothing to compare")
    return pureldap.LDAPFilter_extensibleMatch(
        matchingRule=rule[0].encode("ascii") if rule else None,
        type=attribute.encode("ascii") if attribute else None,
        matchValue=value,
        dnAttributes=through_dn or None,
    )


def _octets(value: str) -> bytes:
    """A value with its escapes undone."""

    def octet(found: re.Match[bytes]) -> bytes:
        if found[1] is None:
            raise FilterError("a backslash without two hexadecimal digits behind it")
        return bytes([int(found[1], 16)])

    return _ESCAPE.sub(octet, value.encode("utf-8", "surrogateescape"))
