"""The key file, and what is sealed under it."""

import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.accounts.keyring import MAX_FILE_OCTETS, Keyring, KeyringError, SealBroken

KEY = "A" * 43 + "="
OTHER = "B" * 42 + "A="
RING = Keyring.new()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys" / "seal.key"


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def written(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode("utf-8"))
    path.chmod(0o600)
    return path


def test_the_first_start_makes_the_file_for_nobody_else(path):
    before = os.umask(0)
    try:
        ring = Keyring.load_or_create(path)
    finally:
        os.umask(before)
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["seal.key"]
    again = Keyring.load_or_create(path)
    assert again.unseal(ring.seal(b"secret", "x"), "x") == b"secret"
    assert again.salt("joe") == ring.salt("joe")


def test_a_file_that_is_lost_is_not_replaced(path):
    """Else what its copy opens would be found out to be lost when the copy is gone, too."""
    with pytest.raises(KeyringError, match=r"seal\.key is missing, and .*12.*copy.*mailsuite key new"):
        Keyring.load_or_create(path, lambda: 12)
    assert not path.parent.exists()
    assert len(Keyring.load_or_create(path, lambda: 0)) == 1
    assert len(Keyring.load_or_create(path, lambda: 12)) == 1


def test_a_file_that_is_there_is_never_replaced(path, tmp_path):
    Keyring.create(path)
    with pytest.raises(KeyringError, match="is there"):
        Keyring.create(path)
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(KeyringError, match="is there"):
        Keyring.create(tmp_path / "link")


def test_who_has_the_keys_yet_writes_them_down_again(path):
    ring = Keyring.load_or_create(path)
    sealed = ring.seal(b"secret", "x")
    path.unlink()
    path.parent.rmdir()
    ring.with_new_key(path)
    assert Keyring.load_or_create(path).unseal(sealed, "x") == b"secret"


def test_the_file_is_text_with_the_newest_key_first(path):
    Keyring.load_or_create(path).with_new_key(path).with_new_key(path)
    lines = [line for line in path.read_text("ascii").splitlines() if not line.startswith("#")]
    assert [line.split()[0] for line in lines] == ["salt", "3", "2", "1"]
    assert len({line.split()[1] for line in lines}) == 4
    assert mode(path) == 0o600


def test_two_key_files_have_nothing_in_common(tmp_path):
    one, other = (Keyring.load_or_create(tmp_path / name / "seal.key") for name in "ab")
    assert one.salt("joe") != other.salt("joe")
    with pytest.raises(SealBroken):
        other.unseal(one.seal(b"secret", "x"), "x")


def test_a_new_key_seals_and_the_old_one_opens(path):
    old = Keyring.load_or_create(path)
    sealed = old.seal(b"secret", "x")
    both = old.with_new_key(path)
    for ring in (both, Keyring.load_or_create(path)):
        assert len(ring) == 2
        assert ring.unseal(sealed, "x") == b"secret"
        assert not ring.is_current(sealed)
        assert ring.is_current(ring.seal(b"secret", "x"))
        assert ring.salt("joe") == old.salt("joe")
        assert ring.derived("joe") == old.derived("joe")
    fresh = both.seal(b"secret", "x")
    for ring in (both.drop_old_keys(path), Keyring.load_or_create(path)):
        assert len(ring) == 1
        assert ring.unseal(fresh, "x") == b"secret"
        assert ring.salt("joe") == old.salt("joe")
        assert ring.derived("joe") == old.derived("joe")
        with pytest.raises(SealBroken):
            ring.unseal(sealed, "x")


def test_a_number_is_never_given_again(path):
    ring = Keyring.load_or_create(path)
    sealed = ring.seal(b"secret", "x")
    ring = ring.with_new_key(path).drop_old_keys(path).with_new_key(path)
    with pytest.raises(SealBroken):
        ring.unseal(sealed, "x")


@pytest.mark.parametrize("bits", [0o644, 0o640, 0o604, 0o620, 0o610])
def test_a_file_that_is_open_to_others_is_refused(path, bits):
    Keyring.load_or_create(path)
    path.chmod(bits)
    with pytest.raises(KeyringError, match=r"open to others.*chmod 600"):
        Keyring.load_or_create(path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no key for salts"),
        (f"1 {KEY}\n", "no key for salts"),
        (f"salt {KEY}\n", "has no key$"),
        ("# nothing\n\n", "no key for salts"),
        (f"salt {KEY}\n1 {KEY}", "cut off"),
        (f"salt {KEY}\n1 {KEY[:-3]}\n", ":2 is no key"),
        (f"salt {KEY}\n1 {KEY[4:]}\n", ":2 is no key"),
        (f"salt {KEY}\n0 {KEY}\n", ":2 is no key"),
        (f"salt {KEY}\n1  {KEY}\n", ":2 is no key"),
        (f"salt {KEY}\n1 {KEY}\r\n", ":2 is no key"),
        (f"salt {KEY}\n-1 {KEY}\n", ":2 is no key"),
        (f"salt {KEY}\n1 {KEY}\n1 {OTHER}\n", ":3 is no key, or the second"),
        (f"salt {KEY}\nsalt {OTHER}\n1 {KEY}\n", ":2 is no key, or the second"),
        (f"salt {KEY}\n9999999999 {KEY}\n", ":2 is no key"),
        (f"salt {KEY}\ncanary-\u00e9\n", ":2 is no key"),
        ("#" * (MAX_FILE_OCTETS + 1), "longer than"),
    ],
)
def test_a_broken_file_is_refused_in_words_that_show_nothing_of_it(path, text, why):
    written(path, text)
    with pytest.raises(KeyringError, match=why) as caught:
        Keyring.load_or_create(path)
    assert str(path) in str(caught.value)
    assert "AAAA" not in str(caught.value)
    assert "canary" not in str(caught.value)
    assert path.read_bytes() == text.encode("utf-8")


