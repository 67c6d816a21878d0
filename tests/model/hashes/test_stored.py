"""Which password hashes are taken: by the configuration, at a login, and out of other servers' files."""

import pytest

from mailsuite.model.hashes.stored import Plain, is_readable, looks_hashed, of_foreign_file, read_hash
from mailsuite.model.hashes.values import Argon2, Crypt, Digest, HashRefused, Pbkdf2, Scram, Scrypt

HASH = "$argon2id$v=19$m=19456,t=2,p=1$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNoLCBvbmx5IGFuIGV4YW1wbGU"
SALT, TAG = HASH.split("$")[4:]
SHA512 = "$6$rounds=1000$lantern$" + 86 * "a"
SHA256 = "$5$lantern$" + 43 * "a"
MD5 = "$1$lantern$" + 22 * "a"
BCRYPT = "$2b$12$" + 53 * "a"
YESCRYPT = "$y$j9T$lantern$" + 43 * "a"
DES = "k9lc5WfPHTzec"
KEY = "Y29wcGVyLWxhbnRlcm4"  # 14 octets
LONG_KEY = "jjgmoKSqeVLuwvWEGR328ndoh4I8BlZIgGxUIvFVizM"  # 32
SHA1_64 = "h/v/8yiiFOKl52TxG0GXPTvjxTE="


