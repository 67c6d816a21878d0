"""Whatever a file holds: each line is read or refused, and none stops the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailsuite.accounts.import_file import FileRefused
from mailsuite.accounts.import_formats import FORMATS, read_file

CELLS = st.text('abc.@:,;"$!*x{}# \t\r\u00fc\udcff', max_size=30)
LINES = st.lists(st.one_of(CELLS, st.text(max_size=40).map(lambda text: text.replace("\n", ""))), max_size=6)
GOOD = {
    "passwd-file": "",
    "csv": "address,name,password\n",
}


@given(LINES, st.sampled_from([None, *FORMATS]))
def test_any_file(lines: list[str], format: str | None) -> None:
    text = "\n".join(lines)
    try:
        accounts, unusable = read_file(text, "example.net", format)
    except FileRefused:
        return
    numbers = [each.line for each in [*accounts, *unusable]]
    assert len(set(numbers)) == len(numbers)
    assert all(1 <= number <= len(lines) for number in numbers)
    assert all(each.reason for each in unusable)


@given(LINES, st.sampled_from(sorted(GOOD)))
def test_a_good_line_is_taken_whatever_stands_before_it(lines: list[str], format: str) -> None:
    good = "goodone:" if format == "passwd-file" else "goodone,Good,"
    before = [line for line in lines if "goodone" not in line.lower()]
    text = GOOD[format] + "\n".join([*before, good])
    accounts, _ = read_file(text, "example.net", format)
    assert "goodone@example.net" in [each.address for each in accounts]
