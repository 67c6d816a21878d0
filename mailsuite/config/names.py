"""Kinds of names and addresses: hosts, networks, mail addresses, files, greetings, devices, hashes."""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import attrs

from mailsuite import __version__
from mailsuite.config.kinds import BadValue, Kind, printable, shown, suggestion, toml_text
from mailsuite.model.access import unmapped_network
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address, AddressSyntaxError, normalise_domain
from mailsuite.model.hashes.stored import read_hash
from mailsuite.model.hashes.values import HashRefused

IPNetwork = IPv4Network | IPv6Network

MAX_GREETING_CHARACTERS = 400
"""What IMail allows; with a host name of usual length the reply line stays below 512 octets."""

MAX_DEVICE_NAME_CHARACTERS = 64

_OF_NAMES = ".-_+@ "
"""What login names have beside letters and digits, and blanks, which some programs put around them."""

_INTERFACE = re.compile(r"(?=.{1,15}$)[A-Za-z][A-Za-z0-9_\-]*(\.[0-9]+)?")
"""As Linux lets an interface be called (IFNAMSIZ), in the characters that are in use; no host name."""

_PLACEHOLDER = re.compile(r"\{[^{}]*\}?|\}")


@attrs.frozen
class HostName(Kind[str]):
    """A host or domain name, as lower-case A-labels."""

    example: str = "mail.example.net"

    @property
    def word(self) -> str:
        return "host name"

    @property
    def expects(self) -> str:
        return f"a host name, for example {toml_text(self.example)}"

    def parse(self, raw: object, base: Path) -> str:
        text = printable(raw, self)
        if text.startswith("["):
            raise self.refuse(raw, "is an address literal")
        try:
            return normalise_domain(text)
        except AddressSyntaxError as error:
            raise BadValue(f"{shown(raw)}: {error}; expected {self.expects}") from error


@attrs.frozen
class CertificateName(Kind[str]):
    """A host name that a certificate is for, as lower-case A-labels; ``*.`` stands for one label."""

    @property
    def word(self) -> str:
        return "host name"

    @property
    def expects(self) -> str:
        return 'a host name, for example "mail.example.org" or "*.example.org"'

    def parse(self, raw: object, base: Path) -> str:
        text = printable(raw, self)
        star = "*." if text.startswith("*.") else ""
        try:
            return star + normalise_domain(text.removeprefix("*."))
        except AddressSyntaxError as error:
            raise BadValue(f"{shown(raw)}: {error}; expected {self.expects}") from error


@attrs.frozen
class MailAddress(Kind[Address]):
    """A mail address in its canonical form, whose local part can be the name of a folder."""

    example: str = "joe@example.net"

    @property
    def word(self) -> str:
        return "mail address"

    @property
    def expects(self) -> str:
        return f"a mail address, for example {toml_text(self.example)}"

    def parse(self, raw: object, base: Path) -> Address:
        try:
            return Address.parse(printable(raw, self)).canonical
        except AddressSyntaxError as error:
            raise BadValue(f"{shown(raw)}: {error}; expected {self.expects}") from error

    def write(self, value: Address) -> object:
        return str(value)


def _ip(text: str) -> IPAddress:
    """Also ``[1.2.3.4]`` and ``[IPv6:...]``; an IPv4 address in IPv6 clothes is IPv4. Raises ValueError."""
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
        if text[:5].lower() == "ipv6:":
            return _unmapped(IPv6Address(text[5:]))
    return _unmapped(ipaddress.ip_address(text))


def _unmapped(address: IPAddress) -> IPAddress:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@attrs.frozen
class HostAddress(Kind[IPAddress]):
    """An IP address of this machine."""

    @property
    def word(self) -> str:
        return "IP address"

    @property
    def expects(self) -> str:
        return 'an IP address, for example "192.0.2.10" or "2001:db8::10"'

    def parse(self, raw: object, base: Path) -> IPAddress:
        text = printable(raw, self)
        try:
            return _ip(text)
        except ValueError:
            raise self.refuse(raw, "is no IP address") from None

    def write(self, value: IPAddress) -> object:
        return str(value)


