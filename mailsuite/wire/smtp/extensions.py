"""The extensions that EHLO offers (RFC 5321 section 2.2), and what each of them lets a client say."""

from __future__ import annotations

from collections.abc import Mapping

from mailsuite.wire.smtp.release import spell
from mailsuite.wire.smtp.settings import SessionSettings

MAIL_PARAMETERS: Mapping[str, str] = {
    "SIZE": "SIZE",
    "BODY": "8BITMIME",
    "AUTH": "AUTH",
    "SMTPUTF8": "SMTPUTF8",
    "RET": "DSN",
    "ENVID": "DSN",
    "REQUIRETLS": "REQUIRETLS",
    "HOLDFOR": "FUTURERELEASE",
    "HOLDUNTIL": "FUTURERELEASE",
}
"""Parameter of MAIL -> the extension that it belongs to: without the one nobody may say the other."""
RECIPIENT_PARAMETERS: Mapping[str, str] = {"NOTIFY": "DSN", "ORCPT": "DSN"}
"""The same for RCPT."""


def extensions(
    settings: SessionSettings, tls_active: bool, mechanisms: tuple[str, ...], max_message: int
) -> Mapping[str, str]:
    """Keyword -> what stands behind it, in the order of the answer to EHLO.

    STARTTLS and AUTH are never the last: simple clients look for ``250-STARTTLS``.
    """
    wanted = {
        "PIPELINING": True,
        "SIZE": True,
        "8BITMIME": True,
        "SMTPUTF8": settings.smtputf8,
        "CHUNKING": settings.chunking,
        "BINARYMIME": settings.chunking and settings.binary,
        "DSN": settings.dsn,
        "REQUIRETLS": settings.require_tls and tls_active,
        "LIMITS": settings.limits,
        "FUTURERELEASE": settings.hold_max > 0 and (tls_active or not settings.tls_required),
        "STARTTLS": settings.tls_available and not tls_active,
        "AUTH": bool(mechanisms),
        "ENHANCEDSTATUSCODES": True,
    }
    values = {"SIZE": str(max_message), "LIMITS": _limits(settings), "AUTH": " ".join(mechanisms)}
    if wanted["FUTURERELEASE"]:
        values["FUTURERELEASE"] = _release(settings)
    return {keyword: values.get(keyword, "") for keyword, is_wanted in wanted.items() if is_wanted}


def _release(settings: SessionSettings) -> str:
    """The longest interval, and the latest time (RFC 4865 section 3). Told before a login, too: a client does
    not ask again behind AUTH."""
    return f"{settings.hold_max} {spell(settings.seconds() + settings.hold_max)}"


def _limits(settings: SessionSettings) -> str:
    """RFC 9422 section 4."""
    limits = f"RCPTMAX={settings.max_recipients}"
    return f"{limits} MAILMAX={settings.mail_max}" if settings.mail_max else limits
