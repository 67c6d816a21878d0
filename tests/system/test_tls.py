"""What TLS our listeners speak, as OpenSSL's own client sees it from outside (features rows T-01, T-06).

In the spirit of testssl.sh: each way that must fail is one that this very client can go, which a weak server
beside ours proves.
"""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from typing import Final

import attrs
import pytest

from mailsuite.frontends.tls import CIPHERS
from tests.frontends.issuing import issue, rsa_of
from tests.system.harness import PASSWORDS, PATIENCE, Server

LISTENERS: Final = {
    "pop3s": (),
    "pop3": ("pop3",),
    "mx": ("smtp",),
    "submission": ("smtp",),
    "submissions": (),
}
"""Each with what s_client's -starttls calls it."""
ANY: Final = "@SECLEVEL=0"
RESUMED: Final = re.compile(r"^Reused, ", re.MULTILINE)


@attrs.frozen
class Heard:
    """What s_client says of a connection."""

    text: str

    @property
    def cipher(self) -> str:
        """The suite; empty where there was no handshake."""
        found = re.search(r"^(?:New|Reused), (\S+), Cipher is (\S+)$", self.text, re.MULTILINE)
        assert found, self.text
        return "" if found[2] == "(NONE)" else found[2]

    @property
    def alert(self) -> str:
        found = re.search(r"alert ([a-z ]+):", self.text)
        return found[1] if found else ""


def s_client(port: int, *options: str, starttls: tuple[str, ...] = (), say: str = "") -> Heard:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options]
    if starttls:
        command += ["-starttls", *starttls]
    done = subprocess.run(
        command, input=say, capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False
    )
    return Heard(done.stdout + done.stderr)


def suites(*options: str) -> list[str]:
    """The suites that this client knows."""
    command = ["openssl", "ciphers", "-s", *options, f"ALL:COMPLEMENTOFALL:{ANY}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return done.stdout.strip().split(":")


OURS: Final = CIPHERS.decode().split(":")
WEAK: Final = [name for name in suites("-tls1_2") if name not in OURS and not name.startswith("TLS_")]
"""All that we do not offer: without forward secrecy, with CBC, without encryption, without a certificate."""


@pytest.fixture(params=LISTENERS)
def listener(request: pytest.FixtureRequest, server: Server) -> tuple[int, tuple[str, ...]]:
    return server.ports[request.param], LISTENERS[request.param]


@pytest.fixture(scope="module")
def weak_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server that takes whatever the client offers."""
    certificate, key = issue(key=rsa_of(2048)).save(tmp_path_factory.mktemp("weak"), "weak")
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", str(certificate), "-key", str(key)]
    command += ["-cipher", f"ALL:COMPLEMENTOFALL:{ANY}", "-min_protocol", "TLSv1", "-client_renegotiation"]
    command += ["-groups", "P-256:P-224:X25519"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = next(line for line in process.stdout if line.startswith("ACCEPT"))
            yield int(line.rpartition(":")[2])
        finally:
            process.kill()


@pytest.mark.parametrize(("option", "suite"), [("-tls1_3", "TLS_"), ("-tls1_2", "ECDHE-ECDSA-AES128-GCM")])
def test_what_is_spoken(listener: tuple[int, tuple[str, ...]], option: str, suite: str) -> None:
    port, starttls = listener
    heard = s_client(port, option, starttls=starttls)
    assert heard.cipher.startswith(suite)
    assert "Secure Renegotiation IS NOT supported" not in heard.text or option == "-tls1_3"
    assert "Compression: NONE" in heard.text


@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
class TestOldVersions:
    def test_refused(self, listener: tuple[int, tuple[str, ...]], option: str) -> None:
        port, starttls = listener
        heard = s_client(port, option, "-cipher", f"ALL:{ANY}", starttls=starttls)
        assert (heard.cipher, heard.alert) == ("", "protocol version")

    def test_this_client_could(self, weak_port: int, option: str) -> None:
        assert s_client(weak_port, option, "-cipher", f"ALL:{ANY}").cipher


class TestWeakSuites:
    def test_none_of_all_that_there_are(self, listener: tuple[int, tuple[str, ...]]) -> None:
        """In one handshake: the server would choose the one that it likes best."""
        assert len(WEAK) > 50
        port, starttls = listener
        heard = s_client(port, "-tls1_2", "-cipher", f"{':'.join(WEAK)}:{ANY}", starttls=starttls)
        assert (heard.cipher, heard.alert) == ("", "handshake failure")

    @pytest.mark.parametrize(
        "suite", ["AES128-SHA", "ECDHE-RSA-AES128-SHA", "NULL-SHA256", "AECDH-AES128-SHA"]
    )
    def test_this_client_could(self, weak_port: int, suite: str) -> None:
        assert suite in WEAK
        assert s_client(weak_port, "-tls1_2", "-cipher", f"{suite}:{ANY}").cipher == suite

    @pytest.mark.parametrize("suite", [name for name in OURS if "ECDSA" in name])
    def test_each_of_ours_is_spoken(self, server: Server, suite: str) -> None:
        assert s_client(server.ports["pop3s"], "-tls1_2", "-cipher", suite).cipher == suite


class TestCurves:
    @pytest.mark.parametrize("curve", ["X25519", "P-256", "P-384"])
    @pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
    def test_strong_ones(self, server: Server, curve: str, option: str) -> None:
        groups = curve if option == "-tls1_3" or curve == "P-256" else f"{curve}:P-256"  # of the certificate
        assert s_client(server.ports["pop3s"], option, "-groups", groups).cipher

    def test_a_weak_one(self, listener: tuple[int, tuple[str, ...]], weak_port: int) -> None:
        port, starttls = listener
        options = ("-tls1_2", "-cipher", f"ECDHE:{ANY}", "-groups", "P-224")
        assert s_client(port, *options, starttls=starttls).cipher == ""
        assert s_client(weak_port, *options).cipher


class TestRenegotiation:
    """``R`` on a line of its own makes s_client ask for it."""

    def test_refused(self, listener: tuple[int, tuple[str, ...]]) -> None:
        port, starttls = listener
        heard = s_client(port, "-tls1_2", starttls=starttls, say="R\n")
        assert heard.cipher
        assert "RENEGOTIATING" in heard.text
        assert "no renegotiation" in heard.text

    def test_this_client_could(self, weak_port: int) -> None:
        heard = s_client(weak_port, "-tls1_2", say="R\n")
        assert "RENEGOTIATING" in heard.text
        assert "no renegotiation" not in heard.text


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_that_is_resumed_is_logged_in_as_nobody(server: Server, maximum: ssl.TLSVersion) -> None:
    context = server.tls()
    context.maximum_version = maximum
    session, said = None, b""
    for login in (b"USER joe@example.test\r\nPASS " + PASSWORDS["joe@example.test"].encode() + b"\r\n", b""):
        raw = socket.create_connection(("127.0.0.1", server.ports["pop3s"]), PATIENCE)
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as client:
            client.sendall(login + b"STAT\r\nQUIT\r\n")
            said = b"".join(iter(lambda client=client: client.recv(65_536), b""))
            assert bool(client.session_reused) is (login == b"")
            session = client.session
        assert (b"+OK 0 0" in said) is (login != b"")
    assert b"-ERR" in said
