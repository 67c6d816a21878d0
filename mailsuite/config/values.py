"""A configuration taken apart into single values: to show it, and to compare two of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from mailsuite.config.declare import Applied, Blocks, Section, Setting, declarations
from mailsuite.config.kinds import toml_text
from mailsuite.config.problems import DEFAULT, Place
from mailsuite.config.schema import Config, Listener, ServiceSettings


@attrs.frozen
class _Spot:
    """A table, or one block, as values stand in it."""

    header: str = ""
    """``[notify.notifymail]``, ``[[account.device]]``; empty at the top."""
    prefix: str = ""
    """What the keys begin with; in a block also with what tells it apart: ``account.joe@example.net.``."""

    def table(self, name: str) -> _Spot:
        return _Spot(f"[{self.prefix}{name}]", f"{self.prefix}{name}.")

    def block(self, name: str, identity: object) -> _Spot:
        outer = f"{self.header.strip('[]')}." if self.header else ""
        return _Spot(f"[[{outer}{name}]]", f"{self.prefix}{name}.{identity}.")


@attrs.frozen
class Value:
    """One setting with its effective value."""

    setting: Setting
    value: Any = attrs.field(repr=False)
    spot: _Spot
    name: str
    """Under the header; dotted where it lies in a table within a block."""

    @property
    def key(self) -> str:
        return self.spot.prefix + self.name

    @property
    def is_hidden(self) -> bool:
        """A secret that is set: it is never shown."""
        return self.setting.secret and bool(self.value)

    @property
    def raw(self) -> object:
        """What would stand in the file; None for a hidden one."""
        return None if self.is_hidden else self.setting.kind.write(self.value)

    @property
    def text(self) -> str:
        return "(hidden)" if self.is_hidden else toml_text(self.raw)

    def is_changed(self, origins: Mapping[str, Place]) -> bool:
        """Whether somebody wrote it, and not just the default once more."""
        if self.key not in origins:
            return False
        default = self.setting.default
        return default is None or self.value != self.setting.kind.parse(default, Path("/"))


def values(config: Config) -> Iterator[Value]:
    """Every setting, in the order of the schema; of a listener, what differs from its service's."""
    yield from _table(config, Config, _Spot())


def _table(settings: Any, declared_in: type[Any], spot: _Spot, inner: str = "") -> Iterator[Value]:
    """*inner*: what the names begin with in a table within a block, which has no header of its own."""
    for name, declared in declarations(declared_in).items():
        value = getattr(settings, declared.field)
        if isinstance(declared, Setting):
            yield Value(declared, value, spot, inner + name)
    for name, declared in declarations(declared_in).items():
        value = getattr(settings, declared.field)
        if isinstance(declared, Section) and spot.header.startswith("[["):
            yield from _table(value, declared.settings, spot, f"{inner}{name}.")
        elif isinstance(declared, Section):
            yield from _table(value, declared.settings, spot.table(name))
        elif isinstance(declared, Blocks):
            for block in value:
                below = spot.block(name, getattr(block, declared.identity))
                yield from _table(block, declared.settings, below)
                if isinstance(block, Listener):
                    yield from _overrides(block, settings, below)


def _overrides(listener: Listener, config: Config, spot: _Spot) -> Iterator[Value]:
    section: ServiceSettings = getattr(config, listener.service)
    own = declarations(Listener)
    for name, declared in declarations(type(listener.settings)).items():
        value, general = getattr(listener.settings, name), getattr(section, name)
        if name in own or value == general:
            continue
        if isinstance(declared, Setting):
            yield Value(declared, value, spot, name)
        elif isinstance(declared, Section):
            for inner in _table(value, declared.settings, spot, f"{name}."):
                if inner.value != getattr(general, inner.setting.field):
                    yield inner


def as_toml(shown: Iterable[Value]) -> str:
    """The values as a TOML document, without the secrets."""
    lines: list[str] = []
    last = _Spot()
    for one in shown:
        if one.spot != last:
            lines += ["", one.spot.header]
            last = one.spot
        lines.append(f"# {one.name} is set, and not shown" if one.is_hidden else f"{one.name} = {one.text}")
    return "\n".join(lines).strip("\n") + "\n"


def with_origins(shown: Iterable[Value], origins: Mapping[str, Place]) -> str:
    """One line for each value and its place: ``pop3.idle_timeout = "10m"   mailsuite.toml:86``."""
    return "".join(f"{one.key} = {one.text}   {origins.get(one.key, DEFAULT)}\n" for one in shown)


@attrs.frozen
class Change:
    """What differs between two configurations in one setting, as text; None: it is not there."""

    key: str
    old: str | None
    new: str | None
    applied: Applied


def changes(old: Config, new: Config) -> tuple[Change, ...]:
    """All that differs, for the report of a reload."""
    before = {one.key: one for one in values(old)}
    after = {one.key: one for one in values(new)}
    found = []
    for key in {**before, **after}:
        was, now = before.get(key), after.get(key)
        if was is None or now is None or was.value != now.value:
            applied = (now or before[key]).setting.applied
            found.append(Change(key, was.text if was else None, now.text if now else None, applied))
    return tuple(found)
