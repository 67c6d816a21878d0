"""At which level somebody was warned of the quota of a whole domain, in accounts.db."""

from __future__ import annotations

import sqlite3
from typing import Final

import attrs
from zope.interface import implementer

from mailsuite.interfaces.directory import ITotalsWarned
from mailsuite.sqlite.database import Database, transaction

_FIND: Final = "SELECT level FROM domain_warned WHERE domain = ?"
_PUT: Final = (
    "INSERT INTO domain_warned (domain, level) VALUES (?, ?)"
    " ON CONFLICT (domain) DO UPDATE SET level = excluded.level"
)
_DELETE: Final = "DELETE FROM domain_warned WHERE domain = ?"


@implementer(ITotalsWarned)
@attrs.define(eq=False)
class SqliteTotalsWarned:
    """In a Database with the SCHEMA of schema.py. A domain refers to no row: it may be the file's. What was
    asked for once is kept, for it is asked for with each message."""

    _database: Database
    _known: dict[str, int] = attrs.field(factory=dict, init=False)

    async def warned(self, domain: str) -> int:
        if domain not in self._known:
            self._known[domain] = await self._find(domain)
        return self._known[domain]

    async def _find(self, domain: str) -> int:
        def read(connection: sqlite3.Connection) -> int:
            found = connection.execute(_FIND, (domain,)).fetchone()
            return 0 if found is None else int(found[0])

        return await self._database.run(read)

    async def note_warned(self, domain: str, level: int) -> None:
        def write(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                if level:
                    connection.execute(_PUT, (domain, level))
                else:
                    connection.execute(_DELETE, (domain,))

        await self._database.run(write)
        self._known[domain] = level
