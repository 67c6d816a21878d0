"""Accounts as a table with commas between (RFC 4180), whose first line names the columns."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, get_args

from mailsuite.accounts.import_file import (
    FileRefused,
    ImportedAccount,
    LineRefused,
    Record,
    check_line,
    imported_address,
    with_password_field,
    with_plain_password,
)
from mailsuite.accounts.passwd_files import lines_of
from mailsuite.accounts.registry import MAX_NAME_CHARACTERS
from mailsuite.config.kinds import BadValue, Kind, Member, OneOf, port
from mailsuite.config.kinds_quota import QuotaLimits
from mailsuite.config.names import KnockAddress, MailAddress
from mailsuite.config.queue import NoticeLanguage
from mailsuite.config.quotas import OWN_MAXIMUM
from mailsuite.model.account import AccountState, NotifyState
from mailsuite.model.hashes.stored import looks_hashed

_DELIMITERS: Final = ",;\t"
_YES: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_FIELDS: Final[dict[str, Kind[Any]]] = {
    "state": Member(AccountState),
    "forward": MailAddress(),
    "keep_copy": OneOf(tuple(_YES)),
    "pop3": OneOf(("allow", "deny")),
    "notifymail": Member(NotifyState),
    "notifymail_address": KnockAddress(),
    "notifymail_port": port(),
    "quota": QuotaLimits(inherits=True),
    "max_message": OWN_MAXIMUM,
    "language": OneOf(get_args(NoticeLanguage)),
}
"""Columns of one word each, empty where nothing is said."""
_AS_THEY_ARE: Final = ("state", "forward", "pop3", "quota", "max_message", "language")
COLUMNS: Final = ("address", "name", "password", "password_hash", *_FIELDS)


def csv_records(text: str, default_domain: str) -> Iterator[Record]:
    """One account a line. Raises FileRefused where the first line does not name columns that are known."""
    table = _table(text)
    if table is None:
        raise FileRefused(
            f"its first line must name the columns, address among them; known are {', '.join(COLUMNS)}"
        )
    delimiter, columns = table
    for number, line in islice(lines_of(text), 1, None):
        cells = _cells(line, delimiter)
        shown = cells[columns.index("address")].strip() if len(cells) == len(columns) else ""
        yield Record(number, shown, partial(_read, number, line, columns, cells, default_domain))


def is_csv(text: str) -> bool:
    """Whether the first line names columns."""
    return _table(text) is not None


def _table(text: str) -> tuple[str, list[str]] | None:
    """What stands between columns, and their names; None where the first line has none, or not ours."""
    head = next((line for _, line in lines_of(text)), "")
    delimiter = max(_DELIMITERS, key=head.count)
    columns = [cell.strip().lower() for cell in _cells(head, delimiter)]
    known = "address" in columns and len(set(columns)) == len(columns) and set(columns) <= set(COLUMNS)
    return (delimiter, columns) if known else None


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of one line; none where its quotes do not match. No cell goes on in the next line: what
    has no end would take other accounts with it."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return []


def _read(
    number: int, line: str, columns: list[str], cells: list[str], default_domain: str
) -> ImportedAccount:
    check_line(line)
    if not cells:
        raise LineRefused("the quotes in it do not match")
    if len(cells) != len(columns):  # the cell of the address may be half of a password
        raise LineRefused(
            f"it has {len(cells)} cells for {len(columns)} columns; a separator in a cell needs quotes"
        )
    row = dict(zip(columns, cells, strict=True))
    fields = _fields(row)
    account = ImportedAccount(number, imported_address(row["address"].strip(), default_domain), fields=fields)
    password, password_hash = row.get("password", ""), row.get("password_hash", "").strip()
    if password and password_hash:
        raise LineRefused("it has both a password and a hash")
    if looks_hashed(password):
        raise LineRefused("under password stands what looks like a hash; its column is password_hash")
    if password:
        return with_plain_password(account, password)
    return with_password_field(account, password_hash)


def _fields(row: Mapping[str, str]) -> dict[str, Any]:
    """What Registry.change_account() takes, of the cells that say something."""
    said = {column: row[column].strip() for column in _FIELDS if row.get(column, "").strip()}
    for column, text in said.items():
        _check(column, text)
    fields: dict[str, Any] = {column: said[column] for column in _AS_THEY_ARE if column in said}
    if name := row.get("name", "").strip():
        if len(name) > MAX_NAME_CHARACTERS:
            raise LineRefused(f"the name is longer than {MAX_NAME_CHARACTERS} characters")
        fields["name"] = name
    if "forward" in said:
        fields["forward"] = str(MailAddress().parse(said["forward"], Path()))
    if "keep_copy" in said:
        fields["keep_copy"] = _YES[said["keep_copy"]]
    if notifymail := _notifymail(said):
        fields["notifymail"] = notifymail
    return fields


def _check(column: str, text: str) -> None:
    """Refuse what the column cannot hold, without quoting it: cells may have moved."""
    kind = _FIELDS[column]
    value: object = int(text) if column == "notifymail_port" and text.isdecimal() and len(text) < 6 else text
    try:
        kind.parse(value, Path())
    except BadValue as error:
        raise LineRefused(f"{column} must be {kind.expects}") from error


def _notifymail(said: Mapping[str, str]) -> dict[str, Any]:
    names: dict[str, tuple[str, Callable[[str], object]]] = {
        "notifymail": ("state", str),
        "notifymail_address": ("address", str),
        "notifymail_port": ("port", int),
    }
    return {name: convert(said[column]) for column, (name, convert) in names.items() if column in said}
