"""The parameters of MAIL and RCPT (RFC 5321 section 4.1.1.11), from text to values.

All functions raise PermanentFailure with the reply to give: 555 for what was not offered, 501 for what is
malformed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from mailsuite.model.envelope import BodyType, MailParameters, RecipientParameters
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import BAD_PARAMETER, UNKNOWN_PARAMETER
from mailsuite.wire.smtp.extensions import MAIL_PARAMETERS, RECIPIENT_PARAMETERS
from mailsuite.wire.smtp.notification import (
    XTEXT,
    envelope_id,
    notify,
    original_recipient,
    returned,
    upper,
)
from mailsuite.wire.smtp.release import instant, interval

_PARAMETER = re.compile(r"(?P<keyword>[A-Za-z0-9][A-Za-z0-9-]*)(?:=(?P<value>[!-<>-~\u0080-\U0010ffff]+))?")
"""With values beyond ASCII, as RFC 6531 section 3.3 has them."""
_SIZE = re.compile(r"[0-9]{1,20}")


def parse_mail_parameters(text: str, offered: Collection[str]) -> MailParameters:
    """Read what stands behind the reverse-path; *offered*: the keywords of EHLO's answer."""
    found = _split(text, MAIL_PARAMETERS, offered)
    if "AUTH" in found and not XTEXT.fullmatch(found["AUTH"]):
        raise PermanentFailure(BAD_PARAMETER)  # else ignored: we trust nobody to vouch (RFC 4954 section 5)
    if "HOLDFOR" in found and "HOLDUNTIL" in found:
        raise PermanentFailure(BAD_PARAMETER)  # RFC 4865 section 4.2
    return MailParameters(
        body=_body(found["BODY"], offered) if "BODY" in found else BodyType.SEVEN_BIT,
        size=_size(found["SIZE"]) if "SIZE" in found else None,
        smtputf8=_said(found, "SMTPUTF8"),
        require_tls=_said(found, "REQUIRETLS"),
        returned=returned(found["RET"]) if "RET" in found else None,
        envelope_id=envelope_id(found["ENVID"]) if "ENVID" in found else "",
        hold_for=interval(found["HOLDFOR"]) if "HOLDFOR" in found else 0,
        hold_until=_instant(found["HOLDUNTIL"]) if "HOLDUNTIL" in found else "",
    )


def parse_recipient_parameters(text: str, offered: Collection[str], utf8: bool) -> RecipientParameters:
    """Read what stands behind the forward-path; *utf8*: MAIL has said SMTPUTF8."""
    found = _split(text, RECIPIENT_PARAMETERS, offered)
    return RecipientParameters(
        notify=notify(found["NOTIFY"]) if "NOTIFY" in found else None,
        original=original_recipient(found["ORCPT"], utf8) if "ORCPT" in found else "",
    )


def _split(text: str, extensions: Mapping[str, str], offered: Collection[str]) -> dict[str, str]:
    """Read ``KEYWORD=value`` and ``KEYWORD``, whose value is then empty."""
    parameters: dict[str, str] = {}
    for word in filter(None, text.split(" ")):
        found = _PARAMETER.fullmatch(word)
        keyword = found["keyword"].upper() if found else ""
        if not found or keyword in parameters:
            raise PermanentFailure(BAD_PARAMETER)
        if extensions.get(keyword) not in offered:
            raise PermanentFailure(UNKNOWN_PARAMETER)
        parameters[keyword] = found["value"] or ""
    return parameters


def _said(found: Mapping[str, str], keyword: str) -> bool:
    """Whether a keyword stands there that has no value."""
    if found.get(keyword):
        raise PermanentFailure(BAD_PARAMETER)
    return keyword in found


def _body(value: str, offered: Collection[str]) -> BodyType:
    bodies = {each.value: each for each in BodyType}
    body = bodies.get(upper(value))
    if body is None or (body is BodyType.BINARY and "BINARYMIME" not in offered):
        raise PermanentFailure(BAD_PARAMETER)
    return body


def _instant(value: str) -> str:
    instant(value)
    return value


def _size(value: str) -> int:
    if not _SIZE.fullmatch(value):
        raise PermanentFailure(BAD_PARAMETER)
    return int(value)
