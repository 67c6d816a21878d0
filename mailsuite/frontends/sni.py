"""Which certificate a client means by the server name it asks for (SNI, RFC 6066 section 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from cryptography.x509 import Certificate, DNSName, ExtensionNotFound, SubjectAlternativeName
from cryptography.x509.oid import NameOID

from mailsuite.model.address import AddressSyntaxError, normalise_domain

T = TypeVar("T")


def names_of(certificate: Certificate) -> tuple[str, ...]:
    """The host names that a certificate is for, in lower case; ``*.`` stands for one label.

    The common name counts only where no other host name stands in it (RFC 9525 forbids it to clients, which
    is theirs to say). One that the certificate spells wrong is passed over.
    """
    names = (_name(each) for each in _alternatives(certificate) or _common_names(certificate))
    return tuple(dict.fromkeys(name for name in names if name))


def _alternatives(certificate: Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
        return found.get_values_for_type(DNSName)
    except (ExtensionNotFound, ValueError):  # ValueError: extensions that cannot be read
        return []


def _common_names(certificate: Certificate) -> list[str]:
    return [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


def _name(text: str) -> str:
    """As a client asks for it, in A-labels; empty where no client could."""
    star = "*." if text.startswith("*.") else ""
    try:
        return star + normalise_domain(text.removeprefix("*.").removesuffix("."))
    except AddressSyntaxError:
        return ""


class NameTable(Generic[T]):
    """Finds by name what was given first for it; a whole name comes before a wildcard."""

    def __init__(self, entries: Iterable[tuple[Iterable[str], T]]) -> None:
        table: dict[str, T] = {}
        for names, value in entries:
            for name in names:
                table.setdefault(name, value)
        self._table: Mapping[str, T] = table

    def find(self, server_name: bytes | None) -> T | None:
        """What is for the name that a client sent, whatever its case; None where nothing is."""
        if not server_name:
            return None
        try:
            name = server_name.decode("ascii").lower().removesuffix(".")
        except UnicodeDecodeError:
            return None
        found = self._table.get(name)
        return found if found is not None else self._table.get("*." + name.partition(".")[2])


def covers(names: Iterable[str], name: str) -> bool:
    """Whether a certificate for *names* is good for *name*, which may itself be a wildcard."""
    return name in names or (not name.startswith("*.") and "*." + name.partition(".")[2] in names)
