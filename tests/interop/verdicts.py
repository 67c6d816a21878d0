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

BARE_LF = "RFC 5321 section 4.1.1.4: lines that end with LF alone MUST NOT be accepted"
NO_PARAMETERS = "RFC 5321 section 4.1.1: DATA, RSET and QUIT with a parameter SHOULD be rejected"
ASCII = "RFC 5321 section 2.4: a command beyond ASCII SHOULD be rejected"

WHICH_5XX = "none: it refuses that, too; which of the codes says so is a choice"
UNKNOWN = "none: RFC 5248 section 2.4 has 5.5.1 and 5.5.2 for what RFC 5321 answers 500"
NO_RECIPIENTS = "none: RFC 5321 section 3.3 lets DATA without recipients be answered 503 or 554"
STARTTLS_EARLY = "none: RFC 3207 does not say that EHLO comes before STARTTLS"
STARTTLS_LATE = "none: RFC 3207 does not say that STARTTLS cannot come within a transaction"
DROPPED = "none: it answers STARTTLS, and what came in clear behind it is dropped, not obeyed"
NO_REQUIRETLS = "none: REQUIRETLS is optional (RFC 8689), and not announced"
TOLERANT = "none: RFC 5321 says how clients write this, not that servers refuse what is written otherwise"
TWICE = "none: RFC 5321 does not say that a parameter comes once"
BUDGET = "none: how many errors and idle commands are borne is a choice (RFC 5321 section 7.8)"

POSTFIX: Mapping[str, str] = {
    "smtp-after-ehlo": WHICH_5XX,
    "smtp-after-mail": NO_RECIPIENTS,
    "smtp-after-rcpt": STARTTLS_LATE,
    "smtp-after-starttls": WHICH_5XX,
    "smtp-auth-not-offered": WHICH_5XX,
    "smtp-bdat": "none: BINARYMIME is optional (RFC 3030 section 3), and not announced",
    "smtp-bdat-is-not-obeyed": "none: it drops the octets, too; RFC 3030 leaves the code open",
    "smtp-before-ehlo": STARTTLS_EARLY,
    "smtp-command-8bit": ASCII,
    "smtp-command-bare-cr": (
        "none: RFC 5321 section 2.3.8 forbids clients to send it; it takes it for one command, and no more"
    ),
    "smtp-command-bare-lf": "RFC 5321 section 2.3.8: CRLF alone is to be recognized as the end of a line",
    "smtp-command-lengths": TWICE,
    "smtp-command-nul": TOLERANT,
    "smtp-data-arguments": NO_PARAMETERS,
    "smtp-data-bare-cr": "none: RFC 5321 section 2.3.8 forbids clients to send it; servers may bear it",
    "smtp-data-bare-lf": BARE_LF,
    "smtp-data-false-ends": (
        "RFC 5321 section 4.1.1.4: LF . LF MUST NOT be treated as the end of the data (CVE-2023-51764; its "
        "setting `smtpd_forbid_bare_newline` is off here, as it comes)"
    ),
    "smtp-data-without-recipients": NO_RECIPIENTS,
    "smtp-dsn-parameters": "none: RFC 3461 section 4.4 lets an ENVID have 100 characters; more may be borne",
    "smtp-ehlo-arguments": TOLERANT,
    "smtp-ehlo-extensions": "none: LIMITS is optional (RFC 9422), and the order of extensions free",
    "smtp-ehlo-extensions-under-tls": NO_REQUIRETLS,
    "smtp-errors-forgiven": UNKNOWN,
    "smtp-helo": STARTTLS_EARLY,
    "smtp-help": "RFC 5321 section 4.1.1.8: HELP SHOULD be supported",
    "smtp-http": "none: it closes, too; 421 or 221 is a choice",
    "smtp-mail-lengths": "none: RFC 5321 section 4.5.3.1 would rather have no limits",
    "smtp-mail-parameters": TWICE,
    "smtp-mail-syntax": WHICH_5XX,
    "smtp-pipelining-errors": UNKNOWN,
    "smtp-pipelining-message-behind-refused-data": "none: it closes, too; with which words is a choice",
    "smtp-rcpt-address-literal": "none: it refuses the address, too, because of its domain",
    "smtp-rcpt-parameters": WHICH_5XX,
    "smtp-rcpt-postmaster": "none: abuse is for the site to have (RFC 2142); RFC 5321 has postmaster alone",
    "smtp-rcpt-quoted-local-part": WHICH_5XX,
    "smtp-rcpt-source-route": TOLERANT,
    "smtp-rcpt-syntax": WHICH_5XX,
    "smtp-relay-refused": WHICH_5XX,
    "smtp-requiretls": NO_REQUIRETLS,
    "smtp-smtputf8": WHICH_5XX,
    "smtp-starttls-injection": DROPPED,
    "smtp-starttls-injection-of-a-piece": DROPPED,
    "smtp-starttls-twice": WHICH_5XX,
    "smtp-tls-in-clear": "none: it waits for the end of a line, and then refuses it",
    "smtp-too-many-empty-commands": BUDGET,
    "smtp-too-many-errors": UNKNOWN,
    "smtp-too-many-recipients": "none: RFC 5321 section 4.5.3.1.8 asks for 100; it takes more",
    "smtp-unknown-commands": UNKNOWN,
    "smtp-vrfy-expn": "none: whether VRFY tells who exists is a choice (RFC 5321 section 7.3)",
}

OF: Mapping[str, Mapping[str, str]] = {"Dovecot": DOVECOT, "Courier": COURIER, "Postfix": POSTFIX}
"""By server, then by the name of the dialogue. What begins with ``none`` breaks no rule."""
