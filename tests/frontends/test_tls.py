"""Which handshakes succeed, and what is said of certificates that cannot be used."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from mailsuite.concurrent.watch import stamps
from mailsuite.frontends.certificates import self_signed
from mailsuite.frontends.tls import (
    CertificateError,
    Pair,
    ServerTLS,
    channel_bindings,
    describe_failure,
    describe_tls,
    end_point,
    load_context,
    read_credentials,
)
from tests.frontends.issuing import ed, issue, p256, rsa_of

NOW = datetime.datetime.now(datetime.UTC)
NAME = "mail.example.test"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return self_signed(NAME, tmp_path_factory.mktemp("tls"), NOW)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return self_signed("other.example.test", tmp_path_factory.mktemp("other"), NOW)


class Both:
    """A client and our side, joined by memory."""

    def __init__(self, server: ServerTLS, client: SSL.Context) -> None:
        self.server = server.serverConnectionForTLS(None)
        self.server.set_accept_state()
        self.client = SSL.Connection(client, None)
        self.client.set_connect_state()

    def getHandle(self) -> SSL.Connection:
        return self.server

    def move(self) -> None:
        for source, target in ((self.client, self.server), (self.server, self.client)):
            try:
                target.bio_write(source.bio_read(65536))
            except SSL.WantReadError:
                continue

    def shake(self) -> str:
        """Raises SSL.Error where one side does not like the other."""
        for _ in range(5):
            for side in (self.client, self.server):
                with contextlib.suppress(SSL.WantReadError):
                    side.do_handshake()
                self.move()
        self.server.send(b"hello")
        self.move()
        assert self.client.recv(100) == b"hello"
        return describe_tls(self)


def client(minimum: int = 0, maximum: int = 0, ciphers: bytes = b"ALL:@SECLEVEL=0") -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    if minimum:
        context.set_min_proto_version(minimum)
    if maximum:
        context.set_max_proto_version(maximum)
    context.set_cipher_list(ciphers)
    return context


@pytest.mark.parametrize(
    ("minimum", "maximum", "spoken"),
    [
        ("1.2", SSL.TLS1_3_VERSION, "TLSv1.3 TLS_AES_256_GCM_SHA384"),
        ("1.2", SSL.TLS1_2_VERSION, "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("1.3", SSL.TLS1_3_VERSION, "TLSv1.3 TLS_AES_256_GCM_SHA384"),
    ],
)
def test_what_is_spoken(pair: Pair, minimum: str, maximum: int, spoken: str) -> None:
    server = ServerTLS(load_context(*pair, minimum))
    assert Both(server, client(maximum=maximum)).shake() == spoken


@pytest.mark.parametrize(
    ("minimum", "maximum"),
    [
        ("1.2", SSL.TLS1_VERSION),
        ("1.2", SSL.TLS1_1_VERSION),
        ("1.3", SSL.TLS1_1_VERSION),
        ("1.3", SSL.TLS1_2_VERSION),
    ],
)
def test_what_is_too_old(pair: Pair, minimum: str, maximum: int) -> None:
    both = Both(ServerTLS(load_context(*pair, minimum)), client(SSL.TLS1_VERSION, maximum))
    with pytest.raises(SSL.Error, match=r"unsupported protocol|protocol version"):
        both.shake()


@pytest.mark.parametrize(
    "ciphers",
    [b"AES256-SHA", b"AES128-GCM-SHA256", b"ECDHE-ECDSA-AES128-SHA", b"aNULL", b"DHE-RSA-AES128-SHA"],
)
def test_ciphers_without_forward_secrecy_or_authentication(pair: Pair, ciphers: bytes) -> None:
    tls12 = client(maximum=SSL.TLS1_2_VERSION, ciphers=ciphers + b":@SECLEVEL=0")
    with pytest.raises(SSL.Error, match=r"no shared cipher|handshake failure"):
        Both(ServerTLS(load_context(*pair, "1.2")), tls12).shake()


def test_the_server_s_order_of_ciphers_counts(pair: Pair) -> None:
    wanted = b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256"
    both = Both(ServerTLS(load_context(*pair, "1.2")), client(maximum=SSL.TLS1_2_VERSION, ciphers=wanted))
    assert both.shake() == "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256"


def test_a_client_cannot_renegotiate(pair: Pair) -> None:
    both = Both(ServerTLS(load_context(*pair, "1.2")), client(maximum=SSL.TLS1_2_VERSION))
    both.shake()
    both.client.renegotiate()
    with pytest.raises(SSL.WantReadError):
        both.client.do_handshake()
    both.move()
    with contextlib.suppress(SSL.Error):
        both.server.recv(100)
    both.move()
    with pytest.raises(SSL.Error, match="no renegotiation"):
        both.client.do_handshake()


def test_both_in_one_file(pair: Pair, tmp_path: Path) -> None:
    certificate, key = (path.read_bytes() for path in pair)
    for content in (certificate + key, key + certificate):
        file = tmp_path / "both.pem"
        file.write_bytes(content)
        assert "TLSv1.3" in Both(ServerTLS(load_context(file, file, "1.2")), client()).shake()


def test_what_leads_to_the_authority_is_sent_along(tmp_path: Path) -> None:
    root = issue("root", [], authority=True)
    middle = issue("middle", [], by=root, authority=True)
    pair = issue(NAME, by=middle).save(tmp_path, "pair", middle)
    both = Both(ServerTLS(load_context(*pair, "1.2")), client())
    both.shake()
    chain = both.client.get_peer_cert_chain(as_cryptography=True)
    assert chain is not None
    assert [each.subject.rfc4514_string() for each in chain] == [f"CN={NAME}", "CN=middle"]


@pytest.mark.parametrize("maximum", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
@pytest.mark.parametrize("make", [p256, ed, partial(rsa_of, 2048)], ids=["P-256", "Ed25519", "RSA"])
def test_kinds_of_keys(tmp_path: Path, make: Callable[[], Any], maximum: int) -> None:
    pair = issue(NAME, key=make()).save(tmp_path, "pair")
    assert "GCM" in Both(ServerTLS(load_context(*pair, "1.2")), client(maximum=maximum)).shake()


def test_a_key_that_openssl_finds_too_small(tmp_path: Path) -> None:
    pair = issue(NAME, key=rsa_of(1024)).save(tmp_path, "pair")
    with pytest.raises(CertificateError, match=rf"^{pair[0]}: cannot be used: ee key too small$"):
        load_context(*pair, "1.2")


def test_a_key_that_nothing_is_signed_with(tmp_path: Path) -> None:
    private = x25519.X25519PrivateKey.generate()
    signer = issue("signer", [], authority=True)
    pair = issue(NAME, key=private, by=signer).save(tmp_path, "pair")
    with pytest.raises(CertificateError, match=rf"^{pair[0]}: cannot be used: "):
        load_context(*pair, "1.2")


def test_how_the_files_stood_before_they_were_read(pair: Pair) -> None:
    assert read_credentials(pair).seen == stamps(pair)


def test_no_secret_is_shown(pair: Pair) -> None:
    assert "key=" not in repr(read_credentials(pair))


class TestWords:
    """Each names the file and the reason, and none of them waits for somebody at a terminal."""

    @pytest.fixture(autouse=True)
    def _nobody_at_the_terminal(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with Path("/dev/null").open() as nobody:
            monkeypatch.setattr("sys.stdin", nobody)
            yield

    def words(self, certificate: Path, key: Path) -> str:
        with pytest.raises(CertificateError) as caught:
            load_context(certificate, key, "1.2")
        return str(caught.value)

    def test_missing(self, pair: Pair, tmp_path: Path) -> None:
        missing = tmp_path / "missing"
        assert self.words(missing, pair[1]) == f"{missing}: cannot be read: No such file or directory"
        assert self.words(pair[0], missing) == f"{missing}: cannot be read: No such file or directory"
        assert self.words(tmp_path, pair[1]) == f"{tmp_path}: cannot be read: Is a directory"

    def test_not_pem(self, pair: Pair, tmp_path: Path) -> None:
        file = tmp_path / "file"
        for content in (b"", b"nonsense\n", b"\xff" * 100, pair[1].read_bytes()):
            file.write_bytes(content)
            assert self.words(file, pair[1]) == f"{file}: holds no PEM certificate"
        for content in (b"", b"nonsense\n", b"\xff" * 100, pair[0].read_bytes()):
            file.write_bytes(content)
            assert self.words(pair[0], file) == f"{file}: holds no PEM private key"

    def test_mismatch(self, pair: Pair, other: Pair) -> None:
        assert self.words(pair[0], other[1]) == f"{other[1]}: is not the key of {pair[0]}"

    def test_a_key_of_tomorrow(self, tmp_path: Path) -> None:
        issued = issue()
        pair = issued.save(tmp_path, "pair")
        der = issued.certificate.public_bytes(serialization.Encoding.DER)
        unknown = der.replace(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d027f"))  # RFC 5480
        pair[0].write_text(ssl.DER_cert_to_PEM_cert(unknown))
        assert self.words(*pair) == f"{pair[0]}: is for a kind of key that is not known here"

    def test_passphrase(self, pair: Pair, tmp_path: Path) -> None:
        key = serialization.load_pem_private_key(pair[1].read_bytes(), None)
        file = tmp_path / "locked.key"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        assert self.words(pair[0], file) == f"{file}: has a passphrase, and nobody is there to give it"


def both_of(tmp_path: Path, private: Any, algorithm: Any, maximum: int = 0) -> tuple[Both, bytes]:
    """A connection over a certificate that *private* has signed with *algorithm*; and the certificate."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + datetime.timedelta(1))
    made = builder.sign(private, algorithm)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    both = Both(ServerTLS(load_context(certificate, key, "1.2")), client(maximum=maximum))
    both.shake()
    return both, made.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [(hashes.SHA256(), "sha256"), (hashes.SHA384(), "sha384"), (hashes.SHA512(), "sha512")],
)
def test_channel_bindings_of_tls_1_3(tmp_path: Path, algorithm: Any, digest: str) -> None:
    """RFC 9266 and RFC 5929: the client has the same, and no other connection has the exporter."""
    both, certificate = both_of(tmp_path, ec.generate_private_key(ec.SECP256R1()), algorithm)
    exported = both.client.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
    expected = {"tls-exporter": exported, "tls-server-end-point": hashlib.new(digest, certificate).digest()}
    assert channel_bindings(both) == expected


