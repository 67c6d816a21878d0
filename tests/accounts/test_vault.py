"""What devices and accounts prove themselves by: made, opened, and opened for nobody else."""

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsuite.accounts.keyring import Keyring, SealBroken
from mailsuite.accounts.vault import ITERATIONS, Vault, _dumped
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import OVERLOADED
from mailsuite.wire.sasl.scram_keys import salted_password, server_key, stored_key
from tests.concurrent.held import HeldThreads

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
RING = Keyring.new()
SECRET = "canary-tavol-burim"


@pytest.fixture
def vault():
    return Vault(RING, Inline())


def sealed_device(vault, password=SECRET, recoverable=False, id="d1"):
    return Device(id, "Eudora", run_now(vault.seal_device(JOE, id, password, recoverable)))


def sealed_verifiers(vault, password=SECRET, stored="hash"):
    return run_now(vault.seal_verifiers(JOE, password, stored))


def test_a_device_knows_its_password_and_no_other(vault):
    opened = vault.open_device(JOE, sealed_device(vault))
    assert opened.matches(SECRET)
    for wrong in ("", SECRET[:-1], SECRET + "x", SECRET.upper(), "\udc80"):
        assert not opened.matches(wrong)
    assert opened.password is None


def test_a_password_that_is_composed_differently_is_the_same(vault):
    opened = vault.open_device(JOE, sealed_device(vault, "pa\u00dfw\u00f6rter"))
    assert opened.matches("pa\u00dfwo\u0308rter")


def test_only_a_recoverable_password_comes_back(vault):
    assert vault.open_device(JOE, sealed_device(vault, recoverable=True)).password == SECRET


@pytest.mark.parametrize("hash", ["sha1", "sha256"])
def test_scram_s_keys_are_those_of_the_password_and_the_account_s_salt(vault, hash):
    parameters = vault.scram_parameters(str(JOE), hash)
    salted = salted_password(SECRET, parameters.salt, parameters.iterations, hash)
    for keys in (
        vault.open_device(JOE, sealed_device(vault)).scram,
        vault.open_verifiers(JOE, sealed_verifiers(vault), "hash"),
    ):
        assert keys[hash].stored_key == stored_key(salted, hash)
        assert keys[hash].server_key == server_key(salted, hash)


def test_every_name_has_its_salt_for_each_hash_whoever_it_is(vault):
    asked = [
        (name, hash) for name in ("joe@example.net", "nobody@x.test", "..") for hash in ("sha1", "sha256")
    ]
    answers = [vault.scram_parameters(*question) for question in asked]
    assert answers == [Vault(RING, Inline()).scram_parameters(*question) for question in asked]
    assert len({answer.salt for answer in answers}) == len(asked)
    assert {(len(answer.salt), answer.iterations) for answer in answers} == {(16, ITERATIONS)}
    assert ITERATIONS >= 10_000


def test_a_password_that_saslprep_forbids_has_no_scram(vault):
    forbidden = "bell\a"
    opened = vault.open_device(JOE, sealed_device(vault, forbidden))
    assert opened.matches(forbidden)
    assert opened.scram == {}
    assert vault.open_verifiers(JOE, sealed_verifiers(vault, forbidden), "hash") == {}


def test_verifiers_are_good_for_the_hash_they_were_made_with(vault):
    sealed = sealed_verifiers(vault)
    assert vault.open_verifiers(JOE, sealed, "hash")
    assert vault.open_verifiers(JOE, sealed, "another hash") is None
    assert vault.open_verifiers(JOE, sealed, "") is None
    assert vault.open_verifiers(JOE, b"", "hash") is None


def test_keys_of_another_number_of_iterations_are_none(vault, monkeypatch):
    device, verifiers = sealed_device(vault), sealed_verifiers(vault)
    monkeypatch.setattr("mailsuite.accounts.vault.ITERATIONS", ITERATIONS + 1)
    assert vault.open_device(JOE, device).scram == {}
    assert vault.open_device(JOE, device).matches(SECRET)
    assert vault.open_verifiers(JOE, verifiers, "hash") is None


