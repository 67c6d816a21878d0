"""Generated passwords."""

import re

from mailsuite.accounts.generate import (
    ENDINGS,
    ENTROPY_BITS,
    NUMBERS,
    ONSETS,
    VOWELS,
    WORDS,
    generate_password,
)


def test_it_reads_as_four_words_and_a_number():
    word = f"[{ONSETS}][{VOWELS}][{ONSETS}][{VOWELS}][{ENDINGS}]"
    for _ in range(200):
        assert re.fullmatch(rf"({word}-){{4}}[1-9][0-9]", generate_password())


def test_the_entropy_is_as_promised():
    assert all(len(set(letters)) == len(letters) for letters in (ONSETS, VOWELS, ENDINGS))
    choices = (len(ONSETS) ** 2 * len(VOWELS) ** 2 * len(ENDINGS)) ** WORDS * NUMBERS
    assert choices.bit_length() - 1 == int(ENTROPY_BITS) == 69


def test_every_letter_and_number_comes_up_and_nothing_twice():
    passwords = [generate_password() for _ in range(3000)]
    assert len(set(passwords)) == len(passwords)
    assert len({password[-2:] for password in passwords}) == NUMBERS
    assert {password[0] for password in passwords} == set(ONSETS)
