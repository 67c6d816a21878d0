"""Which certificate a connection gets, of several, before and after files have changed."""

from __future__ import annotations

import contextlib
import gc
import ssl
from pathlib import Path

import pytest
from cryptography.x509 import Certificate
from OpenSSL import SSL

from mailsuite.frontends.shelf import Certificates, Wanted, read_all
from mailsuite.frontends.tls import CertificateError, Pair, ServerTLS, channel_bindings, end_point
from tests.frontends.issuing import issue, rsa_of
from tests.frontends.test_tls import Both, client


class Asking(Both):
    """A client that asks for a name."""

    def __init__(self, server: ServerTLS, name: bytes | None, context: SSL.Context | None = None) -> None:
        super().__init__(server, context or client())
        if name is not None:
            self.client.set_tlsext_host_name(name)

    @property
    def certificate(self) -> Certificate:
        found = self.client.get_peer_certificate(as_cryptography=True)
        assert found is not None
        return found

    @property
    def met(self) -> str:
        """The common name of what the client was shown."""
        self.shake()
        return self.certificate.subject.rfc4514_string().removeprefix("CN=")


class Shelf:
    """A general pair, one of a listener, two that are shown for names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.general = self.issue("general.test")
        self.own = self.issue("own.test", ["own.test", "both.test"])
        self.first = self.issue("first.test", ["first.test", "*.first.test", "both.test"])
        self.second = self.issue("second.test")
        self.named = ((self.first, ()), (self.second, ("x.first.test", "given.test")))
        self.certificates = self.read()

    def issue(self, name: str, names: list[str] | None = None) -> Pair:
        return issue(name, names).save(self.folder, name)

    def read(self, version: str = "1.2") -> Certificates:
        wanted = Wanted(self.general, frozenset({self.own}), self.named, version)
        return Certificates(wanted, read_all(wanted.pairs))

    def met(self, name: bytes | None, pair: Pair | None = None) -> str:
        return Asking(self.certificates.tls_for(pair), name).met


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.mark.parametrize(
    ("asked", "general", "own"),
    [
        (None, "general.test", "own.test"),
        (b"unknown.test", "general.test", "own.test"),
        (b"\xff\xfe", "general.test", "own.test"),
        (b"general.test", "general.test", "general.test"),
        (b"own.test", "general.test", "own.test"),
        (b"first.test", "first.test", "first.test"),
        (b"FIRST.Test", "first.test", "first.test"),
        (b"y.first.test", "first.test", "first.test"),
        (b"x.first.test", "second.test", "second.test"),
        (b"z.y.first.test", "general.test", "own.test"),
        (b"both.test", "first.test", "own.test"),
        (b"given.test", "second.test", "second.test"),
        (b"second.test", "general.test", "own.test"),  # the names that are given are all
    ],
)
def test_who_gets_which(shelf: Shelf, asked: bytes | None, general: str, own: str) -> None:
    assert shelf.met(asked) == general
    assert shelf.met(asked, shelf.own) == own


def test_one_pair_in_two_blocks_has_the_names_of_both(tmp_path: Path) -> None:
    general, other = (issue(name).save(tmp_path, name) for name in ("general.test", "other.test"))
    wanted = Wanted(general, named=((other, ("a.test",)), (other, ("b.test",))))
    certificates = Certificates(wanted, read_all(wanted.pairs))
    assert certificates.names(other) == ("a.test", "b.test")
    for name in (b"a.test", b"b.test"):
        assert Asking(certificates.tls_for(None), name).met == "other.test"


@pytest.mark.parametrize("maximum", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_the_channel_is_bound_to_the_certificate_that_was_shown(shelf: Shelf, maximum: int) -> None:
    """RFC 5929 section 4: of the server's certificate, not of another that it has."""
    both = Asking(shelf.certificates.tls_for(None), b"first.test", client(maximum=maximum))
    both.shake()
    assert channel_bindings(both)["tls-server-end-point"] == end_point(both.certificate)


def test_the_least_version_holds_for_all_names(shelf: Shelf) -> None:
    tls = shelf.read("1.3").tls_for(None)
    for name in (None, b"first.test"):
        both = Asking(tls, name, client(maximum=SSL.TLS1_2_VERSION))
        with pytest.raises(SSL.Error, match=r"unsupported protocol|protocol version"):
            both.shake()


def test_one_that_is_too_weak_is_a_failure_with_its_name(shelf: Shelf) -> None:
    weak = issue("weak.test", key=rsa_of(1024)).save(shelf.folder, "weak")
    with pytest.raises(CertificateError, match=f"^{weak[0]}: cannot be used"):
        Certificates(Wanted(weak), read_all([weak]))


def test_one_broken_pair_is_the_failure_of_all(shelf: Shelf) -> None:
    shelf.first[0].unlink()
    with pytest.raises(CertificateError, match=f"^{shelf.first[0]}: cannot be read: No such file"):
        shelf.read()


