"""Passwords checked by OpenLDAP's slapd: binds, searches, TLS, and what names must not be able to say."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.sources.opening import open_sources
from mailsuite.concurrent.threads import Inline
from mailsuite.config.sources import SourceBlock
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.observe.log import Log
from tests.accounts.sources.certificates import Authority, Pair
from tests.interop.programs import PATIENCE, SEARCH_PATH, needs
from tests.ports import free_port

pytestmark = needs("slapd")

SUFFIX = "dc=example,dc=net"
PEOPLE = f"ou=people,{SUFFIX}"
MAIL_READER = f"cn=mail,{SUFFIX}"
PASSWORDS = {
    "joe": "canary-joe",
    "ann": "canary änn",
    "o'neil+x": "canary-neil",
    "jörg": "canary-joerg",
    "a,b": "canary-ab",
}

CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
argsfile {folder}/args
sizelimit 10
TLSCACertificateFile {authority}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
database mdb
directory {folder}/data
suffix "{suffix}"
rootdn "cn=admin,{suffix}"
rootpw canary-admin
maxsize 10485760
access to attrs=userPassword by anonymous auth
access to * by dn.exact="{reader}" read by anonymous auth
"""


def _entry(name: str, password: str) -> str:
    escaped = "".join(f"\\{octet:02x}" for octet in name.encode())
    return (
        f"dn: uid={escaped},{PEOPLE}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {name}\nuid: {name}\n"
        f"mail: {name}@example.net\nuserPassword: {password}\n\n"
    )


LDIF = (
    f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n\n"
    f"dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n\n"
    f"dn: {MAIL_READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: mail\n"
    "userPassword: canary-reader\n\n"
    + "".join(_entry(name, password) for name, password in PASSWORDS.items())
    + f"dn: uid=none,{PEOPLE}\nobjectClass: inetOrgPerson\ncn: n\nsn: n\nuid: none\n"
    "mail: none@example.net\n\n"
    + "".join(
        f"dn: uid=twin{number},{PEOPLE}\nobjectClass: inetOrgPerson\ncn: t\nsn: t\nuid: twin{number}\n"
        "mail: twin@example.net\nuserPassword: canary-twin\n\n"
        for number in range(3)
    )
)


@attrs.define
class Slapd:
    """A slapd of the tests' own, which ends with them."""

    folder: Path
    authority: Authority
    pair: Pair
    ports: tuple[int, int] = (0, 0)
    process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        (self.folder / "data").mkdir()
        text = CONFIGURATION.format(
            folder=self.folder,
            authority=self.authority.file,
            certificate=self.pair.certificate,
            key=self.pair.key,
            suffix=SUFFIX,
            reader=MAIL_READER,
        )
        (self.folder / "slapd.conf").write_text(text)
        (self.folder / "ldif").write_text(LDIF)
        self._program("slapadd", "-f", f"{self.folder}/slapd.conf", "-l", f"{self.folder}/ldif")

    def _program(self, *words: str) -> None:
        done = subprocess.run(
            words, env={"PATH": SEARCH_PATH}, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """On ports that were free just now; another time where somebody was faster."""
        for _ in range(5):
            self.ports = free_port(), free_port()
            clear, tls = (
                f"{scheme}://127.0.0.1:{port}"
                for scheme, port in zip(("ldap", "ldaps"), self.ports, strict=True)
            )
            with (self.folder / "said").open("wb") as said:
                self.process = subprocess.Popen(
                    ["slapd", "-d", "0", "-h", f"{clear} {tls}", "-f", f"{self.folder}/slapd.conf"],
                    env={"PATH": SEARCH_PATH},
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                )
            if self._answers():
                return
        raise AssertionError((self.folder / "said").read_text())

    def _answers(self) -> bool:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process is not None and self.process.poll() is None:
            try:
                for port in self.ports:
                    socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return True
        return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE)


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with tempfile.TemporaryDirectory(prefix="ms-") as name:
        folder = Path(name)
        authority = Authority(folder)
        made = Slapd(folder, authority, authority.sign("127.0.0.1", "localhost"))
        made.prepare()
        made.start()
        try:
            yield made
        finally:
            made.stop()


