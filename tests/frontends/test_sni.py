"""Which names a certificate has, which one is found for a name, and what is doubtful about it."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from mailsuite.frontends.doubts import doubts
from mailsuite.frontends.sni import NameTable, covers, names_of
from tests.frontends.issuing import DAY, issue, resigned, rsa_of

NOW = datetime.datetime.now(datetime.UTC)


@pytest.mark.parametrize(
    ("common", "alternatives", "names"),
    [
        ("a.test", ["a.test"], ("a.test",)),
        ("ignored.test", ["A.Test", "*.B.test", "a.test"], ("a.test", "*.b.test")),
        ("Only.Common.test", [], ("only.common.test",)),
        ("*.common.test", [], ("*.common.test",)),
        ("Joe's mail server", [], ()),
        ("a.test", ["xn--mller-kva.test"], ("xn--mller-kva.test",)),
        ("müller.test", [], ("xn--mller-kva.test",)),
        ("a.test", ["b.test.", "w*.c.test", "*.*.c.test", "*", ""], ("b.test",)),
    ],
)
def test_the_names_in_it(common: str, alternatives: list[str], names: tuple[str, ...]) -> None:
    assert names_of(issue(common, alternatives).certificate) == names


def test_addresses_are_no_names() -> None:
    """The common name stays the last resort where only an address stands in it."""
    key = rsa_of(2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.test")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + DAY)
    mail = x509.SubjectAlternativeName([x509.RFC822Name("joe@example.test")])
    assert names_of(builder.add_extension(mail, False).sign(key, hashes.SHA256())) == ("a.test",)


TABLE = NameTable(
    [
        (("*.a.test", "mail.b.test"), "first"),
        (("mail.a.test", "mail.b.test", "xn--mller-kva.test"), "second"),
        (("*.b.test",), "third"),
    ]
)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (b"mail.a.test", "second"),  # a whole name comes before a wildcard that was given first
        (b"MAIL.A.TEST", "second"),
        (b"mail.a.test.", "second"),
        (b"other.a.test", "first"),
        (b"a.test", None),
        (b"one.two.a.test", None),
        (b"mail.b.test", "first"),
        (b"pop.b.test", "third"),
        (b"xn--mller-kva.test", "second"),
        (b"XN--MLLER-KVA.test", "second"),
        ("müller.test".encode(), None),
        (b"*.a.test", "first"),
        (b"unknown.test", None),
        (b"test", None),
        (b"", None),
        (None, None),
    ],
)
def test_what_is_found(asked: bytes | None, found: str | None) -> None:
    assert TABLE.find(asked) == found


@pytest.mark.parametrize(
    ("name", "covered"),
    [("a.test", True), ("x.b.test", True), ("*.b.test", True), ("b.test", False), ("*.x.b.test", False)],
)
def test_which_names_it_is_good_for(name: str, covered: bool) -> None:
    assert covers(("a.test", "*.b.test"), name) is covered


class TestDoubts:
    def test_none(self) -> None:
        authority = resigned(issue("authority", [], authority=True, key=rsa_of(2048)), "05")
        good = issue("a.test", ["a.test", "*.b.test"], by=authority)
        chain = (good.certificate, authority.certificate)  # its own signature is not what it is trusted for
        assert doubts(chain, ("a.test", "x.b.test"), NOW) == ()

    @pytest.mark.parametrize(("bits", "words"), [(1024, "1024 bits"), (2048, "")])
    def test_rsa(self, bits: int, words: str) -> None:
        found = " ".join(doubts((issue(key=rsa_of(bits)).certificate,), (), NOW))
        assert words in found
        assert bool(found) is bool(words)

    def test_sha_1_in_its_own_signature(self) -> None:
        [found] = doubts((resigned(issue(key=rsa_of(2048)), "05").certificate,), (), NOW)
        assert "SHA-1" in found

    def test_a_signature_that_nobody_knows_is_not_known_to_be_weak(self) -> None:
        assert doubts((resigned(issue(key=rsa_of(2048)), "7f").certificate,), (), NOW) == ()

    def test_sha_1_further_up(self) -> None:
        root = issue("root", [], authority=True, key=rsa_of(2048))
        middle = resigned(issue("middle", [], by=root, authority=True), "05")
        [found] = doubts((issue(by=middle).certificate, middle.certificate), (), NOW)
        assert "SHA-1" in found

    def test_the_wrong_one_behind_it(self) -> None:
        right, wrong = (issue(name, [], authority=True) for name in ("right", "wrong"))
        certificate = issue(by=right).certificate
        [found] = doubts((certificate, wrong.certificate), (), NOW)
        assert "not its issuer" in found

    def test_not_yet(self) -> None:
        [found] = doubts((issue(begins=NOW + DAY).certificate,), (), NOW)
        assert found.startswith("it is not valid before 20")

    def test_names_that_are_not_in_it(self) -> None:
        found = doubts((issue("a.test").certificate,), ("a.test", "b.test"), NOW)
        assert found == ("it is shown for b.test, which is not in it",)
