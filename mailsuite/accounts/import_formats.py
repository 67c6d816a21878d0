"""Which format a file of accounts has, and what is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from mailsuite.accounts.csv_files import csv_records, is_csv
from mailsuite.accounts.import_file import FileRefused, ImportedAccount, Record, Result, read_records
from mailsuite.accounts.passwd_files import is_shadow, lines_of, passwd_records, shadow_records

FORMATS: Final[dict[str, Callable[[str, str], Iterator[Record]]]] = {
    "passwd-file": passwd_records,
    "shadow": shadow_records,
    "csv": csv_records,
}
"""What there is, by name; each takes the text and the domain of names that have none."""


def detect(text: str) -> str:
    """The format that *text* looks like. Raises FileRefused where it has no line, or a line of none."""
    if is_csv(text):
        return "csv"
    if not any(True for _ in lines_of(text)):
        raise FileRefused("there is nothing in it")
    if not any(":" in line for _, line in lines_of(text)):
        raise FileRefused(
            "it is neither a passwd-file nor a shadow file, and its first line does not name columns that "
            "are known; say which it is with --format"
        )
    return "shadow" if is_shadow(text) else "passwd-file"


def read_file(
    text: str, default_domain: str, format: str | None = None
) -> tuple[list[ImportedAccount], list[Result]]:
    """The accounts in it, and the lines that cannot be taken. Raises FileRefused."""
    accounts: list[ImportedAccount] = []
    unusable: list[Result] = []
    records = FORMATS[format or detect(text)](text, default_domain)
    for read in read_records(records, default_domain):
        if isinstance(read, Result):
            unusable.append(read)
        else:
            accounts.append(read)
    return accounts, unusable
