"""docs/reference/log-events.md names each event of the code, with its level, and no other."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "log-events.md").read_text("utf-8")
LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "failure": "error"}
SERVICES = ("smtp", "submission", "lmtp", "pop3", "notify")
_EVENT = re.compile(r"[a-z0-9]+\.[a-z0-9_]+")


@functools.lru_cache(1)
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """All that a module is made of; one after the other is looked at in four ways."""
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"))))


def names_of(argument: ast.expr) -> Iterator[str]:
    """The event names that an expression can be; ``f"{door.service}.failed"`` is one for each service."""
    match argument:
        case ast.Constant(str(name)):
            yield name
        case ast.JoinedStr([ast.FormattedValue(value), ast.Constant(str(rest))]):
            if ast.unparse(value).endswith("door.service"):
                yield from (f"{service}{rest}" for service in SERVICES)


def logged(path: Path) -> Iterator[tuple[str, str]]:
    """The events of a module, each with its level: ``log.info("x.y")`` and ``partial(log.info, "x.y")``."""
    for node in nodes_of(path):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        function, arguments = node.func, node.args
        if isinstance(function, ast.Name) and function.id == "partial" and len(arguments) > 1:
            function, arguments = arguments[0], arguments[1:]
        if isinstance(function, ast.Attribute) and function.attr in LEVELS:
            for name in names_of(arguments[0]):
                if _EVENT.fullmatch(name):
                    yield name, LEVELS[function.attr]


def logged_by_variable(path: Path) -> Iterator[tuple[str, str]]:
    """``for event in ("x.y", "x.z"): log.info(event)``: each name that stands in the function counts."""
    for function in nodes_of(path):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes = list(ast.walk(function))
            names = {
                node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
            for node in nodes:
                match node:
                    case ast.Call(ast.Attribute(_, level), [ast.Name("event"), *_]) if level in LEVELS:
                        yield from ((name, LEVELS[level]) for name in names if _EVENT.fullmatch(name))


def logged_by_function(path: Path) -> Iterator[tuple[str, str]]:
    """``def _event(self, name, ...): log.info(name, ...)``: each name that it is called with counts."""
    levels = dict[str, str]()
    for function in nodes_of(path):
        if not isinstance(function, ast.FunctionDef) or not function.name.startswith("_"):
            continue
        parameters = [argument.arg for argument in function.args.args if argument.arg != "self"][:1]
        for node in ast.walk(function):
            match node:
                case ast.Call(ast.Attribute(_, level), [ast.Name(name), *_]) if level in LEVELS:
                    if [name] == parameters:
                        levels[function.name] = LEVELS[level]
    for node in nodes_of(path):
        match node:
            case ast.Call(ast.Attribute(_, called), [ast.Constant(str(name)), *_]) if called in levels:
                if _EVENT.fullmatch(name):
                    yield name, levels[called]


def noted_by_rules(path: Path) -> Iterator[tuple[str, str]]:
    """``Note("x.y", ...)``: what a rule of policy has to tell; policy/chain.py logs it."""
    for node in nodes_of(path):
        match node:
            case ast.Call(ast.Name("Note"), [ast.Constant(str(name)), *_], keywords):
                said = {each.arg: each.value for each in keywords}
                level = said.get("level")
                yield name, str(level.value) if isinstance(level, ast.Constant) else "warning"


@functools.cache
def of_the_code() -> frozenset[tuple[str, str]]:
    looks = (logged, logged_by_variable, logged_by_function, noted_by_rules)
    modules = list((ROOT / "mailsuite").rglob("*.py"))
    return frozenset(event for path in modules for look in looks for event in look(path))


def of_the_page() -> list[tuple[str, str]]:
    events = []
    for names, level, meaning in re.findall(r"^\| (`[^|]+) \| (\w+) \| (.*) \|$", PAGE, re.MULTILINE):
        assert meaning.endswith("."), meaning
        events += [(name, level) for name in re.findall(r"`([^`]+)`", names)]
    return events


def test_events_are_seen() -> None:
    events = of_the_code()
    assert ("smtp.accepted", "info") in events
    assert ("task.failed", "error") in events, "those that are handed over by partial()"
    assert ("submission.timed_out", "info") in events, "those whose name depends on the service"
    assert ("listener.opened", "info") in events, "those whose name is a variable's"
    assert ("lmtp.closed", "debug") in events, "those of every service"
    assert ("pop3.command", "info") in events, "those that a function is called with"
    assert ("submission.foreign_sender", "warning") in events, "those that a rule notes"
    assert len(events) > 50


def test_each_event_stands_on_the_page_once_with_its_level() -> None:
    assert sorted(of_the_page()) == sorted(of_the_code())


def test_no_name_has_two_levels() -> None:
    names = [name for name, _ in of_the_code()]
    assert len(names) == len(set(names))
