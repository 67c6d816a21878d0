"""The messages of a SCRAM client (RFC 5802 section 7), as values. None of them decides anything."""

from __future__ import annotations

import re

import attrs

MAX_NONCE_OCTETS = 512
"""Of a client: ours to choose. Known ones send 16 to 64."""

_NAME = r"(?:[^\0=,]|=2C|=3D)+"
_PRINTABLE = r"[\x21-\x2b\x2d-\x7e]"
_VALUE = r"[^\0,]+"
_BASE64 = r"[A-Za-z0-9+/]+={0,2}"
_EXTENSIONS = rf"(?P<extensions>(?:,[A-Za-z]={_VALUE})*)"

_FIRST = re.compile(
    r"(?P<header>(?P<flag>n|y|p=(?P<type>[A-Za-z0-9.-]+)),"
    rf"(?:a=(?P<authzid>(?:{_NAME})?))?,)"
    rf"(?P<bare>(?P<mandatory>m={_VALUE},)?n=(?P<authcid>{_NAME}),r=(?P<nonce>{_PRINTABLE}+){_EXTENSIONS})"
)
_FINAL = re.compile(
    rf"(?P<unproved>c=(?P<binding>{_BASE64}),r=(?P<nonce>{_PRINTABLE}+){_EXTENSIONS}),p=(?P<proof>{_BASE64})"
)
_OURS = re.compile(r",[anrcpsive]=")
"""Attributes that have their place, which is not among the extensions."""


@attrs.frozen
class ClientFirst:
    """client-first-message."""

    header: str
    """gs2-header, both commas included."""
    flag: str
    """``n``, ``y`` or ``p``."""
    binding_type: str
    """Empty but for ``p``."""
    authzid: str
    """Empty where there is none, and where an ``a=`` has nothing behind it, against the grammar: some clients
    write what they were not given so."""
    authcid: str
    nonce: str
    bare: str
    mandatory_extension: bool
    """There is an ``m=``, which this version of SCRAM has to refuse."""


@attrs.frozen
class ClientFinal:
    """client-final-message."""

    binding: str
    """In base64."""
    nonce: str
    unproved: str
    """client-final-message-without-proof."""
    proof: str
    """In base64."""
    mandatory_extension: bool


def client_first(octets: bytes) -> ClientFirst | None:
    """Read a client's first message; None where it is none."""
    parts = _parts(_FIRST, octets)
    if parts is None or len(parts["nonce"]) > MAX_NONCE_OCTETS:
        return None
    return ClientFirst(
        header=parts["header"],
        flag=parts["flag"][0],
        binding_type=parts["type"] or "",
        authzid=_unescaped(parts["authzid"] or ""),
        authcid=_unescaped(parts["authcid"]),
        nonce=parts["nonce"],
        bare=parts["bare"],
        mandatory_extension=bool(parts["mandatory"]) or ",m=" in parts["extensions"],
    )


def client_final(octets: bytes) -> ClientFinal | None:
    """Read a client's last message; None where it is none."""
    parts = _parts(_FINAL, octets)
    if parts is None:
        return None
    return ClientFinal(
        parts["binding"], parts["nonce"], parts["unproved"], parts["proof"], ",m=" in parts["extensions"]
    )


def _parts(form: re.Pattern[str], octets: bytes) -> re.Match[str] | None:
    try:
        parts = form.fullmatch(octets.decode("utf-8"))
    except UnicodeDecodeError:
        return None
    return None if parts is None or _OURS.search(parts["extensions"]) else parts


def _unescaped(name: str) -> str:
    return name.replace("=2C", ",").replace("=3D", "=")