def test_sealed_for_one_it_opens_for_nobody_else(vault):
    device, verifiers = sealed_device(vault), sealed_verifiers(vault)
    for account, moved in ((ANN, device), (JOE, attrs.evolve(device, id="d2"))):
        with pytest.raises(SealBroken):
            vault.open_device(account, moved)
    with pytest.raises(SealBroken):
        vault.open_verifiers(ANN, verifiers, "hash")
    with pytest.raises(SealBroken):
        vault.open_device(JOE, attrs.evolve(device, sealed=verifiers))
    with pytest.raises(SealBroken):
        vault.open_verifiers(JOE, device.sealed, "hash")
    for sealed in (b"", b"junk", vault._decoy):
        with pytest.raises(SealBroken):
            vault.open_device(JOE, attrs.evolve(device, sealed=sealed))


def test_what_a_later_version_wrote_is_broken(vault):
    later = _dumped({"password": SECRET}).replace(b'"version": 1', b'"version": 2')
    device = Device("d1", "Eudora", RING.seal(later, f"device\0{JOE}\0d1"))
    with pytest.raises(SealBroken, match="version 2") as caught:
        vault.open_device(JOE, device)
    assert SECRET not in str(caught.value)


def test_a_decoy_is_like_a_device_and_matches_nothing(vault):
    real = vault.open_device(JOE, sealed_device(vault, recoverable=True))
    decoy = vault.open_decoy()
    keys = vault.open_decoy_verifiers()
    for hash, key in real.scram.items():
        for other in (decoy.scram[hash], keys[hash]):
            assert len(other.stored_key) == len(key.stored_key)
            assert len(other.server_key) == len(key.server_key)
    assert len(decoy.password) == 64
    assert not decoy.matches("")
    assert Vault(RING, Inline()).open_decoy().password != decoy.password
    assert abs(len(vault._decoy) - len(sealed_device(vault, recoverable=True).sealed)) < 64


def test_a_new_key_seals_again_what_an_old_one_sealed(tmp_path):
    path = tmp_path / "keys" / "seal.key"
    ring = Keyring.load_or_create(path)
    vault = Vault(ring, Inline())
    device, verifiers = sealed_device(vault, recoverable=True), sealed_verifiers(vault)
    assert vault.reseal_device(JOE, device) is None
    assert vault.reseal_verifiers(JOE, verifiers) is None
    vault.use(ring.with_new_key(path))
    resealed, reverified = vault.reseal_device(JOE, device), vault.reseal_verifiers(JOE, verifiers)
    assert attrs.evolve(resealed, sealed=device.sealed) == device
    vault.use(vault.keyring.drop_old_keys(path))
    assert vault.open_device(JOE, resealed).password == SECRET
    assert vault.open_verifiers(JOE, reverified, "hash")
    assert vault.open_decoy().password
    for broken in (lambda: vault.reseal_device(JOE, device), lambda: vault.reseal_verifiers(JOE, verifiers)):
        with pytest.raises(SealBroken):
            broken()


def test_the_slow_part_is_done_in_a_thread():
    threads = HeldThreads()
    vault = Vault(RING, threads)
    with pytest.raises(RuntimeError, match="waits"):
        run_now(vault.seal_device(JOE, "d1", SECRET, False))
    assert len(threads.held) == 1


def test_threads_that_are_all_busy_are_told(vault):
    async def busy(work):
        raise TemporaryFailure(OVERLOADED)

    vault.threads.run = busy
    with pytest.raises(TemporaryFailure):
        sealed_verifiers(vault)


def test_nothing_is_shown(vault):
    device = sealed_device(vault, recoverable=True)
    opened = vault.open_device(JOE, device)
    shown = "".join(map(repr, (vault, device, opened, opened.scram, vault.open_decoy())))
    assert "canary" not in shown
    assert "b'" not in shown
    assert "canary" not in device.sealed.decode("latin-1")


@settings(max_examples=30)
@given(st.text(min_size=1, max_size=40), st.booleans())
def test_any_password_can_be_sealed(password, recoverable):
    vault = Vault(RING, Inline())
    opened = vault.open_device(JOE, sealed_device(vault, password, recoverable))
    assert opened.matches(password)
    assert opened.password == (password if recoverable else None)


SEALED = sealed_device(Vault(RING, Inline()))


@given(st.data())
def test_a_device_that_was_tampered_with_is_broken(data):
    changed = bytearray(SEALED.sealed)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken):
        Vault(RING, Inline()).open_device(JOE, attrs.evolve(SEALED, sealed=bytes(changed)))
