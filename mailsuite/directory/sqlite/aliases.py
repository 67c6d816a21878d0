"""Aliases as rows of accounts.db: one for each, and one for each of its targets."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from mailsuite.directory.sqlite import statements as sql
from mailsuite.directory.sqlite.rows import key
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias

Row = tuple[Any, ...]
"""Domain and local part of the alias, then of one target; NULL, where there is none at all."""


def read(connection: sqlite3.Connection, address: Address) -> Alias | None:
    """The alias with this address."""
    return next(iter(_aliases(connection.execute(sql.FIND_ALIAS, key(address)))), None)


def read_all(connection: sqlite3.Connection) -> tuple[Alias, ...]:
    """All there are, in their order."""
    return tuple(_aliases(connection.execute(sql.LIST_ALIASES)))


def leading_to(connection: sqlite3.Connection, target: Address) -> tuple[Address, ...]:
    """The addresses of the aliases that have this target."""
    rows = connection.execute(sql.FIND_ALIASES_TO, key(target))
    return tuple(Address(local, domain) for domain, local in rows)


def put_targets(connection: sqlite3.Connection, alias: Alias) -> None:
    """Insert the targets of an alias that has none there."""
    rows = ((*key(alias.address), place, *key(target)) for place, target in enumerate(alias.targets))
    connection.executemany(sql.INSERT_TARGET, rows)


def _aliases(rows: Iterable[Row]) -> Iterable[Alias]:
    for (domain, local), group in groupby(rows, key=lambda row: row[:2]):
        targets = tuple(Address(there, where) for *_, where, there in group if there is not None)
        yield Alias(Address(local, domain), targets)
