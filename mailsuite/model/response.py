"""Every response that the POP3 server can give, in one table (RFC 1939 section 3, RFC 2449 section 8).

Code elsewhere names a response; nobody types one. Texts are ours alone: printable ASCII, never exception
text, never what a stranger sent.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from mailsuite.model.failure import (
    AccountCrowded,
    LoginTooSoon,
    MaildropInUse,
    MailFailure,
    MessageGone,
    NeedsUtf8,
    TemporaryFailure,
)

MAX_RESPONSE_OCTETS = 512
"""The first line of a response, CRLF included (RFC 2449 section 4)."""

IN_USE = "IN-USE"
"""Right password, but another session holds the maildrop (RFC 2449 section 8.1.2)."""
LOGIN_DELAY = "LOGIN-DELAY"
"""Too soon after the last login (RFC 2449 section 8.1.1)."""
SYS_TEMP = "SYS/TEMP"
"""Our fault, and trying again may help (RFC 3206 section 4)."""
SYS_PERM = "SYS/PERM"
"""Our side, and trying again will not help (RFC 3206 section 4)."""
AUTH = "AUTH"
"""The credentials are the problem, nothing else (RFC 3206 section 5)."""
UTF8 = "UTF8"
"""The message is for clients that have said UTF8 (RFC 6856 section 5)."""


@attrs.frozen
class Response:
    """The first line of a POP3 response: success or failure, extended response code, text."""

    ok: bool
    code: str
    """An extended response code without its brackets, or empty."""
    text: str

    def encode(self) -> bytes:
        """The response as one line with its CRLF."""
        status = "+OK" if self.ok else "-ERR"
        code = f" [{self.code}]" if self.code else ""
        text = f" {self.text}" if self.text else ""
        return f"{status}{code}{text}\r\n".encode("ascii")

    def with_text(self, text: str) -> Response:
        """The same status and code with another text."""
        return attrs.evolve(self, text=text)


def _ok(text: str) -> Response:
    return Response(True, "", text)


def _err(text: str, code: str = "") -> Response:
    return Response(False, code, text)


# AUTHORIZATION
GREETING = _ok("POP3 ready")
NAME_ACCEPTED = _ok("Send your password")
NAME_FIRST = _err("Send USER first")
TLS_FIRST = _err("Nobody logs in here before TLS; begin with STLS", SYS_PERM)
CLEAR_TEXT_REFUSED = _err("No password is taken on a clear connection; use TLS", SYS_PERM)
WRONG_CREDENTIALS = _err("Name or password is wrong", AUTH)
MAILDROP_IN_USE = _err("Another session has this maildrop open", IN_USE)
ACCOUNT_CROWDED = _err("This account has as many sessions as it may have", IN_USE)
LOGGED_IN_TOO_SOON = _err("The last login was a moment ago; please wait", LOGIN_DELAY)
HIDDEN_PASSWORDS_ONLY = _err("No password is taken in the open here; use APOP or SCRAM", AUTH)
APOP_NOT_OFFERED = _err("APOP is not offered here")
SASL_NOT_OFFERED = _err("AUTH is not offered here")
MECHANISM_UNKNOWN = _err("This mechanism is not offered here")
MECHANISMS_FOLLOW = _ok("Mechanisms follow")
EXCHANGE_CANCELLED = _err("Authentication is cancelled")
EXCHANGE_MALFORMED = _err("That is not what this mechanism defines")
TLS_BEGINS = _ok("Begin TLS now")
TLS_ALREADY = _err("TLS is active already")
TLS_NOT_OFFERED = _err("TLS is not offered here")
TLS_AFTER_UTF8 = _err("STLS comes before UTF8")
UTF8_ON = _ok("UTF-8 from here on")
UTF8_ALREADY = _err("UTF-8 is on already")
UTF8_NOT_OFFERED = _err("UTF8 is not offered here")

# TRANSACTION
DONE = _ok("Done")
MARKS_GONE = _err("Some messages marked as deleted were not removed", SYS_TEMP)
NO_SUCH_MESSAGE = _err("There is no such message")
MESSAGE_DELETED = _err("This message is marked as deleted")
NO_NUMBER = _err("That is no message number")
NO_LINE_COUNT = _err("That is no number of lines")
TOP_FOLLOWS = _ok("Top of message follows")
MESSAGE_TAKEN = _err("Another program has taken this message", SYS_TEMP)
UTF8_NEEDED = _err("This message is for programs that have said UTF8", UTF8)

# Either state, or before the first
TOO_MANY_CONNECTIONS = _err("Too many connections just now; please try again later", SYS_TEMP)
CAPABILITIES_FOLLOW = _ok("Capabilities follow")
GOODBYE = _ok("Goodbye")
UNKNOWN_COMMAND = _err("Unknown command")
BAD_CHARACTER = _err("Commands are printable ASCII")
BAD_TEXT = _err("Names and passwords are UTF-8 without control characters")
BAD_LINE_END = _err("Lines end with CR LF here")
BAD_ARGUMENTS = _err("The arguments do not fit this command")
LINE_TOO_LONG = _err("The command is too long")
NOT_BEFORE_LOGIN = _err("Log in first")
NOT_AFTER_LOGIN = _err("You are logged in already")
TOO_MANY_BAD_COMMANDS = _err("Too many bad commands; goodbye")
SHUTTING_DOWN = _err("The service is stopping; please come back in a minute", SYS_TEMP)
TEMPORARY_TROUBLE = _err("Something is wrong here just now; please try again later", SYS_TEMP)
PERMANENT_TROUBLE = _err("This cannot be done; please tell the postmaster", SYS_PERM)


def maildrop_state(messages: int, octets: int) -> Response:
    """How much is in the maildrop, in words (RFC 1939 on LIST, RSET and PASS)."""
    return _ok(f"{messages} messages ({octets} octets)")


def drop_listing(messages: int, octets: int) -> Response:
    """The answer to STAT (RFC 1939 section 5)."""
    return _ok(f"{messages} {octets}")


def single_listing(number: int, value: int | str) -> Response:
    """The answer to LIST or UIDL with a number."""
    return _ok(f"{number} {value}")


def message_follows(octets: int) -> Response:
    """The first line of the answer to RETR."""
    return _ok(f"{octets} octets")


def highest_accessed(number: int) -> Response:
    """The answer to LAST (RFC 1460 section 5)."""
    return _ok(str(number))


def message_marked(number: int) -> Response:
    """The answer to DELE."""
    return _ok(f"Message {number} is marked as deleted")


def not_removed(messages: int) -> Response:
    """The answer to a QUIT that left *messages* of the marked ones in place (RFC 1939 section 6)."""
    return MARKS_GONE.with_text(f"{messages} messages marked as deleted were not removed")


def for_failure(failure: MailFailure) -> Response:
    """What a POP3 client is told where a seam said no; the text of the failure stays with us."""
    fitting = (answer for kind, answer in _BY_FAILURE.items() if isinstance(failure, kind))
    return next(fitting, PERMANENT_TROUBLE)


_BY_FAILURE: Mapping[type[MailFailure], Response] = {
    AccountCrowded: ACCOUNT_CROWDED,
    MaildropInUse: MAILDROP_IN_USE,
    LoginTooSoon: LOGGED_IN_TOO_SOON,
    MessageGone: MESSAGE_TAKEN,
    NeedsUtf8: UTF8_NEEDED,
    TemporaryFailure: TEMPORARY_TROUBLE,
}
"""The first that fits is given: the special before the general."""
