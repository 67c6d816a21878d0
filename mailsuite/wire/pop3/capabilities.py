"""What CAPA answers: what is honoured on this connection as it is now (RFC 2449 sections 5 and 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from mailsuite.model.retention import Terms
from mailsuite.wire.pop3.settings import SessionSettings


@attrs.frozen
class Standing:
    """How far a client has come."""

    tls_active: bool = False
    bindings: Mapping[str, bytes] = {}
    utf8: bool = False
    """It has said UTF8."""
    terms: Terms | None = None
    """What holds for its account; None before the login."""


def capabilities(settings: SessionSettings, standing: Standing) -> tuple[str, ...]:
    """The lines, in an order that stays.

    USER and SASL stay after login, as RFC 2449 section 5 wants for all that AUTHORIZATION announces; STLS
    belongs to AUTHORIZATION alone (RFC 2595 section 4), and is over with UTF8 (RFC 6856 section 2.1).
    """
    return tuple(_capabilities(settings, standing))


def _capabilities(settings: SessionSettings, standing: Standing) -> Iterator[str]:
    yield from ("TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING")
    yield from _terms(settings, standing.terms)
    if settings.password_refusal(standing.tls_active) is None:
        yield "USER"
    if mechanisms := settings.mechanisms(standing.tls_active, standing.bindings):
        yield " ".join(("SASL", *mechanisms))
    if settings.utf8:
        yield "UTF8 USER"
    if standing.terms is not None:
        if settings.implementation:
            yield f"IMPLEMENTATION {settings.implementation}"
    elif settings.tls_available and not standing.tls_active and not standing.utf8:
        yield "STLS"


def _terms(settings: SessionSettings, account: Terms | None) -> Iterator[str]:
    """EXPIRE and LOGIN-DELAY (RFC 2449 sections 6.7 and 6.5).

    USER says that the account's own value is another. Where the worst for all is no limit, nobody has one.
    """
    terms = settings.offer if account is None else account
    varies = " USER" if account is None and settings.terms_vary else ""
    if terms.tells_expire:
        yield "EXPIRE NEVER" if terms.expire is None else f"EXPIRE {terms.expire}{varies}"
    if terms.login_delay > 0:
        yield f"LOGIN-DELAY {terms.login_delay}{varies}"
