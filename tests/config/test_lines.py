"""key_lines() against tomllib: what tomllib knows has a line on which its key stands."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.config.lines import KeyPath, key_lines


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1", ("a",), 1),
        ("\n\n# a = 0\n  a = 1", ("a",), 4),
        ("a = 1\r\nb = 2\r\n", ("b",), 2),
        ("a.b.c = 1", ("a", "b"), 1),
        ("[t]\na = 1", ("t", "a"), 2),
        ("[t]\na = 1", ("t",), 1),
        ("[ t . u ] # x\na = 1", ("t", "u", "a"), 2),
        ("[t]\n[t.u]\nb=1", ("t",), 1),
        ("[t.u]\n[t]\nb=1", ("t",), 1),
        ("[[t]]\na=1\n[[t]]\na=2", ("t", 1, "a"), 4),
        ("[[t]]\n[[t]]", ("t", 1), 2),
        ("[[t]]\n[t.u]\na=1\n[[t]]\n[t.u]\na=1", ("t", 1, "u", "a"), 6),
        ("[[t]]\n[[t.u]]\n[[t]]\n[[t.u]]\n[[t.u]]\na=1", ("t", 1, "u", 1, "a"), 6),
        ("t = { a = 1, b.c = 2 }\nx = 1", ("t", "b", "c"), 1),
        ("t = { a = 1 }\nx = 1", ("x",), 2),
        ("t = [\n  1, # one\n  2,\n]\nx = 1", ("t", 1), 3),
        ("t = [\n  1, # ]\n  2,\n]\nx = 1", ("x",), 5),
        ("t = [\n { a = 1 },\n { a = 2 }\n]", ("t", 1, "a"), 3),
        ("t = [[1, 2], [], [\n3]]", ("t", 2, 0), 2),
        ('a = """\nb = 1\n"""\nb = 2', ("b",), 4),
        ('a = """x\\"""" \nb = 2', ("b",), 2),
        ('a = """""x"""""\nb = 2', ("b",), 2),
        ("a = '''\n[b]\n'''\n[b]", ("b",), 4),
        ("a = '\\'\nb = 1", ("b",), 2),
        ('a = "\\"#"\nb = 1', ("b",), 2),
        ("'a.b' = 1\n\"c\\u0021\" = 2", ("c!",), 2),
        ("'a.b' = 1", ("a.b",), 1),
        ("a = 1979-05-27 07:32:00 # x\nb = 1", ("b",), 2),
        ("a = [1979-05-27 07:32:00, 1e3]\nb = inf", ("b",), 2),
        ("a = {}\nb = []\nc = 1", ("c",), 3),
        ("x = [1,\n\n\n]\ny = 1", ("y",), 5),
    ],
)
def test_a_key_has_its_line(text: str, path: KeyPath, line: int) -> None:
    tomllib.loads(text)
    assert key_lines(text)[path] == line


_DECOYS = ['\n[k0]\nk1 = 1 # "', " ] } , ", "\n\n[[k2]]", "'", "=", "\t"]
_numbers = st.sampled_from(["1", "-0x1F" if False else "0x1F", "1.5", "true", "1979-05-27 07:32:00", "inf"])


@st.composite
def _strings(draw: st.DrawFn) -> str:
    content = "".join(draw(st.lists(st.sampled_from(_DECOYS), max_size=3)))
    flat = content.replace("\n", " ")
    return draw(
        st.sampled_from(
            [
                '"' + flat.replace('"', '\\"') + '"',
                "'" + flat.replace("'", "") + "'",
                '"""' + content.replace('"', '\\"') + '"""',
                '"""' + content.replace('"', '\\"') + '"""""',
                "'''" + content.replace("'", "") + "'''",
            ]
        )
    )


@st.composite
def _documents(draw: st.DrawFn) -> str:
    """A valid document; each key has a marker that no other key has, however it is quoted."""
    counter = itertools.count(10)
    out: list[str] = []

    def key() -> str:
        marker = f"k{next(counter)}x"
        return draw(st.sampled_from([marker, f"'{marker} .'", f'"{marker}\\u0041#"', f'"{marker}["']))

    def blank() -> str:
        return draw(st.sampled_from(["", " ", "\t"]))

    def value(depth: int) -> str:
        choice = draw(st.integers(0, 3 if depth else 1))
        if choice == 0:
            return draw(_numbers)
        if choice == 1:
            return draw(_strings())
        if choice == 2:
            gap = draw(st.sampled_from([" ", "\n", " # ] 'x\n"]))
            items = [gap + value(depth - 1) for _ in range(draw(st.integers(0, 3)))]
            return "[" + ",".join(items) + (gap if items else "") + "]"
        pairs = [pair(depth - 1) for _ in range(draw(st.integers(0, 3)))]
        return "{" + ", ".join(pairs) + "}"

    def pair(depth: int) -> str:
        dotted = [key() for _ in range(draw(st.integers(1, 2)))]
        return f"{(blank() + '.').join(dotted)}{blank()}={blank()}{value(depth)}"

    def table(path: list[str], depth: int) -> None:
        for _ in range(draw(st.integers(0, 3))):
            out.append(blank() + pair(2) + draw(st.sampled_from(["", " # k0 = [", "\n", "\r\n"])))
        if not depth:
            return
        for _ in range(draw(st.integers(0, 2))):
            below = [*path, *(key() for _ in range(draw(st.integers(1, 2))))]
            for _ in range(draw(st.integers(1, 2)) if (many := draw(st.booleans())) else 1):
                header = f"{blank()}.{blank()}".join(below)
                out.append(f"[[{header}]]" if many else f"[{blank()}{header}{blank()}]")
                table(below, depth - 1)

    table([], 2)
    return draw(st.sampled_from(["\n", "\r\n"])).join(out)


def _paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _paths(below, (*path, name))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _paths(below, (*path, index))


@given(_documents())
def test_each_key_that_tomllib_knows_stands_on_its_line(text: str) -> None:
    found = key_lines(text)
    rows = text.replace("\r\n", "\n").split("\n")
    known = list(_paths(tomllib.loads(text)))
    assert set(known) == set(found)
    for path in known:
        if isinstance(path[-1], str):
            marker = path[-1][: path[-1].index("x") + 1]
            assert marker in rows[found[path] - 1], path
