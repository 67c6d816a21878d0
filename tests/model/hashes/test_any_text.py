"""Whatever stands where a hash should be: it is read, or refused in words, and nothing else happens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.hashes.dovecot import _NOT_TAKEN, _READERS
from mailsuite.model.hashes.stored import is_readable, looks_hashed, of_foreign_file
from mailsuite.model.hashes.values import HashRefused

NAMES = sorted({*_READERS, *_NOT_TAKEN, "NOBODYS"})
BODIES = st.one_of(
    st.text(max_size=80),
    st.text("./0123456789abcdefABCDEF=$,+-_", max_size=120),
    st.from_regex(r"\A\$(argon2id|scrypt|pbkdf2-sha256|5|6|2b|y)\$[a-z0-9=,]{0,20}\$[A-Za-z]{0,60}\Z"),
)
PREFIXES = st.one_of(
    st.just(""),
    st.builds("{{{}}}".format, st.sampled_from(NAMES)),
    st.builds("{{{}.{}}}".format, st.sampled_from(NAMES), st.sampled_from(["b64", "hex", "HEX", "rot13"])),
)
FIELDS = st.builds(str.__add__, PREFIXES, BODIES)


@given(FIELDS)
def test_it_is_read_or_refused(field: str) -> None:
    looks_hashed(field)
    try:
        meant = of_foreign_file(field)
    except HashRefused:
        return
    if isinstance(meant, str) and meant:
        assert is_readable(meant)
