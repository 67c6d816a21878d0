"""/etc/aliases: what is taken, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.accounts.alias_file import MAX_INCLUDES, AliasFile
from mailsuite.accounts.aliases import MAX_TARGETS

FILES = {
    "/etc/list": "# members\nann, joe\n\n bob@far.example\n",
    "/etc/nested": ":include:/etc/list\nzoe\n",
    "/etc/circle": ":include:/etc/circle\n",
    "/etc/pipe": "ann\n|cat\n",
    "/etc/empty": "# nobody\n",
}


def include(path: Path) -> str:
    try:
        return FILES[str(path)]
    except KeyError:
        raise FileNotFoundError(2, "No such file or directory") from None


def read(text: str) -> tuple[dict[str, tuple[str, ...]], dict[int, str]]:
    """The aliases by address, the refusals by line."""
    aliases, refused = AliasFile("example.net", include).read(text)
    return {one.address: one.targets for one in aliases}, {one.line: one.reason for one in refused}


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("x: joe", ("joe",)),
        ("x:joe,ann , bob@far.example", ("joe", "ann", "bob@far.example")),
        ("x : joe", ("joe",)),
        ('"x": "joe"', ("joe",)),
        ("x: joe,\n\tann\n  , bob", ("joe", "ann", "bob")),
        ("x: joe\n# in between\n\n  , ann", ("joe", "ann")),
        ("x:\n joe", ("joe",)),
        ("x: \\joe, joe", ("joe",)),
        ("x: /dev/null", (":discard",)),
        ("x: joe, /dev/null", ("joe",)),
        ("x: :include:/etc/list", ("ann", "joe", "bob@far.example")),
        ("x: joe, :Include: /etc/nested", ("joe", "ann", "bob@far.example", "zoe")),
        ('x: ":include:/etc/list"', ("ann", "joe", "bob@far.example")),
    ],
)
def test_what_is_taken(text: str, targets: tuple[str, ...]) -> None:
    wanted = tuple(one if "@" in one or one.startswith(":") else f"{one}@example.net" for one in targets)
    assert read(text) == ({"x@example.net": wanted}, {})


def test_lines_are_counted_from_the_first_of_an_entry() -> None:
    aliases, refused = AliasFile("example.net", include).read(
        "# c\n\nx: joe,\n ann\ny@far.example: bob\n| no\n"
    )
    assert [(one.line, one.address) for one in aliases] == [(3, "x@example.net"), (5, "y@far.example")]
    assert [one.line for one in refused] == [6]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x: |/usr/bin/vacation joe", "|/usr/bin/vacation joe: mail is not given to programs here"),
        ('x: "|/usr/bin/procmail -t, -a"', "|/usr/bin/procmail -t, -a: mail is not given to programs here"),
        ("x: joe, /var/mail/x", "/var/mail/x: mail is not written to files here"),
        ("x: :fail: no such user", ":fail: no such user is not known here"),
        ("x: :include:/etc/none", "/etc/none: No such file or directory"),
        ("x: :include:/etc/pipe", "/etc/pipe:2: |cat: mail is not given"),
        ("x: :include:/etc/empty", "it leads to nobody"),
        ("x: :include:/etc/circle", f"more than {MAX_INCLUDES} lists"),
        ("x:", "it leads to nobody"),
        ("x: , ,", "it leads to nobody"),
        ("x joe", "not of the form"),
        (' "x: joe', "not of the form"),
        ('x: "joe', "a quotation mark is not closed"),
        ("x: " + ",".join(f"u{number}" for number in range(MAX_TARGETS + 1)), "more than 1000 addresses"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    aliases, refused = read(
        f"a: joe\n{text}\nb: ann\n" if not text.startswith(" ") else f"{text}\na: joe\nb: ann\n"
    )
    assert set(aliases) == {"a@example.net", "b@example.net"}
    ((_, reason),) = refused.items()
    assert why in reason


@given(st.text('ab:,"\\ \t\n#|/@', max_size=40))
def test_whatever_stands_in_a_file_is_taken_or_refused(text: str) -> None:
    aliases, refused = AliasFile("example.net", include).read(text)
    lines = [one.line for one in (*aliases, *refused)]
    assert len(set(lines)) == len(lines)
    assert all(1 <= line <= len(text.splitlines()) for line in lines)
    assert all(target == ":discard" or target[0] not in "|/" for one in aliases for target in one.targets)
