"""No reply escapes the one table of model/reply.py (features row M-09)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import mailsuite
from mailsuite.model import reply as table
from mailsuite.model.reply import Reply

ROOT = Path(mailsuite.__file__).parent
TABLE = ROOT / "model" / "reply.py"
ROWS = {name: value for name, value in vars(table).items() if isinstance(value, Reply)}
MADE = {
    "message_accepted": table.message_accepted("0" * 16),
    "chunk_taken": table.chunk_taken(10**20),
    "greeting": table.greeting("mx.example.net", "ESMTP"),
    "hello": table.hello("mx.example.net", "SIZE 1"),
    "challenge": table.challenge("YQ=="),
    "next_hop_unreachable": table.next_hop_unreachable("mx.example.org", "192.0.2.1: Connection refused"),
    "next_hop_unproven": table.next_hop_unproven("the certificate has expired"),
    "given_up_by_administrator": table.given_up_by_administrator("It was sent twice"),
    "refused_by_rule": table.refused_by_rule("5.7.1", "Not from here"),
}
"""What the functions of the table make."""
WITHOUT_ENHANCED = {"_GREETING", "_HELLO", "_CHALLENGE", "START_MAIL_INPUT"}
"""RFC 2034 section 4: the greeting, what HELO and EHLO get, and all of 3xx."""
NOT_OURS = {ROOT / "wire" / "smtp" / "client" / "replies.py", ROOT / "queue" / "sqlite" / "rows.py"}
"""Where replies are read that other servers gave, from the wire and from the disk."""


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}


def imports(tree: ast.Module) -> tuple[set[str], set[str]]:
    """By what names a module calls the table itself, and which rows it imports."""
    modules, names = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "mailsuite.model":
            modules |= {each.asname or each.name for each in node.names if each.name == "reply"}
        elif isinstance(node, ast.ImportFrom) and node.module == "mailsuite.model.reply":
            names |= {each.name for each in node.names}
    return modules, names


@cache
def used(tree: ast.Module) -> frozenset[str]:
    """Which names of the table a module uses."""
    modules, names = imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            names.add(node.attr)
    return frozenset(names)


def calls(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Whom a module calls, by the last two parts of the name, and in which line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id, node.lineno
            elif isinstance(node.func, ast.Attribute):
                whose = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
                yield f"{whose}.{node.func.attr}", node.lineno


def test_no_reply_is_made_elsewhere() -> None:
    made = [
        f"{path.relative_to(ROOT)}:{line}"
        for path, tree in trees().items()
        if path not in {TABLE, *NOT_OURS} and "Reply" in used(tree)
        for name, line in calls(tree)
        if name.split(".")[-1] == "Reply"
    ]
    assert made == []


def test_no_reply_is_changed_elsewhere() -> None:
    changed = [
        f"{path.relative_to(ROOT)}:{line}"
        for path, tree in trees().items()
        if path != TABLE and used(tree)
        for name, line in calls(tree)
        if name.endswith(".with_text") or name in ("attrs.evolve", "evolve", "dataclasses.replace")
        if _is_of_a_reply(tree, line)
    ]
    assert changed == []


def _is_of_a_reply(tree: ast.Module, line: int) -> bool:
    """Whether what is changed in that line is a row of the table, or is called a reply."""
    modules, names = imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.lineno == line:
            words = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            if words & (modules | (names & set(ROWS)) | {"reply", "answer", "refusal", "defect"}):
                return True
    return False


LITERAL = re.compile(r"[2345][0-9]{2}[ -](?:[245]\.[0-9]{1,3}\.[0-9]{1,3} .+|.*\r\n)", re.DOTALL)


@pytest.mark.parametrize("folder", ["wire", "frontends", "delivery", "policy", "accounts"])
def test_no_reply_is_typed(folder: str) -> None:
    """As text or octets; a docstring or a comment may show one."""
    typed = []
    for path, tree in trees().items():
        if path.is_relative_to(ROOT / folder):
            shown = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and id(node) not in shown:
                    value = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
                    if isinstance(value, str) and LITERAL.match(value):
                        typed.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert typed == []


def test_what_would_be_a_typed_reply() -> None:
    for text in ("250 2.1.0 OK", "550-5.7.1 No", "220 mx.example.net\r\n", "354 Go\r\n"):
        assert LITERAL.match(text)
    for text in ("512 octets", "200", "2.1.0", "250 OK"):
        assert not LITERAL.match(text)


def test_every_name_is_in_the_table() -> None:
    unknown = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, tree in trees().items()
        for name in used(tree)
        if not hasattr(table, name)
    }
    assert unknown == set()


def test_every_row_is_used() -> None:
    """Or made into others by a function of the table."""
    names = set().union(*(used(tree) for path, tree in trees().items() if path != TABLE))
    assert {name for name in ROWS if not name.startswith("_")} - names == set()


@pytest.mark.parametrize("name", ROWS)
def test_every_row_is_good(name: str) -> None:
    row = ROWS[name]
    assert 200 <= row.code < 600
    if name in WITHOUT_ENHANCED:
        assert not row.enhanced
    else:
        assert re.fullmatch(r"[245]\.[0-7]\.[0-9]{1,3}", row.enhanced), "RFC 3463 section 2"
        assert row.enhanced[0] == str(row.code)[0]
    assert not row.closes or row.code in (221, 421) or row.code >= 500
    assert row.text or name.startswith("_"), "a template alone has no text"


@pytest.mark.parametrize("reply", [*ROWS.values(), *MADE.values()], ids=[*ROWS, *MADE])
def test_every_line_fits(reply: Reply) -> None:
    """512 octets with their CRLF (RFC 5321 section 4.5.3.1.5), visible ASCII and spaces."""
    lines = reply.encode().split(b"\r\n")
    assert lines.pop() == b""
    for line in lines:
        assert len(line) + 2 <= 512
        assert re.fullmatch(rb"[ -~]+", line)


def test_every_template_is_made_into_replies_that_are_looked_at() -> None:
    """So that none is forgotten above."""
    functions = {
        node.name for node in trees()[TABLE].body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"
    }
    assert functions == set(MADE)


def test_enhanced_codes_of_what_is_made() -> None:
    expected = ["2.0.0", "2.0.0", "", "", "", "4.4.1", "4.7.5", "5.0.0", "5.7.1"]
    assert [reply.enhanced for reply in MADE.values()] == expected