@pytest.mark.parametrize(
    ("stored", "readable"),
    [
        (HASH, True),
        (f"$argon2id$v=19$m=65536,t=3,p=2${SALT}${TAG}", True),
        (f"$argon2i$v=19$m=19456,t=2,p=1${SALT}${TAG}", True),
        (f"$argon2id$v=19$m=1048576,t=4,p=64${SALT}${TAG}", True),
        (f"$argon2id$v=19$m=1048576,t=5,p=64${SALT}${TAG}", False),
        (f"$argon2id$v=19$m=1048577,t=2,p=1${SALT}${TAG}", False),
        (f"$argon2id$v=19$m=19456,t=64,p=1${SALT}${TAG}", True),
        (f"$argon2id$v=19$m=19456,t=65,p=1${SALT}${TAG}", False),
        (f"$argon2id$v=19$m=19456,t=2,p=65${SALT}${TAG}", False),
        (f"$argon2id$v=19$m=19456,t=0,p=1${SALT}${TAG}", False),
        (f"$argon2id$v=19$m=19456,t=2,p=0${SALT}${TAG}", False),
        (f"$argon2id$v=19$m=15,t=2,p=2${SALT}${TAG}", False),
        (f"$argon2id$v=19$m=99999999999,t=2,p=1${SALT}${TAG}", False),
        (f"$argon2d$v=19$m=19456,t=2,p=1${SALT}${TAG}", False),
        (f"$argon2id$v=16$m=19456,t=2,p=1${SALT}${TAG}", False),
        (f"$argon2id$m=19456,t=2,p=1${SALT}${TAG}", False),
        (HASH + "\n", False),
        (HASH + "$", False),
        (" " + HASH, False),
        (HASH[:40], False),
        (HASH + "A" * 200, False),
        ("", False),
        ("$", False),
        ("secret", False),
        ("$argon2id$\ud800", False),
        (f"$scrypt$ln=16,r=8,p=1${KEY}${LONG_KEY}", True),
        (f"$scrypt$ln=20,r=8,p=1${KEY}${LONG_KEY}", True),
        (f"$scrypt$ln=20,r=8,p=2${KEY}${LONG_KEY}", False),
        (f"$scrypt$ln=21,r=8,p=1${KEY}${LONG_KEY}", False),
        (f"$scrypt$ln=99,r=999999,p=999999${KEY}${LONG_KEY}", False),
        (f"$scrypt$ln=0,r=8,p=1${KEY}${LONG_KEY}", False),
        (f"$scrypt$ln=16,r=1,p=1${KEY}${LONG_KEY}", False),
        (f"$scrypt$ln=15,r=1,p=1${KEY}${LONG_KEY}", True),
        (f"$scrypt$ln=16,r=0,p=1${KEY}${LONG_KEY}", False),
        (f"$scrypt$ln=16,r=8,p=0${KEY}${LONG_KEY}", False),
        (f"$scrypt$ln=16,r=8,p=1${KEY}${KEY}", False),
        (f"$scrypt$ln=16,r=8,p=1${180 * 'A'}${LONG_KEY}", False),
        (f"$scrypt$ln=16,r=8,p=1$A${LONG_KEY}", False),
        (f"$pbkdf2-sha256$29000${KEY}${LONG_KEY}", True),
        (f"$pbkdf2-sha512$i=29000,l=32${KEY}${LONG_KEY}", True),
        (f"$pbkdf2$29000${KEY}${LONG_KEY}", True),
        (f"$pbkdf2-sha256$2000000${KEY}${LONG_KEY}", True),
        (f"$pbkdf2-sha256$2000001${KEY}${LONG_KEY}", False),
        (f"$pbkdf2-sha256$0${KEY}${LONG_KEY}", False),
        (f"$pbkdf2-md5$29000${KEY}${LONG_KEY}", False),
        (SHA512, True),
        (SHA512.replace("1000", "1000000"), True),
        (SHA512.replace("1000", "1000001"), False),
        (SHA512.replace("1000", "999"), False),
        (SHA512.replace("rounds=1000$", ""), True),
        (SHA512[:-1], False),
        (SHA512.replace("lantern", 17 * "x"), False),
        (SHA512.replace("lantern", "lan:ern"), False),
        (SHA256, True),
        (SHA256.replace("lantern", "rounds=1000001$lantern"), False),
        (MD5, True),
        (MD5 + "a", False),
        (BCRYPT, True),
        (BCRYPT.replace("2b", "2a"), True),
        (BCRYPT.replace("2b", "2y"), True),
        (BCRYPT.replace("2b", "2x"), False),
        (BCRYPT.replace("12", "15"), True),
        (BCRYPT.replace("12", "16"), False),
        (BCRYPT.replace("12", "03"), False),
        (BCRYPT.replace("12", "00"), False),
        (YESCRYPT, True),
        (YESCRYPT.replace("$y", "$gy"), True),
        (YESCRYPT.replace("j9T", "jFT"), True),
        (YESCRYPT.replace("j9T", "jGT"), False),
        (YESCRYPT.replace("j9T", "j9k"), False),
        (YESCRYPT.replace("j9T", "j9T/."), False),
        (YESCRYPT.replace("j9T", ".9T"), False),
        ("$7$CU..../....lantern$" + 43 * "a", False),
        (DES, False),
        (f"{{CRYPT}}{DES}", True),
        (f"{{des-crypt}}{DES}", True),
        (f"{{CRYPT}}{SHA512}", True),
        (f"{{DES-CRYPT}}{SHA512}", False),
        (f"{{SHA512-CRYPT}}{SHA512}", True),
        (f"{{SHA512-CRYPT}}{SHA256}", False),
        (f"{{SHA256-CRYPT}}{SHA256}", True),
        (f"{{MD5-CRYPT}}{MD5}", True),
        (f"{{MD5}}{MD5}", True),
        (f"{{BLF-CRYPT}}{BCRYPT}", True),
        (f"{{BLF-CRYPT}}{BCRYPT.replace('12', '16')}", False),
        (f"{{ARGON2ID}}{HASH}", True),
        (f"{{ARGON2I}}{HASH}", False),
        (f"{{SHA}}{SHA1_64}", True),
        (f"{{SHA1}}{SHA1_64}", True),
        (f"{{SHA}}{SHA1_64[:-1]}", True),
        (f"{{SHA}}{40 * 'a'}", True),
        (f"{{SHA}}{39 * 'a'}", False),
        (f"{{SHA.hex}}{40 * 'a'}", True),
        (f"{{SHA.hex}}{SHA1_64}", False),
        (f"{{SHA.B64}}{SHA1_64}", True),
        (f"{{SHA.base64}}{SHA1_64}", True),
        (f"{{SHA.b32}}{SHA1_64}", False),
        (f"{{SHA256}}{SHA1_64}", False),
        (f"{{SSHA}}{SHA1_64}", False),
        ("{SSHA}3j81PdzjVgkGxt/4Qbvmk4YmXoZ2aXZpZHNhbA==", True),
        ("{SSHA.hex}" + 44 * "a", True),
        ("{SSHA.hex}" + 400 * "a", False),
        ("{SSHA}c2VjcmV0", False),
        ("{PLAIN-MD5}" + 32 * "a", True),
        ("{LDAP-MD5}t2NuOHK1R8E7b/mW7MB1Ig==", True),
        ("{SHA512-CRYPT.b64}/w==", False),
        ("{PBKDF2}$1$salt$5000$" + 40 * "a", True),
        ("{PBKDF2}$1$salt$5000$" + 39 * "a", False),
        ("{PBKDF2}$1$salt$2000001$" + 40 * "a", False),
        (f"{{SCRAM-SHA-1}}4096,{KEY}=,{SHA1_64},{SHA1_64}", True),
        (f"{{SCRAM-SHA-1}}4096,{KEY}=,{SHA1_64}", False),
        (f"{{SCRAM-SHA-256}}4096,{KEY}=,{SHA1_64},{SHA1_64}", False),
        (f"{{SCRAM-SHA-1}}2000001,{KEY}=,{SHA1_64},{SHA1_64}", False),
        ("{PLAIN}secret-canary", False),
        ("{CRAM-MD5}" + 64 * "a", False),
        ("{NTLM}" + 32 * "a", False),
        ("{NOBODYS}secret-canary", False),
        ("{SSHA}" + 1100 * "A", False),
        ("{SSHA}\u00fc", False),
    ],
)
def test_which_hashes_are_read(stored, readable):
    assert is_readable(stored) == readable


