"""TLS towards other servers: OpenSSL shakes hands with itself, by memory."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import attrs
import pytest
from cryptography.x509 import load_pem_x509_certificate
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailsuite import client_tls
from mailsuite.client_tls import ROOTS_AGE, ClientContexts, ClientTls
from mailsuite.concurrent.threads import Inline
from mailsuite.frontends.certificates import self_signed
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import TLS_UNCHECKABLE
from mailsuite.relay.tls import CLEAR_AGE, ClearHosts, Level, TlsPolicy
from tests.accounts.sources.certificates import Authority, Pair

NAME = "mx.partner.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@attrs.define
class Hand:
    """A clock that stands."""

    time: float = 1000.0

    def __call__(self) -> float:
        return self.time


def creator(
    policy: TlsPolicy, name: str = NAME, minimum: str = "1.2", contexts: ClientContexts | None = None
) -> ClientTls:
    contexts = contexts or ClientContexts(Inline(), Hand(), minimum)
    made: list[ClientTls | Failure] = []
    verify = policy.level is Level.VERIFY
    making = contexts.creator(name, verify=verify, ca_file=policy.ca_file)
    Deferred.fromCoroutine(making).addBoth(made.append)
    (result,) = made
    if isinstance(result, Failure):
        result.raiseException()
    assert isinstance(result, ClientTls)
    return result


def server(pair: Pair, newest: int = SSL.TLS1_3_VERSION) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(min(newest, SSL.TLS1_VERSION))
    context.set_max_proto_version(newest)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    context.use_certificate_chain_file(str(pair.certificate))
    context.use_privatekey_file(str(pair.key))
    context.set_tlsext_servername_callback(lambda side: side.get_app_data().append(side.get_servername()))
    return context


@attrs.frozen
class Shaken:
    """What came of a handshake."""

    version: str
    """Empty where it failed."""
    objection: str
    asked_for: bytes | None
    """The name that the client said (SNI)."""


def shake(client: ClientTls, context: SSL.Context) -> Shaken:
    """Carry octets between the two sides until both are done, or one gives up."""
    asked: list[bytes | None] = []
    ours = client.clientConnectionForTLS(None)
    ours.set_connect_state()
    theirs = SSL.Connection(context, None)
    theirs.set_app_data(asked)
    theirs.set_accept_state()
    done: set[SSL.Connection] = set()
    for _ in range(20):
        for side, other in ((ours, theirs), (theirs, ours)):
            try:
                side.do_handshake()
                done.add(side)
            except SSL.WantReadError:
                pass
            except SSL.Error:
                return Shaken("", client.objection, asked[0] if asked else None)
            with suppress(SSL.WantReadError):
                other.bio_write(side.bio_read(1 << 16))
        if len(done) == 2:
            break
    assert len(done) == 2
    return Shaken(ours.get_protocol_version_name(), client.objection, asked[0] if asked else None)


def verifying(authority: Authority) -> TlsPolicy:
    return TlsPolicy(Level.VERIFY, ca_file=authority.file)


def test_a_right_certificate(authority: Authority) -> None:
    for pair in (
        authority.sign(NAME),
        authority.sign("*.partner.example"),
        authority.sign("other.test", NAME),
    ):
        shaken = shake(creator(verifying(authority)), server(pair))
        assert shaken == Shaken("TLSv1.3", "", NAME.encode())


def test_an_address_is_verified_too_and_not_said(authority: Authority) -> None:
    """RFC 6066 section 3: no address in the server name indication."""
    for address in ("192.0.2.1", "2001:db8::1"):
        shaken = shake(creator(verifying(authority), address), server(authority.sign(address)))
        assert shaken == Shaken("TLSv1.3", "", None)
        shaken = shake(creator(verifying(authority), "192.0.2.9"), server(authority.sign(address)))
        assert (shaken.version, shaken.objection) == ("", "the certificate is not for 192.0.2.9")


WRONG: list[tuple[str, Callable[[Authority, Path], Pair], str]] = [
    ("another name", lambda authority, _: authority.sign("mx.other.example"), f"is not for {NAME}"),
    ("a name above", lambda authority, _: authority.sign("partner.example"), f"is not for {NAME}"),
    ("expired", lambda authority, _: authority.sign(NAME, expired=True), "has expired"),
    (
        "an unknown authority",
        lambda _, folder: Authority(folder, "stranger").sign(NAME),
        "is signed by an authority that is not trusted",
    ),
    (
        "self-signed",
        lambda _, folder: Pair(*self_signed(NAME, folder, datetime.datetime.now(datetime.UTC))),
        "is signed by itself",
    ),
]


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
@pytest.mark.parametrize(("made", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_certificate(
    authority: Authority,
    tmp_path: Path,
    made: Callable[[Authority, Path], Pair],
    words: str,
    version: int,
) -> None:
    """Whoever verifies gets no connection and hears why; all others take it."""
    context = server(made(authority, tmp_path), version)
    shaken = shake(creator(verifying(authority)), context)
    assert (shaken.version, shaken.objection) == ("", f"the certificate {words}")
    for level in (Level.MAY, Level.ENCRYPT):
        assert shake(creator(TlsPolicy(level)), context).version in {"TLSv1.2", "TLSv1.3"}


def test_whom_the_system_trusts(authority: Authority) -> None:
    """Not an authority of these tests."""
    shaken = shake(creator(TlsPolicy(Level.VERIFY)), server(authority.sign(NAME)))
    assert shaken.objection == "the certificate is signed by an authority that is not trusted"


def test_a_reason_that_has_no_words_here(authority: Authority) -> None:
    client = creator(verifying(authority))
    certificate = X509.from_cryptography(load_pem_x509_certificate(authority.file.read_bytes()))
    assert not client.check(certificate, 23, 0, False)
    assert client.objection == "the certificate is wrong (X509 error 23)"


def test_a_certificate_that_cannot_be_read(authority: Authority) -> None:
    class Odd:
        def to_cryptography(self) -> None:
            raise ValueError("odd")

    client = creator(verifying(authority))
    assert not client.check(Odd(), 0, 0, True)  # type: ignore[arg-type]
    assert client.objection == "the certificate cannot be read"


@pytest.mark.parametrize(
    ("newest", "minimum", "version"),
    [
        (SSL.TLS1_VERSION, "1.2", ""),
        (SSL.TLS1_1_VERSION, "1.2", ""),
        (SSL.TLS1_2_VERSION, "1.2", "TLSv1.2"),
        (SSL.TLS1_2_VERSION, "1.3", ""),
        (SSL.TLS1_3_VERSION, "1.3", "TLSv1.3"),
    ],
)
def test_old_versions(authority: Authority, newest: int, minimum: str, version: str) -> None:
    context = server(authority.sign(NAME), newest)
    shaken = shake(creator(TlsPolicy(Level.MAY), minimum=minimum), context)
    assert (shaken.version, shaken.objection) == (version, "")


def test_who_signed_must_be_readable(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "gone.pem"):
        with pytest.raises(TemporaryFailure) as raised:
            creator(TlsPolicy(Level.VERIFY, ca_file=tmp_path / name))
        assert raised.value.reply is TLS_UNCHECKABLE
    creator(TlsPolicy(Level.ENCRYPT, ca_file=tmp_path / "ca.pem"))


def test_authorities_are_read_again_after_a_while(authority: Authority, tmp_path: Path) -> None:
    hand, other = Hand(), Authority(tmp_path, "other")
    contexts = ClientContexts(Inline(), hand)
    file = tmp_path / "trusted.pem"
    file.write_bytes(authority.file.read_bytes())
    policy, context = TlsPolicy(Level.VERIFY, ca_file=file), server(other.sign(NAME))
    assert shake(creator(policy, contexts=contexts), context).version == ""
    file.write_bytes(other.file.read_bytes())
    hand.time += ROOTS_AGE - 1
    assert shake(creator(policy, contexts=contexts), context).version == ""
    hand.time += 1
    assert shake(creator(policy, contexts=contexts), context).version == "TLSv1.3"


def test_one_context_serves_all_hosts(authority: Authority) -> None:
    """And each connection is checked by the host that it is with."""
    contexts = ClientContexts(Inline(), Hand())
    first = creator(verifying(authority), "a.test", contexts=contexts)
    second = creator(verifying(authority), "b.test", contexts=contexts)
    assert first.context is second.context
    context = server(authority.sign("a.test"))
    assert shake(second, context).objection == "the certificate is not for b.test"
    assert shake(first, context) == Shaken("TLSv1.3", "", b"a.test")


def test_not_too_many_contexts(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_tls, "MAX_CONTEXTS", 1)
    contexts = ClientContexts(Inline(), Hand())
    first = creator(verifying(authority), contexts=contexts).context
    assert creator(verifying(authority), contexts=contexts).context is first
    creator(TlsPolicy(Level.MAY), contexts=contexts)
    assert creator(verifying(authority), contexts=contexts).context is not first


def test_what_a_message_may_ask_for() -> None:
    """REQUIRETLS (RFC 8689 section 4.2.1)."""
    policy = TlsPolicy(Level.MAY, implicit=True)
    assert policy.requiring(Level.VERIFY) == TlsPolicy(Level.VERIFY, implicit=True)
    assert policy.requiring(Level.NONE) is policy


def test_in_the_clear_where_tls_failed_and_need_not_be() -> None:
    hand = Hand()
    hosts, may = ClearHosts(hand), TlsPolicy(Level.MAY)
    assert hosts.policy(may, "a.test") == may
    assert hosts.failed(may, "a.test")
    assert hosts.policy(may, "a.test") == TlsPolicy(Level.NONE)
    assert hosts.policy(may, "b.test") == may
    hand.time += CLEAR_AGE
    assert hosts.policy(may, "a.test") == may


@pytest.mark.parametrize(
    "policy",
    [
        TlsPolicy(Level.NONE),
        TlsPolicy(Level.ENCRYPT),
        TlsPolicy(Level.VERIFY),
        TlsPolicy(Level.MAY, implicit=True),
    ],
)
def test_never_in_the_clear_where_tls_must_be(policy: TlsPolicy) -> None:
    """Also where the same host was spoken to in the clear for another message."""
    hosts = ClearHosts(Hand())
    assert not hosts.failed(policy, "a.test")
    assert hosts.policy(TlsPolicy(Level.MAY), "a.test").level is Level.MAY
    assert hosts.failed(TlsPolicy(Level.MAY), "a.test")
    assert hosts.policy(policy, "a.test") == policy


def test_not_too_many_hosts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailsuite.relay.tls.MAX_HOSTS", 2)
    hosts, may = ClearHosts(Hand()), TlsPolicy(Level.MAY)
    for name in ("a.test", "b.test", "a.test", "c.test"):
        hosts.failed(may, name)
    levels = [hosts.policy(may, name).level for name in ("a.test", "b.test", "c.test")]
    assert levels == [Level.NONE, Level.MAY, Level.NONE]
