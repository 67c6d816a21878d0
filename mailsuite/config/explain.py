"""What one setting is, in words: ``mailsuite config explain KEY``; and the reference page of all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailsuite.config.declare import Blocks, Section, Setting, all_settings, all_tables, declarations
from mailsuite.config.kinds import suggestion, toml_text
from mailsuite.config.schema import Config, Listener
from mailsuite.config.services import SERVICE_SECTIONS

_APPLIED = {
    "live": "at a reload, at once",
    "new sessions": "at a reload, for sessions that begin later",
    "restart": "at the next start",
}


class UnknownSetting(LookupError):
    """There is no such key; the message has a suggestion."""


def explain(key: str) -> str:
    """All there is to know about a setting, or what a table has. Raises UnknownSetting."""
    key = key.strip().strip("[]")
    known, tables = dict(all_settings(Config)), dict(all_tables(Config))
    if key in known:
        return _one(key, known[key])
    if key in tables:
        return _contents(key, tables[key])
    table, _, name = key.rpartition(".")
    overridden = [f"{service}.{name}" for service in SERVICE_SECTIONS if _is_of_door(service, name)]
    if table == "listener" and overridden:
        return "\n".join(_one(one, known[one]) for one in overridden)
    same_name = [one for one in known if one.rpartition(".")[2] == name]
    if same_name and not table:
        raise UnknownSetting(f"unknown setting {key!r}; did you mean {' or '.join(same_name)}?")
    hint = suggestion(key, [*known, *tables]) or "; mailsuite config example shows all"
    raise UnknownSetting(f"unknown setting {key!r}{hint}")


def _contents(key: str, table: Section | Blocks) -> str:
    brackets = f"[[{key}]]" if isinstance(table, Blocks) else f"[{key}]"
    rows = [(name, declared.meaning) for name, declared in all_settings(table.settings)]
    width = max(len(name) for name, _ in rows)
    return "\n".join([f"{brackets}  {table.meaning}.", "", *(f"  {n:<{width}}  {m}" for n, m in rows)]) + "\n"


def _default(declared: Setting) -> str:
    if declared.required:
        return "none, it must be there"
    return declared.derived or toml_text(declared.default)


def _facts(key: str, declared: Setting) -> Iterator[tuple[str, str]]:
    yield "type", declared.kind.word
    yield "default", _default(declared)
    if declared.kind.range:
        yield "range", declared.kind.range
    if declared.caution:
        yield "caution", f"less than {toml_text(declared.caution.least)} {declared.caution.why}"
    yield "applied", _APPLIED[declared.applied]
    table, _, name = key.rpartition(".")
    if _is_of_door(table, name):
        yield "also in", f'a [[listener]] with service = "{table}", for that listener alone'
    if not _is_in_block(key):
        variable = f"MAILSUITE_{key.upper().replace('.', '__')}"
        yield "set by", f"the file, {variable}, or --set {key}=..." if table else "the file"


def _is_of_door(service: str, name: str) -> bool:
    """Whether the setting may stand in a listener block of the service."""
    section = next((each for known, each in SERVICE_SECTIONS.items() if known == service), None)
    if section is None or name in declarations(Listener):
        return False
    return isinstance(declarations(section).get(name), Setting)


def _is_in_block(key: str) -> bool:
    """Whether a table around it, or itself, may stand several times."""
    tables = dict(all_tables(Config))
    names = key.split(".")
    return any(isinstance(tables.get(".".join(names[:end])), Blocks) for end in range(1, len(names) + 1))


def _one(key: str, declared: Setting) -> str:
    facts = [f"  {fact:<8}  {text}" for fact, text in _facts(key, declared)]
    return "\n".join([key, f"  {declared.meaning}", "", *facts]) + "\n"


_PAGE_HEAD = """\
# Settings

Every setting of `mailsuite.toml`. This page is made from the schema: `mailsuite config explain KEY` says the
same, `mailsuite config example` prints a complete file. Of several sources the later one wins: built-in
default, `mailsuite.toml`, `conf.d/*.toml` by name, the environment (`MAILSUITE_POP3__IDLE_TIMEOUT`),
`--set key=value`.

Times are written `"30s"`, `"10m"`, `"2h"` or `"5d"`, sizes `"64KiB"`, `"25MiB"` or `"2GiB"`. A relative path
is relative to the file in which it stands. *Applied*: **live** is at once at a reload, **new sessions** is at
a reload for sessions that begin later, **restart** is at the next start.
"""


def reference_page() -> str:
    """docs/reference/settings.md"""
    parts = [_PAGE_HEAD, _rows(Config)]
    for key, table in all_tables(Config):
        brackets = f"[[{key}]]" if isinstance(table, Blocks) else f"[{key}]"
        if isinstance(table, Section) and _is_in_block(key):
            brackets = f"{key} = {{ ... }}"
        parts.append(f"## `{brackets}`\n\n{table.meaning}.\n")
        if key == "listener":
            parts.append("Any key of the service's own section may stand in a block too, and wins there.\n")
        parts.append(_rows(table.settings))
    return "\n".join(parts)


def _rows(settings: type[Any]) -> str:
    rows = ["| setting | meaning | type and range | default | applied |", "|---|---|---|---|---|"]
    for name, declared in declarations(settings).items():
        if isinstance(declared, Setting):
            kind = declared.kind
            limits = f"{kind.word}: {kind.range}" if kind.range else kind.word
            cells = (f"`{name}`", declared.meaning, limits, _shown_default(declared), declared.applied)
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _shown_default(declared: Setting) -> str:
    return _default(declared) if declared.required or declared.derived else f"`{_default(declared)}`"
