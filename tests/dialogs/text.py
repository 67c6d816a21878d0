"""What the text of a step stands for: escapes, words in braces, and patterns. README.md has the format."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping

import attrs

from tests.dialogs.scene import Scene
from tests.wire.proofs import ScramClient

_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.?))", re.DOTALL)
_NAMED = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\", "{": b"{"}
_WILD = re.compile(r"(\{=[a-z][a-z0-9_]*(?:\.\.\.)?\}|\.\.\.|\{number\}|\{uidl\})")
_MEANING = {"...": rb"(?s:.*)", "{number}": rb"[0-9]+", "{uidl}": rb"[!-~]{1,70}"}
Known = Mapping[str, bytes] | None
"""What {=name} stands for; None before the server has said anything."""
_WORD = rb"[!-~]+"
_NAME = re.compile(r"\{=([a-z][a-z0-9_]*)(?:\.\.\.)?\}")
_STAND_IN = base64.b64encode(b"r=nonce,s=c2FsdA==,i=1")
"""What a remembered word is taken for before it is known."""


def names_in(text: str) -> tuple[str, ...]:
    """The remembered words that *text* has."""
    return tuple(_NAME.findall(text))


def octets(text: str, scene: Scene, known: Known = None) -> bytes:
    """The octets that *text* stands for: UTF-8, escapes, words in braces. Raises ValueError.

    *known* is what was remembered; None: nothing yet, and a stand-in is taken.
    """
    found, position = b"", 0
    while position < len(text):
        if text[position] == "\\":
            escape = _ESCAPE.match(text, position)
            found += _escaped(escape)
            position = escape.end() if escape else len(text)
        elif text[position] == "{":
            end = _closing_brace(text, position)
            found += _word(text[position + 1 : end], scene, known)
            position = end + 1
        else:
            found += text[position].encode("utf-8")
            position += 1
    return found


def _escaped(escape: re.Match[str] | None) -> bytes:
    if escape and escape[1] is not None:
        return bytes([int(escape[1], 16)])
    if escape and escape[2] in _NAMED:
        return _NAMED[escape[2]]
    raise ValueError(f"unknown escape: {escape[0] if escape else ''}")


def _closing_brace(text: str, opening: int) -> int:
    depth, position = 0, opening
    while position < len(text):
        if text[position] == "\\":
            position += 1
        else:
            depth += {"{": 1, "}": -1}.get(text[position], 0)
            if not depth:
                return position
        position += 1
    raise ValueError(f"no closing brace: {text[opening:]}")


def _word(word: str, scene: Scene, known: Known) -> bytes:
    name, _, argument = word.partition(" ")
    if name in _FUNCTIONS and argument:
        return _FUNCTIONS[name](argument, scene, known)
    if name in _PROOFS and argument:
        return _PROOFS[name](octets(argument, scene, known))
    if remembered := _NAME.fullmatch("{" + word + "}"):
        return _STAND_IN if known is None else known[remembered[1]]
    words = scene.words()
    if word not in words:
        raise ValueError(f"unknown word: {{{word}}}")
    return words[word].encode("utf-8")


def _repeat(argument: str, scene: Scene, known: Known) -> bytes:
    times, _, text = argument.partition(" ")
    return octets(text, scene, known) * int(octets(times, scene, known))


def _base64(argument: str, scene: Scene, known: Known) -> bytes:
    return base64.b64encode(octets(argument, scene, known))


def _upper(argument: str, scene: Scene, known: Known) -> bytes:
    return octets(argument, scene, known).upper()


def _octets(argument: str, scene: Scene, known: Known) -> bytes:
    return b"%d" % sum(scene.sizes[int(number) - 1] for number in argument.split())


_FUNCTIONS: Mapping[str, Callable[[str, Scene, Known], bytes]] = {
    "repeat": _repeat,
    "base64": _base64,
    "octets": _octets,
    "upper": _upper,
}


def _md5(argument: bytes) -> bytes:
    return hashlib.md5(argument, usedforsecurity=False).hexdigest().encode("ascii")


def _cram_md5(argument: bytes) -> bytes:
    challenge, name, secret = argument.split(b" ", 2)
    digest = hmac.new(secret, base64.b64decode(challenge), "md5").hexdigest()
    return base64.b64encode(name + b" " + digest.encode("ascii"))


def _scram_first(argument: bytes) -> bytes:
    return base64.b64encode(ScramClient(argument.decode("utf-8")).first())


def _scram_final(argument: bytes) -> bytes:
    challenge, name, secret = argument.decode("utf-8").split(" ", 2)
    return base64.b64encode(ScramClient(name, secret).final(base64.b64decode(challenge)))


_PROOFS: Mapping[str, Callable[[bytes], bytes]] = {
    "md5": _md5,
    "cram-md5": _cram_md5,
    "scram-first": _scram_first,
    "scram-final": _scram_final,
}
"""Functions of what the server has said, too."""


@attrs.frozen
class Pattern:
    """What one line of the server must look like."""

    text: str
    """As it stands in the file."""
    _parts: tuple[str | bytes, ...] = attrs.field(repr=False, eq=False)
    """Octets that stand for themselves, and the wild parts between them."""

    @classmethod
    def read(cls, text: str, scene: Scene) -> Pattern:
        """Raises ValueError."""
        parts = enumerate(_WILD.split(text))
        return cls(text, tuple(part if index % 2 else octets(part, scene) for index, part in parts))

    def fits(self, line: bytes, known: dict[str, bytes]) -> bool:
        """Whether *line*, without its CRLF, is what is expected.

        *known* is what ``{=name}`` stood for earlier; where the line fits, what is new is added.
        """
        seen: set[str] = set()
        found = re.fullmatch(b"".join(self._expression(part, known, seen) for part in self._parts), line)
        if found is None:
            return False
        known.update({name: found[name] for name in seen})
        return True

    def _expression(self, part: str | bytes, known: Mapping[str, bytes], seen: set[str]) -> bytes:
        if isinstance(part, bytes):
            return re.escape(part)
        if part in _MEANING:
            return _MEANING[part]
        name = part[2:-1].removesuffix("...")
        if name in known:
            return re.escape(known[name])
        first = name not in seen
        seen.add(name)
        kind = _MEANING["..."] if part.endswith("...}") else _WORD
        return b"(?P<%s>%s)" % (name.encode(), kind) if first else b"(?P=%s)" % name.encode()
