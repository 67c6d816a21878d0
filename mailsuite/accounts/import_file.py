"""What another server's file of accounts says, whatever its format: values, each with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import attrs

from mailsuite.accounts.names import account_address
from mailsuite.accounts.passwords import MAX_PASSWORD_OCTETS, prepared
from mailsuite.accounts.refusal import RegistryError
from mailsuite.accounts.registry import new_address
from mailsuite.model.address import AddressSyntaxError
from mailsuite.model.hashes.stored import Plain, of_foreign_file
from mailsuite.model.hashes.values import HashRefused

MAX_FILE_OCTETS: Final = 64 << 20
"""About half a million accounts."""
MAX_LINE_CHARACTERS: Final = 8192
"""Room for all that an account says; a request to the control API has room for several."""

Outcome = Literal["made", "changed", "unchanged", "skipped", "refused"]


@attrs.frozen
class Result:
    """What came of a line. Neither *address* nor *reason* shows anything that may be a password."""

    line: int
    address: str
    outcome: Outcome
    reason: str = ""


@attrs.frozen
class ImportedAccount:
    """An account as a file has it. At most one of *password_hash* and *password* says something."""

    line: int
    address: str
    """Canonical; a new account can be called so."""
    password_hash: str = attrs.field(default="", repr=False)
    password: str = attrs.field(default="", repr=False)
    """In plain text, to be hashed at once."""
    fields: Mapping[str, Any] = attrs.field(factory=dict)
    """What else the file says, as Registry.change_account() takes it."""


class FileRefused(ValueError):
    """Nothing of the file can be taken. The message says why, and quotes no password."""


class LineRefused(ValueError):
    """The line cannot be taken. The message says why, and quotes no password."""


@attrs.frozen
class Record:
    """A line, or what else a format has for an account."""

    line: int
    name: str
    """As the file has it; empty where it cannot be told from a password."""
    read: Callable[[], ImportedAccount | None] = attrs.field(repr=False)
    """Raises LineRefused and HashRefused. None: that is nobody who gets mail."""


def read_records(records: Iterable[Record], default_domain: str) -> Iterator[ImportedAccount | Result]:
    """What each record says, or why it cannot be taken. Of two for one account the first holds."""
    lines: dict[str, int] = {}
    for record in records:
        shown = _shown(record.name, default_domain)
        try:
            account = record.read()
            if account is None:
                yield Result(record.line, shown, "skipped", "it has no password: no person's account")
                continue
            first = lines.setdefault(account.address, record.line)
            if first != record.line:
                raise LineRefused(f"line {first} is about the same account")
            yield account
        except (LineRefused, HashRefused) as error:
            yield Result(record.line, shown, "refused", str(error))


def _shown(name: str, default_domain: str) -> str:
    """The address that a result is about; empty where there is none, or none that an account can have."""
    try:
        return imported_address(name, default_domain) if name else ""
    except LineRefused:
        return ""


def imported_address(name: str, default_domain: str) -> str:
    """The canonical address of the account to be. Raises LineRefused."""
    try:
        address = str(account_address(name, default_domain))
    except AddressSyntaxError as error:
        raise LineRefused(f"that is no name of an account: {error}") from error
    try:
        return str(new_address(address))
    except RegistryError as error:
        raise LineRefused(
            "that is no name of an account here: before the @ stand letters and digits, and between them "
            ". _ - and +"
        ) from error


def with_password_field(account: ImportedAccount, field: str) -> ImportedAccount:
    """The account with what the field for its password says. Raises HashRefused and LineRefused."""
    meant = of_foreign_file(field)
    if isinstance(meant, Plain):
        return with_plain_password(account, meant.password)
    return attrs.evolve(account, password_hash=meant)


def with_plain_password(account: ImportedAccount, password: str) -> ImportedAccount:
    """The account with this password. Raises LineRefused."""
    if len(prepared(password)) > MAX_PASSWORD_OCTETS:
        raise LineRefused(f"the password is longer than {MAX_PASSWORD_OCTETS} octets")
    return attrs.evolve(account, password=password)


def check_line(line: str) -> None:
    """Refuse what no line is in any format."""
    if len(line) > MAX_LINE_CHARACTERS:
        raise LineRefused(f"the line is longer than {MAX_LINE_CHARACTERS} characters")
    if any("\udc80" <= character <= "\udcff" for character in line):
        raise LineRefused("the line is not UTF-8")


def in_order(accounts: Iterable[ImportedAccount]) -> list[ImportedAccount]:
    """The same, so that each comes after the one that its mail is forwarded to."""
    waiting = {account.address: account for account in accounts}
    ordered: list[ImportedAccount] = []
    while waiting:
        way: dict[str, ImportedAccount] = {}
        address = next(iter(waiting))
        while address in waiting:
            way[address] = waiting.pop(address)
            address = way[address].fields.get("forward", "")
        ordered += reversed(way.values())
    return ordered


def without_circles(
    accounts: Iterable[ImportedAccount],
) -> tuple[list[ImportedAccount], list[Result]]:
    """Those whose mail does not come back by way of others in the file, and why the rest cannot be taken:
    each would have to be there before the other."""
    accounts = list(accounts)
    forwards = {account.address: account.fields.get("forward", "") for account in accounts}
    taken, refused = [], []
    for account in accounts:
        way = [account.address]
        while (target := forwards.get(way[-1], "")) and target not in way:
            way.append(target)
        if target == account.address:
            reason = f"forward: the mail would come back: {' -> '.join((*way, target))}"
            refused.append(Result(account.line, account.address, "refused", reason))
        else:
            taken.append(account)
    return taken, refused


def without_forwards_within(accounts: Iterable[ImportedAccount]) -> list[ImportedAccount]:
    """For a rehearsal: the same without forwards to one another, since those accounts are not made."""
    accounts = list(accounts)
    addresses = {account.address for account in accounts}
    rehearsed = []
    for account in accounts:
        fields = dict(account.fields)
        if fields.get("forward") in addresses:
            del fields["forward"]
            if fields.get("state") == "forward":
                del fields["state"]
        rehearsed.append(attrs.evolve(account, fields=fields))
    return rehearsed
