"""From the settings of an SMTP, submission or LMTP listener to what its sessions are told."""

from __future__ import annotations

import secrets
import time

from mailsuite.accounts.offers import mechanisms_of
from mailsuite.config.schema import Lmtp, Smtp, Submission
from mailsuite.frontends.door import Door
from mailsuite.wire.smtp.settings import SessionSettings

MailTaking = Smtp | Submission | Lmtp


def session_settings(
    settings: MailTaking, door: Door, hostname: str, banner: str, tls: str, *, sends: bool = False
) -> SessionSettings:
    """What a session goes by; *tls* is the listener's setting, *sends* whether there is an outbound queue, in
    which a message can wait.

    Submission asks for a login, always, and for TLS unless its door has none, where only mechanisms that hide
    the password are offered; the others offer no login at all.
    """
    submits = isinstance(settings, Submission)
    hidden = settings.not_offered
    return SessionSettings(
        hostname=hostname,
        protocol="lmtp" if isinstance(settings, Lmtp) else "smtp",
        banner=banner,
        max_message=settings.max_message,
        max_recipients=settings.max_recipients,
        max_text_line=settings.max_text_line,
        normalise_newlines=not settings.reject_bare_newline,
        mail_max=settings.max_messages,
        smtputf8="smtputf8" not in hidden,
        chunking="chunking" not in hidden,
        binary="binarymime" not in hidden,
        dsn="dsn" not in hidden,
        require_tls="requiretls" not in hidden,
        limits="limits" not in hidden,
        hold_max=int(settings.future_release) if isinstance(settings, Submission) and sends else 0,
        bare_paths=settings.bare_addresses,
        overlong="error" if settings.on_overlong_command == "error" else "close",
        soft_errors=settings.soft_errors,
        error_delay=settings.error_delay,
        hard_errors=settings.hard_errors,
        tls_available=door.tls is not None and not door.implicit_tls,
        tls_required=(submits and door.tls is not None) or tls == "required-starttls",
        auth_mechanisms=mechanisms_of(settings),
        auth_required=submits,
        octets=secrets.token_bytes,
        seconds=time.time,
    )
