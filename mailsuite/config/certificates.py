"""Settings of further certificates. Read through config/schema.py."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

from pathlib import Path

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds import ListOf
from mailsuite.config.names import CertificateName, FilePath


@attrs.frozen(kw_only=True)
class CertificateBlock:
    """``[[certificate]]``: shown to clients that ask for one of its names (RFC 6066 section 3)."""

    certificate: Path = setting(
        FilePath(example="/etc/ssl/mail.example.org.pem"),
        example="/etc/ssl/mail.example.org.pem",
        meaning="A certificate with its chain in PEM form; read again when it changes.",
        applied="live",
    )
    key: Path = setting(
        FilePath(example="/etc/ssl/private/mail.example.org.key"),
        example="/etc/ssl/private/mail.example.org.key",
        meaning="Its private key in PEM form without a passphrase.",
        applied="live",
    )
    names: tuple[str, ...] = setting(
        ListOf(CertificateName(), example='["mail.example.org"]'),
        [],
        example=["mail.example.org"],
        meaning="The host names it is shown for; an empty list is those that stand in it.",
        applied="live",
    )
