"""Bar U5: no setting lacks a sentence, a default, a line in the example and one in the reference page."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import pytest

from mailsuite.config.declare import Blocks, Setting, all_settings, all_tables, declarations
from mailsuite.config.example import example, example_value
from mailsuite.config.explain import explain, reference_page
from mailsuite.config.load import load
from mailsuite.config.schema import AccountBlock, Config, Delivery, Listener, Pop3, Smtp, Submission
from mailsuite.config.services import SERVICE_SECTIONS
from tests.config.conftest import MACHINE, LoadText

ROOT = Path(__file__).parents[2]
EXAMPLE, REFERENCE = example(), reference_page()
SETTINGS = dict(all_settings(Config))
TABLES = dict(all_tables(Config))


@pytest.fixture(params=list(SETTINGS))
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_setting_has_a_sentence(key: str) -> None:
    declared = SETTINGS[key]
    for_some_types = r"[a-z-]+(, [a-z-]+)*: "
    assert re.fullmatch(rf"([A-Z]|{for_some_types}).*[^.]\.", declared.meaning)
    assert declared.kind.word


def test_a_setting_has_a_default_or_must_be_there(key: str) -> None:
    declared = SETTINGS[key]
    required = {
        "listener.name",
        "listener.service",
        "domain.name",
        "account.address",
        "account.device.name",
        "account.device.password_file",
        "certificate.certificate",
        "certificate.key",
        "source.name",
        "source.type",
        "relay.match",
        "notify.command.name",
        "notify.command.argv",
    }
    assert declared.required == (key in required)
    assert not (declared.derived and declared.default is not None)


def test_a_default_is_what_the_class_has(key: str) -> None:
    declared = SETTINGS[key]
    if declared.default is not None:
        value = declared.kind.parse(declared.default, Path("/"))
        assert declared.kind.write(value) == declared.default


def test_an_example_is_of_its_kind(key: str) -> None:
    declared = SETTINGS[key]
    raw = tomllib.loads(f"x = {example_value(declared)}")["x"]
    value = declared.kind.parse(raw, Path("/"))
    assert value != declared.kind.parse("", Path("/")) if raw == "" and declared.derived else True


def test_a_setting_is_explained(key: str) -> None:
    text = explain(key)
    declared = SETTINGS[key]
    assert text.startswith(f"{key}\n  {declared.meaning}\n")
    for word in (declared.kind.word, "default", "applied", declared.kind.range):
        assert word in text


def test_a_setting_is_in_the_reference_page(key: str) -> None:
    table, _, name = key.rpartition(".")
    page = REFERENCE
    heading = re.compile(rf"## `\[*{re.escape(table)}[\] ]") if table else re.compile("# Settings")
    part = page[heading.search(page).end() :].partition("\n## ")[0]  # type: ignore[union-attr]
    assert f"| `{name}` | {SETTINGS[key].meaning}" in part


def _example_lines(table: str) -> str:
    """The part of the example under a header, commented out or not."""
    text = EXAMPLE
    if not table:
        return text.partition("\n[")[0]
    brackets = re.search(rf"^#?\[+{re.escape(table)}\]+$", text, re.MULTILINE)
    assert brackets, table
    return re.split(r"^#?\[", text[brackets.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def test_a_setting_is_in_the_example(key: str) -> None:
    table, _, name = key.rpartition(".")
    if table == "account.notifymail":
        table, name = "account", f"notifymail.{name}"
    declared = SETTINGS[key]
    outermost = table if table == "notify.command" else table.partition(".")[0]
    commented_out = outermost in {"account", "certificate", "notify.command", "relay", "source"}
    mark = "#" if commented_out or not declared.shown else ""
    assert f"\n{mark}{name} = {example_value(declared)}\n" in _example_lines(table)


def _headers(key: str) -> tuple[list[str], str, str]:
    """The headers that a setting stands under, what its name begins with there, and its name."""
    table, _, name = key.rpartition(".")
    blocks = [one for one, declared in TABLES.items() if isinstance(declared, Blocks)]
    around = [one for one in blocks if f"{table}.".startswith(f"{one}.")]
    if around:
        return [f"[[{one}]]" for one in around], f"{table}.".removeprefix(f"{around[-1]}."), name
    return ([f"[{table}]"] if table else []), "", name


def test_each_setting_has_a_test_of_a_wrong_value(key: str, load_text: LoadText) -> None:
    """Every setting refuses a table, at its line, and the message says what is expected."""
    headers, within, name = _headers(key)
    text = "\n".join([*headers, f"{within}{name} = {{}}\n"])
    loaded = load_text(text)
    found = [problem.text for problem in loaded.errors if problem.place.line == len(headers) + 1]
    assert any(text.startswith(f"{name}: ") for text in found), loaded.problems


# The example


def test_the_example_file_is_not_stale() -> None:
    """To renew it: mailsuite config example > etc/mailsuite.toml"""
    assert (ROOT / "etc/mailsuite.toml").read_text("utf-8") == example()


def test_the_reference_page_is_not_stale() -> None:
    """To renew it: mailsuite config reference > docs/reference/settings.md"""
    assert (ROOT / "docs/reference/settings.md").read_text("utf-8") == reference_page()


def test_the_example_loads_as_it_is() -> None:
    loaded = load(ROOT / "etc/mailsuite.toml", {}, (), MACHINE)
    assert loaded.problems == ()
    assert loaded.config is not None
    assert [(one.service, one.port, one.tls) for one in loaded.config.listeners if one.enabled] == [
        ("pop3", 995, "implicit"),
        ("smtp", 25, "starttls"),
        ("submission", 587, "required-starttls"),
        ("submission", 465, "implicit"),
        ("pop3", 110, "starttls"),
        ("notify", 8443, "implicit"),
    ]
    assert loaded.config.accounts == ()


def test_active_lines_of_the_example_are_the_defaults(load_text: LoadText) -> None:
    """Who copies the example and edits nothing has, beside names and doors, what an empty file gives."""
    copied, empty = load_text(example()).config, load_text("").config
    assert copied is not None
    assert empty is not None
    for name in ("tls", "smtp", "log", "delivery", "queue"):
        assert getattr(copied, name) == getattr(empty, name)
    assert copied.notify.webpush.contact == f"mailto:{copied.server.admin}"
    named = attrs.evolve(
        copied.notify, webpush=empty.notify.webpush, default_domain=empty.notify.default_domain
    )
    assert named == empty.notify


def test_the_example_with_its_commented_lines_has_only_known_settings(load_text: LoadText) -> None:
    loaded = load_text(re.sub(r"^#(?! )", "", example(), flags=re.MULTILINE))
    assert not [problem for problem in loaded.problems if "unknown" in problem.text]
    assert not [problem for problem in loaded.problems if "expected" in problem.text]


def test_no_line_of_the_example_is_too_wide() -> None:
    assert [line for line in example().splitlines() if len(line) > 110 and "argon2id" not in line] == []


# The classes


@pytest.mark.parametrize("settings", [Smtp, Delivery, AccountBlock])
def test_a_class_can_be_made_from_its_defaults(settings: type[Any]) -> None:
    needed = {
        field.name: None for field in attrs.fields(settings) if field.default is attrs.NOTHING and field.init
    }
    made = settings(**needed)
    for name, declared in declarations(settings).items():
        if isinstance(declared, Setting) and declared.default is not None:
            assert getattr(made, name) == declared.kind.parse(declared.default, Path("/"))


def test_a_listener_key_never_hides_a_key_of_its_service() -> None:
    """But that both a service and one of its doors can be switched off."""
    for section in SERVICE_SECTIONS.values():
        assert declarations(section).keys() & declarations(Listener).keys() <= {"enabled"}


def test_restarts_are_rare() -> None:
    restart = {key for key, declared in SETTINGS.items() if declared.applied == "restart"}
    assert restart == {
        "server.state",
        "server.control_socket",
        "server.control_group",
        "server.user",
        "delivery.path",
    }


def test_every_table_means_something() -> None:
    names = Counter(declared.meaning for declared in TABLES.values())
    assert max(names.values()) == 1


def test_services_have_their_own_classes() -> None:
    assert not issubclass(Submission, Smtp)
    assert not issubclass(Pop3, Smtp)
