"""Settings of sources: places elsewhere that know whether a password is right.

Each type has keys of its own; the declaration lists all, source_problems() says which of them a type
needs and which it does not read, and source_files() whether what they name is there.
"""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

import importlib.util
import re
import stat
import urllib.parse
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds import BadValue, Boolean, Kind, ListOf, OneOf, OrNone, Text, printable
from mailsuite.config.measures import Duration
from mailsuite.config.names import FilePath, HostName
from mailsuite.config.problems import Problem
from mailsuite.config.secret import read_secret, unreadable

if TYPE_CHECKING:
    from mailsuite.config.look import Look

SourceType = Literal["passwd-file", "pam", "http", "ldap", "plugin"]
NameForm = Literal["address", "local"]

MAX_URL_CHARACTERS = 500
MAX_TOKEN_OCTETS = 4096
"""Of a token or a password in a file of its own."""

_PLACEHOLDER = re.compile(r"\{[^{}]*\}?|\}")
_SCHEMES: Final = {"https": 443, "http": 80, "ldaps": 636, "ldap": 389}


@attrs.frozen
class Url(Kind[str]):
    """Where a server answers, without a name or a password in it."""

    @property
    def word(self) -> str:
        return "URL"

    @property
    def range(self) -> str:
        return ", ".join(f"{scheme}://" for scheme in _SCHEMES)

    @property
    def expects(self) -> str:
        return 'a URL, for example "https://auth.example.net/check" or "ldaps://ldap.example.net"'

    def parse(self, raw: object, base: Path) -> str:
        text = printable(raw, self)
        if not text:
            return text
        try:
            parts = urllib.parse.urlsplit(text)
            port = parts.port
        except ValueError:
            raise self.refuse(raw, "is no URL") from None
        if parts.username is not None or parts.password is not None:
            # Not quoted: what stands there may be a password.
            raise BadValue("the URL has a name or a password in it; a secret stands in a file of its own")
        if (
            parts.scheme not in _SCHEMES
            or not parts.hostname
            or " " in text
            or len(text) > MAX_URL_CHARACTERS
        ):
            raise self.refuse(raw, "is no URL that is spoken here")
        if not text.isascii():
            raise self.refuse(raw, "is not ASCII")
        if port == 0 or parts.fragment:
            raise self.refuse(raw, "has port 0 or a fragment")
        if parts.scheme.startswith("ldap") and (parts.path.strip("/") or parts.query):
            raise self.refuse(raw, "has a path, which stands in base and filter instead")
        return text


@attrs.frozen
class Pattern(Kind[str]):
    """A text with ``{address}``, ``{local}`` and ``{domain}`` in it."""

    like: str

    @property
    def word(self) -> str:
        return "pattern"

    @property
    def range(self) -> str:
        return "with {address} or {local}, perhaps {domain}"

    @property
    def expects(self) -> str:
        return f'a text with {{address}} or {{local}} in it, for example "{self.like}"'

    def parse(self, raw: object, base: Path) -> str:
        text = printable(raw, self)
        for found in _PLACEHOLDER.findall(text):
            if found not in {"{address}", "{local}", "{domain}"}:
                raise BadValue(f"unknown placeholder {found!r}; known are {{address}}, {{local}}, {{domain}}")
        if len(text) > MAX_URL_CHARACTERS:
            raise self.refuse(raw, "is too long")
        if text and "{address}" not in text and "{local}" not in text:
            raise self.refuse(raw, "would ask about the same name for everybody")
        return text


@attrs.frozen
class CheckerText(Kind[str]):
    """A strcred string. A wrong value is never quoted: some checkers take passwords in it."""

    @property
    def word(self) -> str:
        return "checker"

    @property
    def expects(self) -> str:
        return 'a name that "twistd --help-auth" lists, with its arguments, as "file:/etc/mail.passwd"'

    def parse(self, raw: object, base: Path) -> str:
        text = raw if isinstance(raw, str) and len(raw) <= MAX_URL_CHARACTERS and raw.isprintable() else None
        if text is None or not re.fullmatch(r"(?:[A-Za-z0-9_.\-]+(?::.*)?)?", text):
            raise BadValue(f"the value is no checker: expected {self.expects}")
        return text