@pytest.mark.usefixtures("_given")
class SlapdTests(TestCase):
    """Real binds over real sockets."""

    slapd: Slapd

    @pytest.fixture
    def _given(self, slapd: Slapd) -> None:
        self.slapd = slapd

    def setUp(self) -> None:
        self.lines: list[str] = []
        self.secret = self.slapd.folder / "secret"
        self.secret.write_text("canary-reader\n")

    def by_name(self, **keys: object) -> dict[str, object]:
        return {"bind_dn": f"uid={{local}},{PEOPLE}", **keys}

    def by_search(self, **keys: object) -> dict[str, object]:
        search = {"base": SUFFIX, "filter": "(&(objectClass=person)(mail={address}))"}
        return {**search, "search_dn": MAIL_READER, "search_password_file": self.secret, **keys}

    def ldaps(self) -> dict[str, object]:
        return {"url": f"ldaps://127.0.0.1:{self.slapd.ports[1]}", "ca_file": self.slapd.authority.file}

    def start_tls(self) -> dict[str, object]:
        return {"url": f"ldap://localhost:{self.slapd.ports[0]}", "ca_file": self.slapd.authority.file}

    def clear(self) -> dict[str, object]:
        return {"url": f"ldap://127.0.0.1:{self.slapd.ports[0]}", "starttls": False}

    async def says(self, keys: dict[str, object], local: str, password: str) -> bool:
        block = SourceBlock(name="slapd", type="ldap", cache=0.0, cache_refused=0.0, **keys)  # type: ignore[arg-type]
        log = Log(lambda line, level: self.lines.append(line))
        sources = open_sources([block], reactor, threads=Inline(), passwords=Passwords(Inline()), log=log)
        return await sources.check(Address(local, "example.net"), password)

    async def is_down(self, keys: dict[str, object], words: str) -> None:
        try:
            answer = await self.says(keys, "joe", PASSWORDS["joe"])
        except TemporaryFailure as failure:
            self.assertIn(words, failure.detail)
        else:
            self.fail(f"{answer} instead of a failure")
        self.assertNotIn("canary", "".join(self.lines))

    async def test_every_way_there(self) -> None:
        for way in (self.ldaps(), self.start_tls(), self.clear()):
            for entry in (self.by_name(), self.by_search()):
                self.assertTrue(await self.says({**way, **entry}, "joe", PASSWORDS["joe"]))
                self.assertFalse(await self.says({**way, **entry}, "joe", "wrong"))
        self.assertEqual(self.lines, [])

    async def test_names_with_all_that_means_something(self) -> None:
        by_uid = self.by_search(filter="(&(uid={local})(objectClass=person))")  # mail itself is ASCII there
        for entry in (self.by_name(), by_uid):
            for name, password in PASSWORDS.items():
                keys = {**self.clear(), **entry}
                self.assertTrue(await self.says(keys, name, password), name)
                self.assertFalse(await self.says(keys, name, "wrong"), name)

    async def test_no_name_says_more_than_a_name(self) -> None:
        for local in (
            *("*", "jo*", "*)(uid=*", "joe)(uid=joe", "*)(|(uid=*", "x)(!(uid=y", "joe)(&", ")", "\\2a"),
            *(
                f"joe,{PEOPLE}",
                f"x+uid=joe,{PEOPLE}",
                "joe,ou=people",
                '"joe"',
                "#6a6f65",
                "joe\0",
                "",
            ),
            "joe@example.net,ou=x",
        ):
            for entry in (self.by_name(), self.by_search()):
                keys = {**self.clear(), **entry}
                try:
                    self.assertFalse(await self.says(keys, local, PASSWORDS["joe"]), local)
                except TemporaryFailure as failure:  # an empty uid is no name at all to slapd
                    self.assertIn("result 34", failure.detail)

    async def test_an_empty_password_is_nobodys(self) -> None:
        """slapd would say yes: it is an unauthenticated bind."""
        for entry in (self.by_name(), self.by_search()):
            for password in ("", "\0", "\0x"):
                self.assertFalse(await self.says({**self.clear(), **entry}, "joe", password))

    async def test_nobody_and_an_entry_without_a_password(self) -> None:
        for entry in (self.by_name(), self.by_search()):
            for local in ("nobody", "none"):
                self.assertFalse(await self.says({**self.clear(), **entry}, local, "x"))

    async def test_what_is_set_wrongly_is_no_wrong_password(self) -> None:
        reader = self.by_search(search_dn=f"cn=other,{SUFFIX}")
        await self.is_down({**self.clear(), **reader}, "search_dn is not let in: result 49")
        await self.is_down({**self.clear(), **self.by_search(base="dc=elsewhere")}, "search: result 32")
        twins = self.by_search(filter="(|(uid={local})(mail=twin@example.net))")
        await self.is_down({**self.clear(), **twins}, "more than one entry")
        await self.is_down({**self.clear(), **self.by_name(bind_dn="{local}")}, "bind: result 34")

    async def test_certificates_of_others(self) -> None:
        stranger = Authority(self.slapd.folder, "stranger")
        for way in (self.ldaps(), self.start_tls()):
            for ca_file in (stranger.file, None):
                await self.is_down({**way, **self.by_name(), "ca_file": ca_file}, "certificate verify failed")

    async def test_a_server_that_is_not_ldap(self) -> None:
        way = {"url": f"ldap://127.0.0.1:{self.slapd.ports[1]}", "starttls": False}  # TLS is spoken there
        await self.is_down({**way, **self.by_name(), "timeout": 2.0}, "")
        way = {"url": f"ldaps://127.0.0.1:{self.slapd.ports[0]}"}
        await self.is_down({**way, **self.by_name(), "timeout": 2.0}, "")

    async def test_nobody_there(self) -> None:
        way = {"url": f"ldap://127.0.0.1:{free_port()}", "starttls": False}
        await self.is_down({**way, **self.by_name()}, "refused")
        self.assertIn("source.down source=slapd", "".join(self.lines))

    async def test_a_server_that_says_nothing_takes_five_seconds(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            way = {"url": f"ldap://127.0.0.1:{silent.getsockname()[1]}", "starttls": False}
            begins = time.monotonic()
            await self.is_down({**way, **self.by_name()}, "no answer within 5 seconds")
            self.assertGreaterEqual(time.monotonic() - begins, 4.9)
            self.assertLess(time.monotonic() - begins, 15)
