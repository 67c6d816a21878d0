"""The addresses in From and Sender (RFC 5322 section 3.4, with the letters of RFC 6532).

Whoever may send from an address is judged by what this says, so it fails closed: what is not by the grammar
has no addresses at all, and nothing is guessed from it. Python's own parser guesses. Of what is obsolete,
routes and empty places in a list are taken (section 4.4), blanks and comments within a name are not.

One pass over the text. No pattern of it goes back over what it has read.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Sequence

import attrs

from mailsuite.model.address import MAX_DOMAIN_OCTETS, Address, AddressSyntaxError

MAX_VALUE_OCTETS = 12 * 1024
"""Of all fields of one name together; our own limit. A hundred people with long names are 10 KiB."""
MAX_ADDRESSES = 100
"""Our own limit: a name in another script costs 0.1 ms."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(
    r"(?P<space>[ \t]++)"
    r"|(?P<atoms>[^ \t()<>\[\]:;@\\,\"]++)"
    r"|\"(?P<quoted>(?:[^\"\\]|\\.)*+)\""
    r"|(?P<literal>\[[^\[\]\\]*+\])"
    r"|(?P<special>[<>:;@,])"
)
_ESCAPED = re.compile(r"\\(.)")
_OF_COMMENT = re.compile(r"[()]|\\.")


class _Kind(enum.Enum):
    ATOMS = "atoms"
    """Atoms with dots between them, or anywhere else."""
    QUOTED = "quoted"
    LITERAL = "literal"
    SPECIAL = "special"
    END = "end"


_Token = tuple[_Kind, str]
_END: _Token = (_Kind.END, "")


@attrs.frozen
class Authors:
    """What all fields of one name say together."""

    addresses: tuple[Address, ...] = ()
    """As far as fields can be read."""
    broken: bool = False
    """There is more than one field, or one that is no list of addresses, or is empty."""


def read_authors(values: Sequence[bytes]) -> Authors:
    """Read the values of all From fields, or all Sender fields; never raises."""
    if sum(map(len, values)) > MAX_VALUE_OCTETS:
        return Authors(broken=True)
    found: list[Address] = []
    for value in values:
        try:
            found += read_addresses(value)
        except AddressSyntaxError:
            continue
        if len(found) > MAX_ADDRESSES:
            return Authors(broken=True)
    whole = len(values) == 0 or (len(values) == 1 and bool(found))
    return Authors(tuple(found), not whole)


def read_addresses(value: bytes) -> tuple[Address, ...]:
    """The mailboxes in the value of one field, those in groups included (RFC 6854).

    What is no UTF-8 may stand in the names of people alone. Raises AddressSyntaxError.
    """
    text = value.decode("utf-8", "surrogateescape").replace("\r\n", "")
    if _CONTROL.search(text):
        raise AddressSyntaxError("there is a control character in it")
    return tuple(_Reading(list(_tokens(text))).listed())


def _tokens(text: str) -> Iterator[_Token]:
    """What is neither blank nor comment."""
    position = 0
    while position < len(text):
        if text[position] == "(":
            position = _behind_comment(text, position)
            continue
        found = _TOKEN.match(text, position)
        if found is None:
            raise AddressSyntaxError("it has a character that cannot stand there, or a quote without end")
        position = found.end()
        kind = found.lastgroup
        if kind == "quoted":
            yield _Kind.QUOTED, _ESCAPED.sub(r"\1", found["quoted"])
        elif kind != "space":
            yield _Kind(kind), found[0]
    yield _END


def _behind_comment(text: str, start: int) -> int:
    """Comments may hold comments (RFC 5322 section 3.2.2)."""
    depth = 0
    for found in _OF_COMMENT.finditer(text, start):
        if found[0] == "(":
            depth += 1
        elif found[0] == ")":
            depth -= 1
            if not depth:
                return found.end()
    raise AddressSyntaxError("a comment has no end")


@attrs.define
class _Reading:
    """A list of addresses, read from its first token to its last."""

    _tokens: list[_Token]
    _next: int = 0

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _at(self, special: str) -> bool:
        return self._tokens[self._next] == (_Kind.SPECIAL, special)

    def listed(self) -> list[Address]:
        """Everything up to the end."""
        found: list[Address] = []
        while self._tokens[self._next] != _END:
            if self._at(","):
                self._take()
                continue
            words = self._words()
            if self._at(":"):
                found += self._group(words)
            else:
                found.append(self._mailbox(words))
            if not self._at(",") and self._tokens[self._next] != _END:
                raise AddressSyntaxError("there is no comma between two addresses")
        return found

    def _words(self) -> list[_Token]:
        """The words in front of a special: the name of somebody, or a local part."""
        start = self._next
        while self._tokens[self._next][0] in (_Kind.ATOMS, _Kind.QUOTED):
            self._next += 1
        return self._tokens[start : self._next]

    def _group(self, name: list[_Token]) -> list[Address]:
        """``name: a@example.net, b@example.net;``"""
        self._take()
        if not name:
            raise AddressSyntaxError("a group has no name")
        found: list[Address] = []
        while not self._at(";"):
            if self._at(","):
                self._take()
                continue
            found.append(self._mailbox(self._words()))
            if not self._at(",") and not self._at(";"):
                raise AddressSyntaxError("a group has no end")
        self._take()
        return found

    def _mailbox(self, words: list[_Token]) -> Address:
        if not self._at("<"):
            return self._addr_spec(words)
        self._take()
        self._skip_route()
        address = self._addr_spec(self._words())
        if self._take() != (_Kind.SPECIAL, ">"):
            raise AddressSyntaxError("an angle bracket is not closed")
        return address

    def _skip_route(self) -> None:
        """``@a.example,@b.example:``, which means nothing any more (RFC 5322 section 4.4)."""
        if not self._at("@"):
            return
        while not self._at(":"):
            if self._at(","):
                self._take()
                continue
            self._domain()
        self._take()

    def _addr_spec(self, words: list[_Token]) -> Address:
        if len(words) != 1:
            raise AddressSyntaxError("there is no address, or more than one word before its @")
        kind, local = words[0]
        if kind is _Kind.ATOMS and not all(local.split(".")):
            raise AddressSyntaxError("a dot in the part before the @ has nothing on one of its sides")
        return Address.of(local, self._domain())

    def _domain(self) -> str:
        if self._take() != (_Kind.SPECIAL, "@"):
            raise AddressSyntaxError("there is no @ where one belongs")
        kind, domain = self._take()
        if kind not in (_Kind.ATOMS, _Kind.LITERAL):
            raise AddressSyntaxError("there is no domain behind the @")
        if len(domain.encode("utf-8", "surrogateescape")) > MAX_DOMAIN_OCTETS:
            raise AddressSyntaxError(f"the domain is longer than {MAX_DOMAIN_OCTETS} octets")
        return domain