@attrs.frozen(kw_only=True)
class SourceBlock:
    """``[[source]]``"""

    name: str = setting(
        Text(32, r"[A-Za-z0-9][A-Za-z0-9_\-]*", "company"),
        example="company",
        meaning="What the log calls it.",
        applied="live",
    )
    type: SourceType = setting(
        OneOf(("passwd-file", "pam", "http", "ldap", "plugin")),
        example="passwd-file",
        meaning="What is asked: a passwd-file as Dovecot's, PAM, a web server, LDAP, or a Twisted checker.",
        applied="live",
    )
    enabled: bool = setting(
        Boolean(),
        True,
        meaning="Whether it is asked at all.",
        applied="live",
    )
    domains: tuple[str, ...] = setting(
        ListOf(HostName("example.net"), 0, '["example.net"]'),
        [],
        meaning="The domains whose accounts it knows; [] is all of them.",
        applied="live",
    )
    username: NameForm = setting(
        OneOf(("address", "local")),
        "address",
        meaning="What it is asked for, but by ldap: the whole address, or the part before the @.",
        applied="live",
    )
    timeout: float = setting(
        Duration(minimum=0.1, maximum=60.0),
        "5s",
        meaning="A source that has not answered by then is down for this login, which may be tried again.",
        applied="live",
    )
    cache: float = setting(
        Duration(minimum=0.0, maximum=86400.0),
        "5m",
        meaning='How long a password that was right is not asked about again; "0s" asks each time.',
        applied="live",
    )
    cache_refused: float = setting(
        Duration(minimum=0.0, maximum=3600.0),
        "10s",
        meaning='How long a password that was wrong is not asked about again; "0s" asks each time.',
        applied="live",
    )
    file: Path | None = setting(
        OrNone(FilePath(example="/etc/mailsuite/passwd")),
        "",
        example="/etc/mailsuite/passwd",
        shown=False,
        meaning="passwd-file: lines of name:hash, read again when the file changes.",
        applied="live",
    )
    service: str = setting(
        Text(64, r"[A-Za-z0-9][A-Za-z0-9_\-]*", "mailsuite"),
        "mailsuite",
        shown=False,
        meaning="pam: the file in /etc/pam.d that says how.",
        applied="live",
    )
    url: str = setting(
        Url(),
        "",
        example="https://auth.example.net/check",
        shown=False,
        meaning="http, ldap: where it answers; http:// for this machine alone.",
        applied="live",
    )
    ca_file: Path | None = setting(
        OrNone(FilePath(example="/etc/mailsuite/ca.pem")),
        "",
        example="/etc/mailsuite/ca.pem",
        shown=False,
        meaning="http, ldap: who must have signed its certificate, in PEM form; else whom the system trusts.",
        applied="live",
    )
    token_file: Path | None = setting(
        OrNone(FilePath(example="/etc/mailsuite/secrets/hook")),
        "",
        example="/etc/mailsuite/secrets/hook",
        shown=False,
        meaning="http: a file with the bearer token by which we show who we are.",
        applied="live",
    )
    starttls: bool = setting(
        Boolean(),
        True,
        shown=False,
        meaning="ldap: whether ldap:// begins with StartTLS; it may be left out for this machine alone.",
        applied="live",
    )
    bind_dn: str = setting(
        Pattern("uid={local},ou=people,dc=example,dc=net"),
        "",
        example="uid={local},ou=people,dc=example,dc=net",
        shown=False,
        meaning="ldap: the entry that a password is for, where the address tells its name.",
        applied="live",
    )
    base: str = setting(
        Text(MAX_URL_CHARACTERS, like="ou=people,dc=example,dc=net"),
        "",
        example="ou=people,dc=example,dc=net",
        shown=False,
        meaning="ldap: where the entry is looked for, it and all below, instead of bind_dn.",
        applied="live",
    )
    filter: str = setting(
        Pattern("(mail={address})"),
        "",
        example="(mail={address})",
        shown=False,
        meaning="ldap: which entry below base it is, as an LDAP filter.",
        applied="live",
    )
    search_dn: str = setting(
        Text(MAX_URL_CHARACTERS, like="cn=mail,dc=example,dc=net"),
        "",
        example="cn=mail,dc=example,dc=net",
        shown=False,
        meaning='ldap: as whom entries are looked for; "" is anonymously.',
        applied="live",
    )
    search_password_file: Path | None = setting(
        OrNone(FilePath(example="/etc/mailsuite/secrets/ldap")),
        "",
        example="/etc/mailsuite/secrets/ldap",
        shown=False,
        meaning="ldap: a file with the password of search_dn.",
        applied="live",
    )
    checker: str = setting(
        CheckerText(),
        "",
        example="file:/etc/mail.passwd",
        shown=False,
        secret=True,
        meaning="plugin: a Twisted credentials checker, as twistd's --auth takes it.",
        applied="live",
    )


OWN_KEYS: Final[dict[SourceType, tuple[str, ...]]] = {
    "passwd-file": ("file",),
    "pam": ("service",),
    "http": ("url", "ca_file", "token_file"),
    "ldap": (
        *("url", "ca_file", "starttls", "bind_dn", "base", "filter", "search_dn"),
        "search_password_file",
    ),
    "plugin": ("checker",),
}
"""The keys that only some types read."""