def test_channel_bindings_of_tls_1_2(tmp_path: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    both, certificate = both_of(tmp_path, private, hashes.SHA256(), SSL.TLS1_2_VERSION)
    assert channel_bindings(both) == {"tls-server-end-point": hashlib.sha256(certificate).digest()}


def test_a_signature_without_a_hash_has_no_end_point(tmp_path: Path) -> None:
    """RFC 5929 section 4.1 leaves it undefined; each end would have to guess."""
    both, _ = both_of(tmp_path, ed25519.Ed25519PrivateKey.generate(), None)
    assert set(channel_bindings(both)) == {"tls-exporter"}


@attrs.frozen
class Signed:
    """A certificate whose signature is of a kind that nobody may make any more."""

    algorithm: hashes.HashAlgorithm | None

    def public_bytes(self, encoding: object) -> bytes:
        return b"a certificate"

    @property
    def signature_hash_algorithm(self) -> hashes.HashAlgorithm:
        if self.algorithm is None:
            raise UnsupportedAlgorithm("of tomorrow")
        return self.algorithm


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        (hashes.MD5(), hashlib.sha256(b"a certificate").digest()),
        (hashes.SHA1(), hashlib.sha256(b"a certificate").digest()),
        (hashes.SHA224(), hashlib.sha224(b"a certificate").digest()),
        (None, b""),
    ],
)
def test_the_end_point_of_old_and_of_unknown_signatures(
    algorithm: hashes.HashAlgorithm | None, expected: bytes
) -> None:
    assert end_point(cast(x509.Certificate, Signed(algorithm))) == expected


def test_a_program_of_today_connects(pair: Pair) -> None:
    """Python's own ssl, with all its checks, trusting exactly this certificate."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=str(pair[0]))
    peer = context.wrap_bio(incoming, outgoing, server_hostname=NAME)
    server = ServerTLS(load_context(*pair, "1.2")).serverConnectionForTLS(None)
    server.set_accept_state()
    for _ in range(5):
        with contextlib.suppress(ssl.SSLWantReadError):
            peer.do_handshake()
        server.bio_write(outgoing.read())
        with contextlib.suppress(SSL.WantReadError):
            server.do_handshake()
        incoming.write(server.bio_read(65536))
        if peer.version():
            return
    raise AssertionError("no handshake")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SSL.Error([("SSL routines", "f", "no shared cipher"), ("x", "y", "z")]), "no shared cipher, z"),
        (SSL.Error(), "Error"),
        (SSL.Error([]), "Error"),
        (SSL.SysCallError(-1, "Unexpected EOF"), "SysCallError"),
        (ConnectionDone(), "the client went away"),
        (ConnectionLost(), "the client went away"),
        (ValueError("a secret"), "ValueError"),
    ],
)
def test_failures_in_words(error: Exception, words: str) -> None:
    assert describe_failure(Failure(error)) == words