@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        (HASH, Argon2),
        (SHA512, Crypt),
        (f"{{SHA}}{SHA1_64}", Digest),
        ("{PBKDF2}$1$salt$5000$" + 40 * "a", Pbkdf2),
        (f"$scrypt$ln=16,r=8,p=1${KEY}${LONG_KEY}", Scrypt),
        (f"{{SCRAM-SHA-1}}4096,{KEY}=,{SHA1_64},{SHA1_64}", Scram),
    ],
)
def test_what_is_read_does_not_show_itself(stored, kind):
    read = read_hash(stored)
    assert isinstance(read, kind)
    for part in (*stored.split("$"), *stored.split(",")):
        assert len(part) <= 8 or part not in repr(read)


@pytest.mark.parametrize(
    "stored",
    [
        "hunter2-canary",
        "$6$canary",
        "{SSHA}canary",
        "{SHA.b64}canary!",
        "{SHA.hex}canary",
        "{PBKDF2}canary",
        "{SCRAM-SHA-1}canary",
        "{CRAM-MD5}canary",
        "{PLAIN}canary",
        "$scrypt$canary",
        "$canary$canary",
        "{CRYPT}canary",
        "{SHA512-CRYPT}canary",
        "{SHA512}canary",
    ],
)
def test_a_refusal_says_why_and_quotes_nothing(stored):
    with pytest.raises(HashRefused) as refused:
        read_hash(stored)
    assert len(str(refused.value)) > 20
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("", ""),
        ("!", ""),
        ("!!", ""),
        ("*", ""),
        ("*LK*", ""),
        (f"!{SHA512}", ""),
        ("{CRYPT}", ""),
        ("{CRYPT}!", ""),
        ("{crypt}*", ""),
        ("{PLAIN}", ""),
        (SHA512, SHA512),
        (HASH, HASH),
        (DES, f"{{CRYPT}}{DES}"),
        (f"{{CRYPT}}{DES}", f"{{CRYPT}}{DES}"),
        ("{SSHA}3j81PdzjVgkGxt/4Qbvmk4YmXoZ2aXZpZHNhbA==", "{SSHA}3j81PdzjVgkGxt/4Qbvmk4YmXoZ2aXZpZHNhbA=="),
        ("{PLAIN}copper-lantern", Plain("copper-lantern")),
        ("{cleartext}{b}", Plain("{b}")),
        ("{CLEAR.b64}w7xiZXI=", Plain("\u00fcber")),
    ],
)
def test_what_a_foreign_file_means(field, meant):
    assert of_foreign_file(field) == meant


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("x", "/etc/shadow"),
        ("hunter2-canary", "{PLAIN}"),
        ("$6$canary", "cut off"),
        ("{CRYPT}canary", "cut off"),
        ("{PLAIN.b64}/w==", "no text"),
        ("{PLAIN.rot13}canary", "no encoding"),
        ("{DIGEST-MD5}canary", "as good as the password"),
        ("{OTP}sha1 1024 canary", "lasts"),
        ("{PLAIN-TRUNC}10-canary", "cut off"),
    ],
)
def test_what_is_not_taken_from_a_foreign_file(field, words):
    with pytest.raises(HashRefused, match=words) as refused:
        of_foreign_file(field)
    assert "canary" not in str(refused.value)


def test_a_password_from_a_file_does_not_show_itself():
    assert "canary" not in repr(of_foreign_file("{PLAIN}canary"))


@pytest.mark.parametrize(
    ("text", "hashed"),
    [
        (SHA512, True),
        ("$6$", True),
        ("$argon2id$cut", True),
        ("{SSHA}cut", True),
        ("{SSHA.rot13}cut", True),
        ("{}cut", False),
        ("$ecret", False),
        ("a6$x", False),
        ("copper-lantern", False),
        ("", False),
    ],
)
def test_what_must_not_be_taken_for_a_password(text, hashed):
    assert looks_hashed(text) == hashed