@attrs.frozen
class KnockAddress(HostAddress):
    """An IP address that a notice may go to: one machine, never a group or nobody (S-A03)."""

    @property
    def expects(self) -> str:
        return 'an IP address such as "192.0.2.77", "[192.0.2.77]" or "2001:db8::77"'

    def parse(self, raw: object, base: Path) -> IPAddress:
        address = super().parse(raw, base)
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            raise self.refuse(raw, "has a zone")
        if address.is_multicast or address.is_unspecified or _is_nobody(address):
            raise self.refuse(raw, "is no address of one machine")
        if address.is_link_local:  # metadata services of hosters answer there; no leave can be given
            raise self.refuse(raw, "is link-local, where no notice ever goes")
        return address


def _is_nobody(address: IPAddress) -> bool:
    """0.0.0.0/8, and 240.0.0.0/4 with the broadcast address."""
    return isinstance(address, IPv4Address) and (address.packed[0] == 0 or address.is_reserved)


@attrs.frozen
class BindAddress(Kind[str]):
    """Where a listener listens: an address in its usual spelling, an interface by its name, or ``*``."""

    @property
    def word(self) -> str:
        return "IP address or interface"

    @property
    def range(self) -> str:
        return '"*" is every address'

    @property
    def expects(self) -> str:
        return (
            'an IP address such as "127.0.0.1" or "::1", an interface such as "eth0", '
            'or "*" for every address'
        )

    def parse(self, raw: object, base: Path) -> str:
        text = printable(raw, self)
        if text == "*":
            return text
        try:
            return str(_ip(text))
        except ValueError:
            if _INTERFACE.fullmatch(text) and text != "localhost":
                return text
            raise self.refuse(raw, "is no IP address") from None


@attrs.frozen
class Network(Kind[IPNetwork]):
    """A network in CIDR form; a lone address is a network of one. IPv4 in the clothes of IPv6 is IPv4, as
    clients are that come so."""

    @property
    def word(self) -> str:
        return "network"

    @property
    def expects(self) -> str:
        return 'a network, for example "192.0.2.0/24" or "2001:db8::/32"'

    def parse(self, raw: object, base: Path) -> IPNetwork:
        text = printable(raw, self)
        try:
            wide = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise self.refuse(raw, "is no network") from None
        try:
            return unmapped_network(ipaddress.ip_network(text))
        except ValueError:
            raise BadValue(f'{shown(raw)} has host bits set; did you mean "{wide}"?') from None

    def write(self, value: IPNetwork) -> object:
        return str(value.network_address) if value.prefixlen == value.max_prefixlen else str(value)


@attrs.frozen
class FilePath(Kind[Path]):
    """A path; a relative one is relative to the file that names it."""

    state_allowed: bool = False
    """Whether the path may begin with ``{state}/``; it is then filled in after loading."""
    example: str = "/etc/mailsuite/secrets/joe"

    @property
    def word(self) -> str:
        return "path"

    @property
    def range(self) -> str:
        return "may begin with {state}/" if self.state_allowed else ""

    @property
    def expects(self) -> str:
        return f"a path, for example {toml_text(self.example)}"

    def parse(self, raw: object, base: Path) -> Path:
        text = printable(raw, self)
        if not text:
            raise self.refuse(raw, "is empty")
        if text.startswith("~"):
            raise self.refuse(raw, 'begins with "~", which is not expanded here')
        if self.state_allowed and text.startswith("{state}/"):
            return Path(text)
        return base / text

    def write(self, value: Path) -> object:
        return str(value)


@attrs.frozen
class LogTarget(Kind[str | Path]):
    """``stderr``, ``journal`` or the path of a file."""

    @property
    def word(self) -> str:
        return "word or path"

    @property
    def range(self) -> str:
        return '"stderr", "journal", or a path with a "/" in it'

    @property
    def expects(self) -> str:
        return f"one of {self.range}"

    def parse(self, raw: object, base: Path) -> str | Path:
        text = printable(raw, self)
        if text in {"stderr", "journal"}:
            return text
        if "/" not in text:
            raise BadValue(f"{self.refuse(raw)}{suggestion(text, ('stderr', 'journal'))}")
        return FilePath(state_allowed=True).parse(raw, base)

    def write(self, value: str | Path) -> object:
        return str(value)


