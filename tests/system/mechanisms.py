"""The client's side of SASL, as little as a test needs; it shares no code with the server, but for MD4."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from collections.abc import Callable, Iterator

import attrs

from mailsuite.wire.sasl.md4 import md4
from tests.system.clients import Client, Refused


@attrs.define
class Scram:
    """RFC 5802, by hand: scramp knows no tls-exporter, and is as strict as a test must not be."""

    name: str
    password: str
    mechanism_name: str = "SCRAM-SHA-256"
    header: str = "n,,"
    """GS2's: ``n,,``, ``y,,`` or ``p=tls-exporter,,``."""
    binding: bytes = b""
    nonce: str = attrs.field(factory=lambda: secrets.token_hex(12))
    server_first: str = attrs.field(default="", init=False)
    _signature: bytes = attrs.field(default=b"", init=False)

    def get_client_first(self) -> str:
        return self.header + self._bare

    @property
    def _bare(self) -> str:
        return f"n={self.name.replace('=', '=3D').replace(',', '=2C')},r={self.nonce}"

    def set_server_first(self, message: str) -> None:
        self.server_first = message

    def get_client_final(self) -> str:
        hash = "sha1" if "-SHA-1" in self.mechanism_name else "sha256"
        given = dict(part.split("=", 1) for part in self.server_first.split(","))
        if not given["r"].startswith(self.nonce) or int(given["i"]) < 4096:
            raise Refused(f"no honest challenge: {self.server_first}")
        bound = base64.b64encode(self.header.encode() + self.binding).decode()
        without_proof = f"c={bound},r={given['r']}"
        said = f"{self._bare},{self.server_first},{without_proof}".encode()
        salted = hashlib.pbkdf2_hmac(
            hash, self.password.encode(), base64.b64decode(given["s"]), int(given["i"])
        )
        client_key = hmac.digest(salted, b"Client Key", hash)
        proof = hmac.digest(hashlib.new(hash, client_key).digest(), said, hash)
        proof = bytes(a ^ b for a, b in zip(client_key, proof, strict=True))
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", hash), said, hash)
        return f"{without_proof},p={base64.b64encode(proof).decode()}"

    def set_server_final(self, message: str) -> None:
        if message != "v=" + base64.b64encode(self._signature).decode():
            raise Refused(f"the server has not proved itself: {message}")

    def steps(self) -> Iterator[Callable[[bytes], bytes]]:
        yield lambda _: self.get_client_first().encode()
        yield self._final
        yield self._end

    def _final(self, challenge: bytes) -> bytes:
        self.set_server_first(challenge.decode())
        return self.get_client_final().encode()

    def _end(self, challenge: bytes) -> bytes:
        if not challenge.startswith(b"e="):
            self.set_server_final(challenge.decode())
        return b""


def _cram_md5(name: str, password: str) -> Callable[[bytes], bytes]:
    def respond(challenge: bytes) -> bytes:
        return f"{name} {hmac.new(password.encode(), challenge, 'md5').hexdigest()}".encode()

    return respond


def _ntlm(name: str, password: str) -> Callable[[bytes], bytes]:
    """MS-NLMP section 3.3.2, without a MIC."""

    def respond(challenge: bytes) -> bytes:
        length, offset = struct.unpack_from("<H2xI", challenge, 40)
        target, nonce = challenge[offset : offset + length], challenge[24:32]
        key = md4(password.encode("utf-16-le"))
        key = hmac.digest(key, name.upper().encode("utf-16-le"), "md5")
        filetime = next((value for kind, value in _pairs(target) if kind == 7), bytes(8))  # MsvAvTimestamp
        blob = b"\1\1" + bytes(6) + filetime + secrets.token_bytes(8) + bytes(4) + target + bytes(4)
        nt = hmac.digest(key, nonce + blob, "md5") + blob
        user = name.encode("utf-16-le")
        fields = [bytes(24), nt, b"", user, b"", b""]  # LM, NT, domain, user, workstation, session key
        message, payload = b"NTLMSSP\0" + struct.pack("<I", 3), b""
        for field in fields:
            message += struct.pack("<HHI", len(field), len(field), 64 + len(payload))
            payload += field
        return message + struct.pack("<I", 0x00088201) + payload

    return respond


def _pairs(target: bytes) -> Iterator[tuple[int, bytes]]:
    while len(target) >= 4:
        kind, length = struct.unpack_from("<HH", target)
        yield kind, target[4 : 4 + length]
        target = target[4 + length :]


def steps(mechanism: str, name: str, password: str) -> list[Callable[[bytes], bytes]]:
    """What the client makes of each challenge; the first is empty for a mechanism where the client begins."""
    match mechanism:
        case "PLAIN":
            return [lambda _: f"\0{name}\0{password}".encode()]
        case "LOGIN":
            return [lambda _: name.encode(), lambda _: password.encode()]
        case "CRAM-MD5":
            return [_cram_md5(name, password)]
        case "NTLM":
            negotiate = b"NTLMSSP\0" + struct.pack("<II", 1, 0x00088207) + bytes(16)
            return [lambda _: negotiate, _ntlm(name, password)]
        case _:
            return list(Scram(name, password, mechanism).steps())


def authenticate(
    client: Client, mechanism: str, name: str, password: str, said: list[bytes] | None = None
) -> bytes:
    """AUTH to its end, by POP3 or SMTP alike; the reply that ends it. *said* gets each line that was sent."""
    answer = say(client, b"AUTH " + mechanism.encode(), said)
    for step in steps(mechanism, name, password):
        mark, _, text = answer.partition(b" ")
        if mark not in {b"+", b"334"}:
            break
        answer = say(client, base64.b64encode(step(base64.b64decode(text))), said)
    return answer


def say(client: Client, line: bytes, said: list[bytes] | None) -> bytes:
    if said is not None:
        said.append(line)
    return client.say(line)
