"""Where a server goes another way than our dialogue: which rule it breaks, or that we ask for more."""

from __future__ import annotations

from collections.abc import Mapping

ARGUMENT = "RFC 1939 section 3: a command with an argument too many is invalid, and answered `-ERR`"
PRINTABLE = "RFC 1939 section 3: arguments are printable ASCII"
DOTS = "RFC 1939 section 3: each line that begins with a dot gets one more"
USER_FIRST = "RFC 1939 section 7: PASS counts immediately after USER and nowhere else"
INPUT_LOST = "RFC 2449 section 6.6: it announces PIPELINING, and loses what came with the password"
UTF8_TOO_LATE = "RFC 6856 section 2: UTF8 is valid before the login alone"
INJECTION = (
    "RFC 2595 section 4: TLS begins right behind the answer to STLS; what came in clear before it is obeyed "
    "inside (CVE-2021-38084)"
)

LIMITS = "none: how many bad commands are borne is a choice"
LENGTHS = "none: RFC 2449 section 4 asks for 255 octets, and leaves open what happens beyond"
SPACES = "none: RFC 1939 section 3 has single spaces; we bear more"
NUMBERS = "none: RFC 1939 does not say how a number is written; we take digits alone"
CODES = "none: response codes are optional (RFC 2449 section 6.4, RFC 3206), and not announced"
CLEAR = "none: passwords in clear are a setting, which RFC 8314 section 4 advises against"
TERMS = "none: EXPIRE is optional (RFC 2449 section 6.7)"
NO_UTF8 = "none: UTF8 is optional (RFC 6856), and not announced"
AUTH_LIST = (
    "none: AUTH without an argument is an old habit (not in RFC 5034), and so is which mechanisms there are"
)
RESPONSES = "none: RFC 5034 section 4 leaves the length to the mechanisms"

DOVECOT: Mapping[str, str] = {
    "pop3-auth-response-too-long": RESPONSES,
    "pop3-auth-usual-list": AUTH_LIST,
    "pop3-authorization-in-clear": LIMITS,
    "pop3-authorization-under-tls": LIMITS,
    "pop3-capa-after-login": "RFC 2449 sections 5, 6.2: USER is announced in both states",
    "pop3-capa-arguments": ARGUMENT,
    "pop3-capa-terms": TERMS,
    "pop3-carriage-return-inside": PRINTABLE,
    "pop3-control-characters": PRINTABLE,
    "pop3-line-of-256-octets": LENGTHS,
    "pop3-line-of-513-octets": LENGTHS,
    "pop3-noop": ARGUMENT,
    "pop3-pass-without-user": USER_FIRST,
    "pop3-quit-arguments": ARGUMENT,
    "pop3-retr-dots": DOTS,
    "pop3-rset": ARGUMENT,
    "pop3-several-spaces": SPACES,
    "pop3-stat": ARGUMENT,
    "pop3-stls-arguments": ARGUMENT,
    "pop3-stls-injection": "none: it answers STLS, obeys nothing of what came in clear, and closes",
    "pop3-stls-injection-of-a-name": "none: it answers STLS, obeys nothing of what came in clear, and closes",
    "pop3-three-wrong-logins": "none: how often one may guess is a choice",
    "pop3-too-many-unknown-after-login": LIMITS,
    "pop3-top-dots": DOTS,
    "pop3-unknown-before-login": LIMITS,
    "pop3-user-arguments": "RFC 1939 section 7: USER needs a name",
    "pop3-utf8": NO_UTF8,
    "pop3-utf8-after-stls": NO_UTF8,
    "pop3-utf8-broken": PRINTABLE,
    "pop3-utf8-names": NO_UTF8,
}

COURIER: Mapping[str, str] = {
    "pop3-auth-in-clear": CLEAR,
    "pop3-auth-response-too-long": RESPONSES,
    "pop3-auth-usual-list": AUTH_LIST,
    "pop3-authorization-in-clear": CLEAR,
    "pop3-authorization-under-tls": "none: RFC 2595 section 4 lets STLS be refused under TLS",
    "pop3-bad-numbers-dele": NUMBERS,
    "pop3-bad-numbers-list": NUMBERS,
    "pop3-bad-numbers-retr": NUMBERS,
    "pop3-bad-numbers-top": NUMBERS,
    "pop3-bad-numbers-uidl": NUMBERS,
    "pop3-capa-after-login": CODES,
    "pop3-capa-after-stls": CLEAR,
    "pop3-capa-arguments": ARGUMENT,
    "pop3-capa-in-clear": CODES,
    "pop3-capa-terms": TERMS,
    "pop3-capa-under-tls": CODES,
    "pop3-carriage-return-inside": PRINTABLE,
    "pop3-control-characters": "RFC 1939 section 3: what is no command is answered `-ERR`",
    "pop3-line-of-256-octets": LENGTHS,
    "pop3-line-of-513-octets": LENGTHS,
    "pop3-line-without-end": "none: 2,000 octets without a line end are borne, and more is waited for",
    "pop3-list": ARGUMENT,
    "pop3-login-pieces": INPUT_LOST,
    "pop3-names-in-any-case": "none: whether the case of a name counts is a choice",
    "pop3-noop": ARGUMENT,
    "pop3-pass-needs-user-again": CODES,
    "pop3-pass-with-spaces": CODES,
    "pop3-pass-without-user": USER_FIRST,
    "pop3-pipelining-session": INPUT_LOST,
    "pop3-pipelining-wrong-password": CODES,
    "pop3-quit-arguments": ARGUMENT,
    "pop3-retr-dots": DOTS,
    "pop3-rset": ARGUMENT,
    "pop3-several-spaces": SPACES,
    "pop3-space-in-front": "RFC 1939 section 3: a command begins with its keyword",
    "pop3-stat": ARGUMENT,
    "pop3-stls-arguments": ARGUMENT,
    "pop3-stls-forgets-user": CLEAR,
    "pop3-stls-injection": INJECTION,
    "pop3-stls-injection-of-a-name": INJECTION,
    "pop3-three-wrong-logins": CODES,
    "pop3-too-many-unknown-after-login": LIMITS,
    "pop3-too-many-unknown-before-login": LIMITS,
    "pop3-top-arguments": "RFC 1939 section 7: TOP takes no negative number of lines",
    "pop3-top-dots": DOTS,
    "pop3-transaction-after-stls": UTF8_TOO_LATE,
    "pop3-transaction-under-tls": UTF8_TOO_LATE,
    "pop3-uidl": ARGUMENT,
    "pop3-user-arguments": ARGUMENT,
    "pop3-utf8": "RFC 6856 section 2.1: UTF8 has no parameters",
    "pop3-utf8-after-stls": "none: RFC 6856 section 2.1 lets servers refuse STLS behind UTF8",
    "pop3-utf8-broken": "none: RFC 6856 section 2.2 has such a name refused, at USER as we do or at PASS",
    "pop3-utf8-names": CODES,
    "pop3-wrong-password": CODES,
    "pop3-wrong-password-of-another": CODES,
}

OF: Mapping[str, Mapping[str, str]] = {"Dovecot": DOVECOT, "Courier": COURIER, "Postfix": {}}
"""By server, then by the name of the dialogue. What begins with ``none`` breaks no rule."""