def test_a_file_that_somebody_wrote_by_hand_is_read(path):
    ring = Keyring.load_or_create(written(path, f"# ours\n\nsalt {KEY}\n7 {OTHER}\n12 {KEY}\n"))
    assert len(ring) == 2
    assert ring.with_new_key(path).is_current(Keyring.load_or_create(path).seal(b"", "")) is True
    assert "\n13 " in path.read_text("ascii")


def test_no_link_and_no_directory_is_followed(path, tmp_path):
    written(tmp_path / "elsewhere", f"salt {KEY}\n1 {KEY}\n")
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyringError, match=r"seal\.key"):
        Keyring.load_or_create(path)
    path.unlink()
    path.mkdir(mode=0o700)
    with pytest.raises(KeyringError, match="no plain file"):
        Keyring.load_or_create(path)


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(KeyringError, match="No such file"):
        Keyring.load_or_create(tmp_path / "not" / "there" / "seal.key")
    with pytest.raises(KeyringError, match="No such file"):
        RING.with_new_key(tmp_path / "not" / "there" / "seal.key")


def test_what_an_interrupted_rotation_left_is_in_nobody_s_way(path):
    ring = Keyring.load_or_create(path)
    path.with_name("seal.key.new").write_text("half a key")
    ring.with_new_key(path)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["seal.key"]
    assert len(Keyring.load_or_create(path)) == 2


def test_the_file_is_durable_before_it_has_its_name(path, monkeypatch):
    """fsync(file), rename, fsync(directory), in this order; the directory that is made too."""
    calls = []
    fsync, rename = os.fsync, os.rename

    def noted_fsync(descriptor):
        calls.append(("fsync", os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))))
        fsync(descriptor)

    def noted_rename(source, target, **others):
        calls.append(("rename", os.path.basename(source)))
        rename(source, target, **others)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)
    ring = Keyring.load_or_create(path)
    replacing = [("fsync", "seal.key.new"), ("rename", "seal.key.new"), ("fsync", "keys")]
    assert calls == [("fsync", path.parent.parent.name), *replacing]
    calls.clear()
    ring.with_new_key(path)
    assert calls == replacing


def test_a_directory_that_is_there_is_used(path):
    path.parent.mkdir(mode=0o700)
    Keyring.load_or_create(path)
    assert mode(path) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_leaves_the_file_to_whom_it_belongs(path):
    ring = Keyring.load_or_create(path)
    os.chown(path, 65534, 65533)
    ring.with_new_key(path)
    status = path.lstat()
    assert (status.st_uid, status.st_gid, mode(path)) == (65534, 65533, 0o600)


def test_a_rotation_that_cannot_be_written_leaves_the_old_file(path, monkeypatch):
    ring = Keyring.load_or_create(path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyringError, match="No space left"):
        ring.with_new_key(path)
    assert path.read_bytes() == before


def test_salts_are_fixed_short_and_tell_names_apart():
    salts = {RING.salt(text) for text in ("", "joe", "ann", "sha1\0joe", "\udc80")}
    assert len(salts) == 5
    assert {len(salt) for salt in salts} == {16}
    assert RING.salt("joe") == RING.salt("joe")


def test_it_shows_nothing():
    assert repr(RING) == "Keyring()"


@given(st.binary(), st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_comes_back_and_looks_different_each_time(plain, about):
    sealed = RING.seal(plain, about)
    assert RING.unseal(sealed, about) == plain
    assert RING.is_current(sealed)
    assert RING.seal(plain, about) != sealed
    assert len(plain) < 8 or plain not in sealed


@given(st.binary(max_size=40), st.data())
def test_any_octet_that_was_changed_breaks_it(plain, data):
    sealed = bytearray(RING.seal(plain, "x"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken):
        RING.unseal(bytes(sealed), "x")


@given(st.binary(max_size=40), st.data())
def test_cut_off_or_prolonged_it_is_broken(plain, data):
    sealed = RING.seal(plain, "x")
    for changed in (sealed[: data.draw(st.integers(0, len(sealed) - 1))], sealed + b"\0"):
        with pytest.raises(SealBroken):
            RING.unseal(changed, "x")


@given(st.binary(max_size=80))
def test_what_was_never_sealed_is_broken(junk):
    with pytest.raises(SealBroken):
        RING.unseal(junk, "x")


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_sealed_for_one_thing_it_opens_for_no_other(one, other):
    sealed = RING.seal(b"secret", one)
    if one != other:
        with pytest.raises(SealBroken):
            RING.unseal(sealed, other)


def test_derived_keys_are_fixed_and_no_salts():
    keys = {RING.derived(text) for text in ("", "joe", "ann")}
    assert len(keys) == 3
    assert {len(key) for key in keys} == {32}
    assert RING.derived("joe") == RING.derived("joe") != Keyring.new().derived("joe")
    assert not RING.derived("joe").startswith(RING.salt("joe"))
