"""Files with one account a line and colons between its fields: Dovecot's passwd-file, and shadow(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from mailsuite.accounts.import_file import (
    FileRefused,
    ImportedAccount,
    LineRefused,
    Record,
    check_line,
    imported_address,
    with_password_field,
)

RESTRICTING = re.compile(r"(?:^|\s)(nologin|deny|allow_nets|allow_real_nets)(?:=|\s|$)")
"""Extra fields by which Dovecot refuses some or all logins. What cannot be kept here must not be opened."""

_SHADOW = re.compile(r"[^:]+:[^:]*:[0-9-]*:[0-9-]*:[0-9-]*:[0-9-]*:[0-9-]*:[0-9-]*:[0-9-]*")


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, each with its number. A line ends nowhere but at its line feed."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line.removesuffix("\r")


def is_shadow(text: str) -> bool:
    """Whether all lines are such as shadow(5) has them."""
    return all(_SHADOW.fullmatch(line) for _, line in lines_of(text))


def passwd_records(text: str, default_domain: str) -> Iterator[Record]:
    """``name:password:uid:gid:gecos:home:shell:extra fields``; all behind the password may be left out."""
    for number, line in lines_of(text):
        yield Record(number, _name(line), partial(_read_passwd, number, line, default_domain))


def shadow_records(text: str, default_domain: str) -> Iterator[Record]:
    """``name:hash:`` and seven numbers. Who has no hash is no person: daemons have lines, too."""
    if not is_shadow(text):
        raise FileRefused("it is no shadow file: those have nine fields in each line, seven of them numbers")
    for number, line in lines_of(text):
        yield Record(number, _name(line), partial(_read_shadow, number, line, default_domain))


def _name(line: str) -> str:
    """Nothing where there is no colon: the line may be a password."""
    name, colon, _ = line.partition(":")
    return name if colon else ""


def _read_passwd(number: int, line: str, default_domain: str) -> ImportedAccount:
    check_line(line)
    name, *fields = line.split(":", 7)
    if not fields:
        raise LineRefused("there is no colon in it")
    password, _uid, _gid, gecos, _home, _shell, extra = (*fields, *[""] * (7 - len(fields)))
    if found := RESTRICTING.search(extra):
        raise LineRefused(f"its logins are restricted by {found[1]}, which an account here cannot be")
    account = ImportedAccount(number, imported_address(name, default_domain), fields=_person(gecos))
    return with_password_field(account, password)


def _read_shadow(number: int, line: str, default_domain: str) -> ImportedAccount | None:
    check_line(line)
    name, stored, *numbers = line.split(":")
    if not stored or stored[0] in "!*":
        return None
    if numbers[5]:
        raise LineRefused("it has a day on which it expires, which an account here has not")
    return with_password_field(ImportedAccount(number, imported_address(name, default_domain)), stored)


def _person(gecos: str) -> dict[str, str]:
    """The name out of a gecos field, where rooms and telephones follow behind commas."""
    name = gecos.partition(",")[0].strip()
    return {"name": name} if name else {}
