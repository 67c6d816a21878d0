"""Which password hashes are taken: by the configuration, and at a login."""

import pytest

from mailsuite.model.phc import is_readable

HASH = "$argon2id$v=19$m=19456,t=2,p=1$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNoLCBvbmx5IGFuIGV4YW1wbGU"
SALT, TAG = HASH.split("$")[4:]


@pytest.mark.parametrize(
    ("stored", "readable"),
    [
        (HASH, True),
        (f"$argon2id$v=19$m=65536,t=3,p=2${SALT}${TAG}", True),
        (f"$argon2id$v=19$m=1048576,t=64,p=64${SALT}${TAG}", True),
        (f"$argon2id$v=19$m=1048577,t=2,p=1${SALT}${TAG}", False),
        (f"$argon2id$v=19$m=19456,t=65,p=1${SALT}${TAG}", False),
        (f"$argon2id$v=19$m=19456,t=2,p=65${SALT}${TAG}", False),
        (f"$argon2id$v=19$m=19456,t=0,p=1${SALT}${TAG}", False),
        (f"$argon2id$v=19$m=19456,t=2,p=0${SALT}${TAG}", False),
        (f"$argon2id$v=19$m=15,t=2,p=2${SALT}${TAG}", False),
        (f"$argon2id$v=19$m=99999999999,t=2,p=1${SALT}${TAG}", False),
        (f"$argon2i$v=19$m=19456,t=2,p=1${SALT}${TAG}", False),
        (f"$argon2id$v=16$m=19456,t=2,p=1${SALT}${TAG}", False),
        (f"$argon2id$m=19456,t=2,p=1${SALT}${TAG}", False),
        (HASH + "\n", False),
        (HASH + "$", False),
        (" " + HASH, False),
        (HASH[:40], False),
        (HASH + "A" * 200, False),
        ("", False),
        ("secret", False),
        ("$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234", False),
        ("{SSHA}c2VjcmV0", False),
        ("$argon2id$\ud800", False),
    ],
)
def test_which_hashes_are_read(stored, readable):
    assert is_readable(stored) == readable