@attrs.frozen
class MaildropPath(Kind[str]):
    """Where a maildrop lies: a path with ``{domain}`` and ``{local}`` in it, and perhaps ``{state}``."""

    @property
    def word(self) -> str:
        return "path pattern"

    @property
    def range(self) -> str:
        return "with {local} and {domain}, each once; may begin with {state}/"

    @property
    def expects(self) -> str:
        return 'a path with {domain} and {local} in it, for example "{state}/mail/{domain}/{local}"'

    def parse(self, raw: object, base: Path) -> str:
        text = printable(raw, self)
        known = ("{state}", "{domain}", "{local}")
        for found in _PLACEHOLDER.findall(text):
            if found not in known:
                raise BadValue(f"unknown placeholder {found!r}{suggestion(found, known)}; {self._all_known}")
        for needed in ("{local}", "{domain}"):
            if text.count(needed) != 1:
                raise self.refuse(raw, f"has no {needed}" if needed not in text else f"has {needed} twice")
        if "{state}" in text and (not text.startswith("{state}/") or text.count("{state}") > 1):
            raise self.refuse(raw, "has {state} elsewhere than at the beginning")
        if "}{" in text:
            raise self.refuse(raw, "has two placeholders with nothing between, so that names could meet")
        if ".." in text.split("/"):
            raise self.refuse(raw, 'has ".." in it')
        if text.startswith("{state}/"):
            return text
        return str(FilePath().parse(text, base))

    @property
    def _all_known(self) -> str:
        return "known are {state}, {domain} and {local}"


@attrs.frozen
class Greeting(Kind[str]):
    """The free text of a greeting; says no version unless ``{version}`` is put into it (S-I05)."""

    built_in: str

    @property
    def word(self) -> str:
        return "greeting"

    @property
    def range(self) -> str:
        return f"up to {MAX_GREETING_CHARACTERS} printable ASCII characters"

    @property
    def expects(self) -> str:
        return f'{self.range}, for example "{self.built_in}"'

    def parse(self, raw: object, base: Path) -> str:
        text = printable(raw, self)
        if not text.strip():
            return self.built_in
        if not text.isascii():
            raise self.refuse(raw, "is not ASCII, and an old client may not read more")
        for found in _PLACEHOLDER.findall(text):
            if found != "{version}":
                raise BadValue(
                    f"unknown placeholder {found!r}{suggestion(found, ('{version}',))}; known is {{version}}"
                )
        filled = text.replace("{version}", __version__)
        if len(filled) > MAX_GREETING_CHARACTERS:
            raise self.refuse(raw, "is too long")
        return filled


@attrs.frozen
class DeviceName(Kind[str]):
    """What a device password is called by its owner."""

    @property
    def word(self) -> str:
        return "text"

    @property
    def range(self) -> str:
        return f"1 to {MAX_DEVICE_NAME_CHARACTERS} characters"

    @property
    def expects(self) -> str:
        return f'a text in quotes of {self.range}, for example "Eudora on the old Mac"'

    def parse(self, raw: object, base: Path) -> str:
        text = printable(raw, self)
        if not text.isprintable() or text != text.strip() or not text:
            raise self.refuse(raw, "is empty, begins or ends with a blank, or does not print")
        if len(text) > MAX_DEVICE_NAME_CHARACTERS:
            raise self.refuse(raw, "is too long")
        return text


@attrs.frozen
class AlternateAt(Kind[str]):
    """Characters that stand for the @ of a login name (features row S-M02)."""

    @property
    def word(self) -> str:
        return "characters"

    @property
    def range(self) -> str:
        return "ASCII, no letters, no digits, none of . - _ + @"

    @property
    def expects(self) -> str:
        return 'characters that no login name needs, for example "#$%"'

    def parse(self, raw: object, base: Path) -> str:
        text = printable(raw, self)
        for character in text:
            if not character.isascii():
                raise self.refuse(raw, f"has {character!r}, which is not ASCII")
            if character.isalnum() or character in _OF_NAMES:
                raise self.refuse(raw, f"has {character!r}, which may be part of any login name")
        return text


@attrs.frozen
class PasswordHash(Kind[str]):
    """A password hash that we can read, or nothing. A wrong value is never quoted: it may be the password."""

    @property
    def word(self) -> str:
        return "password hash"

    @property
    def expects(self) -> str:
        return "argon2id in PHC form ($argon2id$v=19$...), crypt ($6$..., $y$...), or Dovecot's {SCHEME}hash"

    def parse(self, raw: object, base: Path) -> str:
        reason = "it is no text"
        if isinstance(raw, str):
            if not raw:
                return raw
            try:
                read_hash(raw)
                return raw
            except HashRefused as error:
                reason = str(error)  # which quotes nothing
        raise BadValue(
            f"the value cannot be used as a password hash: {reason}; expected {self.expects}; "
            "put a plain password into a file of its own and name that as password_file"
        )
