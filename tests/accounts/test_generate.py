"""Generated passwords."""

import re

import pytest

from mailsuite.accounts.generate import (
    DEVICE_ENTROPY_BITS,
    DEVICE_WORDS,
    ENDINGS,
    ENTROPY_BITS,
    NUMBERS,
    ONSETS,
    VOWELS,
    WORDS,
    generate_device_password,
    generate_password,
)
from mailsuite.wire.sasl.saslprep import saslprep

KINDS = [
    (generate_password, WORDS, ENTROPY_BITS, 69),
    (generate_device_password, DEVICE_WORDS, DEVICE_ENTROPY_BITS, 84),
]


@pytest.mark.parametrize(("generate", "words", "promised", "bits"), KINDS)
def test_it_reads_as_words_and_a_number(generate, words, promised, bits):
    word = f"[{ONSETS}][{VOWELS}][{ONSETS}][{VOWELS}][{ENDINGS}]"
    for _ in range(200):
        assert re.fullmatch(rf"({word}-){{{words}}}[1-9][0-9]", generate())


@pytest.mark.parametrize(("generate", "words", "promised", "bits"), KINDS)
def test_the_entropy_is_as_promised(generate, words, promised, bits):
    assert all(len(set(letters)) == len(letters) for letters in (ONSETS, VOWELS, ENDINGS))
    choices = (len(ONSETS) ** 2 * len(VOWELS) ** 2 * len(ENDINGS)) ** words * NUMBERS
    assert choices.bit_length() - 1 == int(promised) == bits


@pytest.mark.parametrize(("generate", "words", "promised", "bits"), KINDS)
def test_every_letter_and_number_comes_up_and_nothing_twice(generate, words, promised, bits):
    passwords = [generate() for _ in range(3000)]
    assert len(set(passwords)) == len(passwords)
    assert len({password[-2:] for password in passwords}) == NUMBERS
    assert {password[0] for password in passwords} == set(ONSETS)


def test_a_device_password_suits_every_client_and_mechanism():
    password = generate_device_password()
    assert len(password) <= 40
    assert re.fullmatch(r"[a-z0-9-]+", password)
    assert saslprep(password) == password
