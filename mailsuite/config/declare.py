"""Declaring settings: class and schema are one declaration.

A section of the configuration is a frozen attrs class. Each of its fields is made with setting(), section()
or blocks(), which keep beside the default all that validation, the example, `config explain` and the
reference page need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar

import attrs

from mailsuite.config.kinds import Kind

T = TypeVar("T")

Applied = Literal["live", "new sessions", "restart"]
"""How a change reaches a running server: at once; for sessions that begin later; at the next start."""

_METADATA: Final = "mailsuite.config"


@attrs.frozen
class Caution:
    """A value below ``least`` is taken, with a warning."""

    least: object
    """In TOML form, as in the file."""
    why: str
    """Ends the sentence that begins with the setting and its value."""


@attrs.frozen
class Setting:
    """All there is to know about one setting."""

    kind: Kind[Any]
    meaning: str
    """One sentence."""
    applied: Applied
    default: object = None
    """In TOML form; None where it is derived or the setting is required."""
    derived: str = ""
    """In words, where the default comes from other settings or from the machine."""
    example: object = None
    """In TOML form; None where the default is the example."""
    shown: bool = True
    """Whether it stands in the example as an active line; else commented out."""
    caution: Caution | None = None
    secret: bool = False
    """Never shown, not even in an error message."""
    name: str = ""
    """In the file."""
    field: str = ""
    """In the class."""

    @property
    def required(self) -> bool:
        return self.default is None and not self.derived


@attrs.frozen
class Section:
    """A table of settings within another."""

    settings: type[Any]
    meaning: str
    name: str = ""
    field: str = ""


@attrs.frozen
class Blocks:
    """An array of tables; what they are told apart by is one of their settings. It may stand within the
    blocks of another, as ``[[account.device]]`` does."""

    settings: type[Any]
    identity: str
    meaning: str
    name: str = ""
    caseless: bool = False
    """Whether two identities that differ in case alone are the same."""
    field: str = ""


Declaration = Setting | Section | Blocks


def setting(
    kind: Kind[T],
    default: object = None,
    *,
    meaning: str,
    applied: Applied,
    derived: str = "",
    example: object = None,
    shown: bool = True,
    caution: Caution | None = None,
    secret: bool = False,
) -> T:
    """Declare one setting; to mypy it is a field of the kind's type, to attrs a field with a default."""
    declared = Setting(kind, meaning, applied, default, derived, example, shown, caution, secret)
    if declared.default is None:
        field: T = attrs.field(metadata={_METADATA: declared}, repr=not secret)
        return field
    value = kind.parse(default, Path("/"))
    optional: T = attrs.field(default=value, metadata={_METADATA: declared}, repr=not secret)
    return optional


def section(settings: type[T], meaning: str) -> T:
    """Declare a table of settings."""
    field: T = attrs.field(metadata={_METADATA: Section(settings, meaning)})
    return field


def blocks(
    settings: type[T], identity: str, meaning: str, name: str, *, caseless: bool = False
) -> tuple[T, ...]:
    """Declare an array of tables; *name* is the one in the file (``listener`` for ``listeners``)."""
    declared = Blocks(settings, identity, meaning, name, caseless)
    field: tuple[T, ...] = attrs.field(metadata={_METADATA: declared})
    return field


def declarations(settings: type[Any]) -> Mapping[str, Declaration]:
    """What is declared in a class, by its name in the file: settings before tables, for in a file they must
    stand so, and what the class has of its own before what it has from others; else as they were declared."""
    if settings not in _collected:
        _collected[settings] = MappingProxyType({one.name: one for one in _collect(settings)})
    return _collected[settings]


_collected: Final[dict[type[Any], Mapping[str, Declaration]]] = {}
"""The classes do not change; a file with thousands of accounts asks for them often."""


def _collect(settings: type[Any]) -> Iterator[Declaration]:
    fields = attrs.fields(settings)
    for field in sorted(
        fields,
        key=lambda each: (not isinstance(each.metadata.get(_METADATA), Setting), each.inherited),
    ):
        declared: Declaration | None = field.metadata.get(_METADATA)
        if declared is not None:
            yield attrs.evolve(declared, name=declared.name or field.name, field=field.name)


def all_tables(settings: type[Any], prefix: str = "") -> Iterator[tuple[str, Section | Blocks]]:
    """Every table below *settings* with its dotted name; of blocks, once for all of them."""
    for name, declared in declarations(settings).items():
        if not isinstance(declared, Setting):
            yield prefix + name, declared
            yield from all_tables(declared.settings, f"{prefix}{name}.")


def all_settings(settings: type[Any], prefix: str = "") -> Iterator[tuple[str, Setting]]:
    """Every setting below *settings* with its dotted key."""
    for name, declared in declarations(settings).items():
        if isinstance(declared, Setting):
            yield prefix + name, declared
        else:
            yield from all_settings(declared.settings, f"{prefix}{name}.")