class Returning:
    """A client that comes again with the ticket of its last session; Python's own ssl, which tells of it."""

    def __init__(self, maximum: ssl.TLSVersion) -> None:
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.maximum_version = maximum
        self.session: ssl.SSLSession | None = None

    def resumes(self, tls: ServerTLS, name: str) -> bool:
        """Whether the session of the last time is resumed."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        peer = self.context.wrap_bio(incoming, outgoing, server_hostname=name, session=self.session)
        server = tls.serverConnectionForTLS(None)
        server.set_accept_state()
        for _ in range(4):
            with contextlib.suppress(ssl.SSLWantReadError):
                peer.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                if outgoing.pending:
                    server.bio_write(outgoing.read())
                server.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                incoming.write(server.bio_read(65536))
        server.send(b"hello")
        incoming.write(server.bio_read(65536))
        assert peer.read() == b"hello"
        self.session = peer.session
        return bool(peer.session_reused)


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
class TestResumption:
    """Session tickets (features row T-06)."""

    @pytest.mark.parametrize("name", ["general.test", "first.test", "unknown.test"])
    def test_a_session_is_resumed(self, shelf: Shelf, name: str, maximum: ssl.TLSVersion) -> None:
        tls, peer = shelf.certificates.tls_for(None), Returning(maximum)
        assert [peer.resumes(tls, name) for _ in range(3)] == [False, True, True]

    def test_not_when_a_certificate_has_changed(self, shelf: Shelf, maximum: ssl.TLSVersion) -> None:
        """The client would go on to bind to the old one, and we to the new one."""
        tls, peer = shelf.certificates.tls_for(None), Returning(maximum)
        peer.resumes(tls, "first.test")
        shelf.issue("first.test", ["first.test"])
        shelf.certificates.adopt(shelf.certificates.read_again())
        assert [peer.resumes(tls, "first.test") for _ in range(2)] == [False, True]

    def test_not_when_the_keys_of_tickets_have(self, shelf: Shelf, maximum: ssl.TLSVersion) -> None:
        tls, peer = shelf.certificates.tls_for(None), Returning(maximum)
        peer.resumes(tls, "first.test")
        shelf.certificates.adopt(shelf.certificates.read_again(renew=True))
        assert [peer.resumes(tls, "first.test") for _ in range(2)] == [False, True]


class TestReadingAgain:
    def test_what_has_not_changed_is_not_made_anew(self, shelf: Shelf) -> None:
        before = shelf.certificates.tls_for(None).context
        reading = shelf.certificates.read_again()
        assert (reading.replaced, reading.failures, reading.contexts) == ((), {}, {})
        shelf.certificates.adopt(reading)
        assert shelf.certificates.tls_for(None).context is before

    @pytest.mark.parametrize("name", ["general.test", "own.test", "first.test", "second.test"])
    def test_new_connections_get_the_new_one(self, shelf: Shelf, name: str) -> None:
        tls = shelf.certificates.tls_for(None), shelf.certificates.tls_for(shelf.own)
        shelf.issue(name, [name, "new.test"])
        if name == "second.test":
            shelf.named = ()
        reading = shelf.certificates.read_again()
        assert [pair[0].stem for pair in reading.replaced] == [name]
        assert shelf.met(b"new.test") == "general.test"
        shelf.certificates.adopt(reading)
        assert (shelf.certificates.tls_for(None), shelf.certificates.tls_for(shelf.own)) == tls
        met = {Asking(each, b"new.test").met for each in tls}
        assert name in met or name == "second.test"  # which has been given its names

    def test_a_running_session_goes_on(self, shelf: Shelf) -> None:
        both = Asking(shelf.certificates.tls_for(None), b"first.test")
        both.shake()
        shelf.issue("first.test", ["first.test"])
        shelf.certificates.adopt(shelf.certificates.read_again())
        gc.collect()
        both.client.send(b"still here")
        both.move()
        assert both.server.recv(100) == b"still here"

    @pytest.mark.parametrize("which", [0, 1])
    def test_a_broken_one_leaves_the_old_one_and_lets_others_in(self, shelf: Shelf, which: int) -> None:
        shelf.first[which].write_text("nonsense")
        shelf.issue("general.test", ["general.test", "new.test"])
        reading = shelf.certificates.read_again()
        assert list(reading.failures) == [shelf.first]
        assert reading.failures[shelf.first].startswith(f"{shelf.first[which]}: holds no PEM")
        shelf.certificates.adopt(reading)
        assert shelf.met(b"first.test") == "first.test"
        assert shelf.met(b"new.test", shelf.own) == "general.test"

    def test_a_mismatch(self, shelf: Shelf) -> None:
        shelf.first[1].write_bytes(shelf.second[1].read_bytes())
        reading = shelf.certificates.read_again()
        assert reading.failures == {shelf.first: f"{shelf.first[1]}: is not the key of {shelf.first[0]}"}
        assert reading.replaced == ()

    def test_one_that_openssl_finds_too_weak(self, shelf: Shelf) -> None:
        issue("first.test", key=rsa_of(1024)).save(shelf.folder, "first.test")
        reading = shelf.certificates.read_again()
        assert list(reading.failures) == [shelf.first]
        shelf.certificates.adopt(reading)
        assert shelf.met(b"first.test") == "first.test"

    def test_a_handshake_in_the_middle_of_an_exchange(self, shelf: Shelf) -> None:
        """The client must ask again with another key share (RFC 8446 section 4.1.4), so OpenSSL calls the
        old context's callback a second time, when nobody else holds that context any more."""
        both = Asking(shelf.certificates.tls_for(None), b"first.test")
        # Nobody offers ffdhe4096 here, and its key share is the only one that is sent.
        SSL._lib.SSL_set1_curves_list(both.client._ssl, b"ffdhe4096:P-256")
        with contextlib.suppress(SSL.WantReadError):
            both.client.do_handshake()
        both.move()
        with contextlib.suppress(SSL.WantReadError):
            both.server.do_handshake()
        for _ in range(3):
            shelf.certificates.adopt(shelf.certificates.read_again(renew=True))
            gc.collect()
        assert both.met == "first.test"