NEEDED: Final[dict[SourceType, tuple[str, ...]]] = {
    "passwd-file": ("file",),
    "pam": (),
    "http": ("url",),
    "ldap": ("url",),
    "plugin": ("checker",),
}

SPOKEN: Final[dict[SourceType, tuple[str, ...]]] = {"http": ("https", "http"), "ldap": ("ldaps", "ldap")}


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine by its very name, without asking anybody."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def source_problems(look: Look, source: SourceBlock) -> Iterator[Problem]:
    """What is wrong between the settings of one source. Touches no file."""
    block = f"source.{source.name}"
    if not look.sound(f"{block}.type"):
        return
    for key in NEEDED[source.type]:
        if not getattr(source, key) and look.sound(f"{block}.{key}"):
            yield look.error(f'type = "{source.type}" needs {key}', f"{block}.{key}", f"{block}.type")
    for key in sorted({key for keys in OWN_KEYS.values() for key in keys} - {*OWN_KEYS[source.type]}):
        if look.is_given(f"{block}.{key}"):
            yield look.error(f'{key} says nothing for type = "{source.type}"', f"{block}.{key}")
    if source.type in SPOKEN and source.url:
        yield from _url(look, source, block)
    if source.type == "ldap":
        yield from _entry(look, source, block)
        if look.is_given(f"{block}.username"):
            text = 'username says nothing for type = "ldap": bind_dn or filter say what is asked for'
            yield look.warning(text, f"{block}.username")
    elif source.username == "local" and len(source.domains) != 1 and look.sound(f"{block}.domains"):
        text = (
            'username = "local" with more than one domain: the same password opens the accounts of that '
            "name in each of them; name one domain in domains"
        )
        yield look.warning(text, f"{block}.username")


def _url(look: Look, source: SourceBlock, block: str) -> Iterator[Problem]:
    place = f"{block}.url"
    parts = urllib.parse.urlsplit(source.url)
    spoken = SPOKEN[source.type]
    if parts.scheme not in spoken:
        known = " or ".join(f"{scheme}://" for scheme in spoken)
        yield look.error(f'type = "{source.type}" needs a URL with {known}', place)
        return
    local = is_loopback(parts.hostname or "")
    if parts.scheme == "http" and not local:
        text = "http:// sends passwords in the clear, which is for this machine alone; write https://"
        yield look.error(text, place)
    if parts.scheme == "ldap" and not source.starttls and not local:
        text = "starttls = false sends passwords in the clear, which is for this machine alone"
        yield look.error(text, f"{block}.starttls", place)
    if parts.scheme == "ldaps" and look.is_given(f"{block}.starttls"):
        yield look.warning(
            "starttls says nothing for ldaps://, which is TLS from the start", f"{block}.starttls"
        )


def _entry(look: Look, source: SourceBlock, block: str) -> Iterator[Problem]:
    """How the entry of an account is found: one of two ways."""
    if not look.sound(f"{block}.bind_dn", f"{block}.base", f"{block}.filter"):
        return
    if bool(source.bind_dn) == bool(source.filter):
        text = 'type = "ldap" needs either bind_dn, or base and filter'
        yield look.error(text, f"{block}.bind_dn", f"{block}.filter", f"{block}.type")
    elif source.filter and not source.base:
        yield look.error("filter needs base, where to look", f"{block}.filter")
    elif source.bind_dn:
        for key in ("base", "search_dn", "search_password_file"):
            if getattr(source, key):
                yield look.error(f"{key} says nothing beside bind_dn", f"{block}.{key}")
    if bool(source.search_dn) != bool(source.search_password_file):
        text = "search_dn and search_password_file belong together"
        yield look.error(text, f"{block}.search_dn", f"{block}.search_password_file")


# The machine


def source_files(look: Look, source: SourceBlock) -> Iterator[Problem]:
    """What is not there that one source needs: files, and programs that are installed separately."""
    if not source.enabled:
        return
    block = f"source.{source.name}"
    for key in ("file", "ca_file", "token_file", "search_password_file"):
        path: Path | None = getattr(source, key)
        if path is None or key not in OWN_KEYS[source.type]:
            continue
        reason = unreadable(path)
        if reason:
            yield look.error(f"{key}: {path} {reason}", f"{block}.{key}")
        elif key != "ca_file" and stat.S_IMODE(path.stat().st_mode) & 0o007:
            yield look.warning(f"{key}: everybody can read {path}; chmod 600 {path}", f"{block}.{key}")
    if source.type == "ldap" and importlib.util.find_spec("ldaptor") is None:
        text = "ldap needs a library that is not installed: pip install mailsuite[ldap]"
        yield look.error(f'type = "ldap": {text}', f"{block}.type")


def read_token(file: Path) -> str:
    """The one line of a file that holds a token or a password. Raises BadValue, which never quotes it."""
    return read_secret(file, "a secret", MAX_TOKEN_OCTETS)
