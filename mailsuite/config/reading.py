"""From layers of raw values to typed ones: every key is known, every value is of its kind, all is told.

What comes out are drafts: dictionaries by field name that lack what is derived (config/resolve.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from mailsuite.config.declare import (
    Blocks,
    Declaration,
    Section,
    Setting,
    all_settings,
    all_tables,
    declarations,
)
from mailsuite.config.kinds import BadValue, suggestion, toml_text
from mailsuite.config.layers import Layer
from mailsuite.config.problems import Place, Problem, Severity
from mailsuite.config.schema import Config, Listener
from mailsuite.config.services import SERVICE_SECTIONS

Draft = dict[str, Any]


@attrs.define
class Reading:
    """One loading: what it finds wrong, and where each value that somebody wrote stands."""

    problems: list[Problem] = attrs.field(factory=list)
    places: dict[str, Place] = attrs.field(factory=dict)
    unsound: set[str] = attrs.field(factory=set)
    """Keys with an error; what is derived from them says nothing about what the writer meant."""

    def tell(self, place: Place, severity: Severity, text: str) -> None:
        self.problems.append(Problem(place, severity, text))

    def table(
        self, settings: type[Any], layers: Sequence[Layer], prefix: str = "", also: Iterable[str] = ()
    ) -> Draft:
        """Read a table out of all layers that have it. *also*: further keys that may stand there."""
        known = declarations(settings)
        for layer in layers:
            for name in layer.values:
                if name not in known and name not in also:
                    self._unknown(layer, name, known, also)
        draft: Draft = {}
        for name, declared in known.items():
            given = [layer for layer in layers if name in layer.values]
            if isinstance(declared, Section):
                tables = [table for layer in given if (table := self._subtable(layer, name)) is not None]
                draft[declared.field] = self.table(declared.settings, tables, f"{prefix}{name}.")
            elif isinstance(declared, Blocks):
                draft[declared.field] = self._blocks(declared, given, prefix)
            elif given:
                self.setting(declared, given, prefix, draft)
        return draft

    def setting(self, declared: Setting, given: Sequence[Layer], prefix: str, draft: Draft) -> None:
        """Put the last sound value into *draft*. A wrong one is told even where a later layer hides it."""
        key, field = prefix + declared.name, declared.field
        for layer in given:
            raw = layer.values[declared.name]
            place = layer.place(declared.name)
            try:
                if layer.is_text and isinstance(raw, str):
                    raw = declared.kind.from_text(raw)
                draft[field] = declared.kind.parse(raw, layer.base)
            except BadValue as error:
                self.tell(place, "error", f"{declared.name}: {error}")
                self.unsound.add(key)
                continue
            self.places[key] = place
        if declared.caution and field in draft:
            least = declared.kind.parse(declared.caution.least, given[-1].base)
            if draft[field] < least:
                written = toml_text(declared.kind.write(draft[field]))
                self.tell(self.places[key], "warning", f"{declared.name} = {written} {declared.caution.why}")

    def _subtable(self, layer: Layer, name: str) -> Layer | None:
        values = layer.values[name]
        if isinstance(values, dict):
            return layer.table(values, name)
        table = layer.dotted(name)
        if layer.is_in_block:
            text = f"{name} is a table: write {name} = {{ ... }} with its settings in the braces"
        elif isinstance(values, list):
            text = f"[[{table}]] stands once: write it with single brackets, [{table}]"
        else:
            text = f"{name} is a table: write [{table}] and its settings below"
        self.tell(layer.place(name), "error", text)
        return None

    def _blocks(self, declared: Blocks, given: Sequence[Layer], prefix: str) -> list[Draft]:
        """The blocks of all layers; one of a later layer with the same identity changes the earlier one.

        *given*: the tables that they stand in, the whole file or the layers of one block around them.
        """
        groups: dict[str, list[Layer]] = {}
        for layer in given:
            first_places: dict[str, Place] = {}
            for block in self._block_layers(declared, layer):
                identity = self._identity(declared, block)
                place = block.place(declared.identity) if identity else block.place()
                same = identity.casefold() if declared.caseless else identity
                if same in first_places:
                    text = f"{declared.name} {identity!r} stands twice; the first is at {first_places[same]}"
                    self.tell(place, "error", text)
                    continue
                same = same or f"?{place}"
                first_places[same] = place
                groups.setdefault(same, []).append(block)
        drafts = []
        for same, layers in groups.items():
            identity = self._identity(declared, layers[-1]) or same
            key = f"{prefix}{declared.name}.{identity}"
            self.places[key] = layers[0].place()
            draft = self._block(declared, f"{key}.", layers)
            if self._is_complete(declared, identity, f"{key}.", layers, draft):
                drafts.append(draft)
        return drafts

    def _block_layers(self, declared: Blocks, layer: Layer) -> Iterable[Layer]:
        values = layer.values[declared.name]
        name, table = declared.name, layer.dotted(declared.name)
        if layer.is_text:
            self.tell(layer.place(name), "error", f"[[{table}]] blocks are written in the file, not here")
            return
        if not isinstance(values, list):
            text = f"[{table}] may stand several times: write it with double brackets, [[{table}]]"
            self.tell(layer.place(name), "error", text)
            return
        for index, block in enumerate(values):
            if isinstance(block, dict):
                yield layer.table(block, name, index)
            else:
                self.tell(layer.place(name, index), "error", f"{name} is a list of [[{table}]] blocks")

    def _identity(self, declared: Blocks, block: Layer) -> str:
        """What the block is told apart by, in one spelling; empty where it has none or a wrong one."""
        identity = declarations(declared.settings)[declared.identity]
        assert isinstance(identity, Setting)  # noqa: S101
        if declared.identity not in block.values:
            return ""
        try:
            return str(identity.kind.parse(block.values[declared.identity], block.base))
        except BadValue:
            return ""  # told when the block is read

    def _block(self, declared: Blocks, prefix: str, layers: Sequence[Layer]) -> Draft:
        if declared.settings is not Listener:
            return self.table(declared.settings, layers, prefix)
        section = self._service_section(layers)
        own = declarations(Listener)
        overrides = (
            {name: one for name, one in declarations(section).items() if name not in own} if section else {}
        )
        also = overrides or _keys_of_any_service()
        draft = self.table(Listener, layers, prefix, also)
        draft["overrides"] = changed = Draft()
        for name, override in overrides.items():
            given = [layer for layer in layers if name in layer.values]
            if given and isinstance(override, Setting):
                self.setting(override, given, prefix, changed)
            elif given and isinstance(override, Section):
                tables = [table for layer in given if (table := self._subtable(layer, name)) is not None]
                changed[name] = self.table(override.settings, tables, f"{prefix}{name}.")
        return draft

    def _service_section(self, layers: Sequence[Layer]) -> type[Any] | None:
        services: list[object] = [
            layer.values.get("service") for layer in layers if "service" in layer.values
        ]
        return next((section for name, section in SERVICE_SECTIONS.items() if services[-1:] == [name]), None)

    def _is_complete(
        self, declared: Blocks, identity: str, prefix: str, layers: Sequence[Layer], draft: Draft
    ) -> bool:
        """Whether everything required is there. What is there and wrong was told already."""
        complete = True
        for name, one in declarations(declared.settings).items():
            if isinstance(one, Setting) and one.required and one.field not in draft:
                complete = False
                if prefix + name not in self.unsound:
                    which = declared.name if identity.startswith("?") else f"{declared.name} {identity!r}"
                    text = f"{which} has no {name}: expected {one.kind.expects}"
                    self.tell(layers[-1].place(), "error", text)
        return complete

    def _unknown(
        self, layer: Layer, name: str, known: Mapping[str, Declaration], also: Iterable[str]
    ) -> None:
        value = layer.values[name]
        is_table = isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(v, dict) for v in value)
        )
        where = f" in {layer.header}" if layer.header else ""
        kind = "table" if is_table and not where else "setting"
        hint = suggestion(name, [*known, *also]) or _elsewhere(name) or "; see: mailsuite config example"
        self.tell(layer.place(name), "error", f"unknown {kind} {name!r}{where}{hint}")


def _keys_of_any_service() -> set[str]:
    return {name for section in SERVICE_SECTIONS.values() for name in declarations(section)}


def _elsewhere(name: str) -> str:
    """Where a setting or a table within another of this name does exist."""
    headers = {
        table: f"[[{table}]]" if isinstance(declared, Blocks) else f"[{table}]"
        for table, declared in all_tables(Config)
    }
    holders = [key.rpartition(".")[0] for key, _ in all_settings(Config) if key.rpartition(".")[2] == name]
    places = dict.fromkeys(headers[holder] for holder in holders if holder)
    if places:
        return f"; it belongs in {' or '.join(places)}"
    deeper = [header for table, header in headers.items() if table.rpartition(".")[2] == name]
    return f"; did you mean {' or '.join(deeper)}?" if deeper else ""
