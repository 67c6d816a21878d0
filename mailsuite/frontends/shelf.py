"""All certificates of a configuration, and which of them a connection gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import attrs
from OpenSSL import SSL

from mailsuite.frontends.sni import NameTable, names_of
from mailsuite.frontends.tls import (
    CertificateError,
    Credentials,
    Pair,
    ServerTLS,
    make_context,
    read_credentials,
)


@attrs.frozen
class Wanted:
    """What a configuration says of certificates."""

    general: Pair
    """Of listeners that name none."""
    own: frozenset[Pair] = frozenset()
    """That listeners name for themselves."""
    named: tuple[tuple[Pair, tuple[str, ...]], ...] = ()
    """Others, each with the names it is shown for (lower-case A-labels); none: those that stand in it."""
    minimum_version: str = "1.2"

    @property
    def pairs(self) -> tuple[Pair, ...]:
        return tuple(dict.fromkeys((self.general, *sorted(self.own), *(pair for pair, _ in self.named))))


@attrs.frozen
class Reading:
    """What a second look at the files has found; nothing goes by it before Certificates.adopt()."""

    credentials: Mapping[Pair, Credentials]
    """All that are to be used, old ones where the files are broken."""
    contexts: Mapping[Pair, SSL.Context]
    """Made of them; none where nothing has changed."""
    replaced: tuple[Pair, ...]
    failures: Mapping[Pair, str]
    """Why those that are broken are."""


def read_all(pairs: Iterable[Pair]) -> dict[Pair, Credentials]:
    """Read each pair. Blocks. Raises CertificateError where one is broken."""
    return {pair: read_credentials(pair) for pair in pairs}


class Certificates:
    """The certificates of one configuration, ready for use.

    A connection gets the one for the name that it asks for, of whichever listener: its listener's own first,
    then the named ones in their order, then the general one. Who asks for no name, or for one that nobody
    knows, gets the listener's own: an alert would only lock out old programs (RFC 6066 section 3 allows it).

    All contexts are exchanged together, so that no ticket of a former certificate resumes a session: the
    client would bind it (RFC 5929) to another one than we do.
    """

    def __init__(self, wanted: Wanted, credentials: Mapping[Pair, Credentials]) -> None:
        """*credentials*: of all wanted pairs at least. Raises CertificateError where one is too weak."""
        self.wanted = wanted
        self.credentials = {pair: credentials[pair] for pair in wanted.pairs}
        contexts = self._contexts(self.credentials)
        self._tls = {pair: ServerTLS(contexts[pair]) for pair in (wanted.general, *wanted.own)}

    def tls_for(self, pair: Pair | None) -> ServerTLS:
        """For a listener that names *pair*, or none. It stays the same when files change."""
        return self._tls[pair or self.wanted.general]

    def names(self, pair: Pair) -> tuple[str, ...]:
        """For which names *pair* is shown."""
        return self._names(pair, self.credentials)

    def read_again(self, renew: bool = False) -> Reading:
        """Look at the files. Blocks, and changes nothing.

        Contexts are made where something has changed, and where they are to be *renewed* all the same.
        """
        credentials, failures = dict(self.credentials), {}
        for pair in self.wanted.pairs:
            try:
                found = read_credentials(pair)
                if found != credentials[pair]:
                    make_context(found, self.wanted.minimum_version)
                    credentials[pair] = found
            except CertificateError as error:
                failures[pair] = str(error)
        replaced = tuple(pair for pair in credentials if credentials[pair] is not self.credentials[pair])
        contexts = self._contexts(credentials) if replaced or renew else {}
        return Reading(credentials, contexts, replaced, failures)

    def adopt(self, reading: Reading) -> None:
        """Go on by what was read: for connections that come from now on."""
        self.credentials = dict(reading.credentials)
        if reading.contexts:
            for pair, tls in self._tls.items():
                tls.context = reading.contexts[pair]

    def _contexts(self, credentials: Mapping[Pair, Credentials]) -> dict[Pair, SSL.Context]:
        version = self.wanted.minimum_version
        contexts = {pair: make_context(each, version) for pair, each in credentials.items()}
        for pair in {self.wanted.general, *self.wanted.own}:
            order = dict.fromkeys((pair, *(each for each, _ in self.wanted.named), self.wanted.general))
            table = NameTable((self._names(each, credentials), contexts[each]) for each in order)
            contexts[pair].set_tlsext_servername_callback(partial(_choose, table))
        return contexts

    def _names(self, pair: Pair, credentials: Mapping[Pair, Credentials]) -> tuple[str, ...]:
        given = tuple(name for each, names in self.wanted.named if each == pair for name in names)
        return given or names_of(credentials[pair].certificate)


def _choose(table: NameTable[SSL.Context], connection: SSL.Connection) -> None:
    """Called by OpenSSL with what the client has said, before a certificate is shown."""
    context = table.find(connection.get_servername())
    if context is not None and context is not connection.get_context():
        connection.set_context(context)
