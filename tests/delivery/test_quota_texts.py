"""Which language a letter about a quota is in."""

from __future__ import annotations

from typing import get_args

import attrs
import pytest

from mailsuite.concurrent.now import run_now
from mailsuite.config.queue import NoticeLanguage
from mailsuite.delivery.dsn_languages import Languages
from mailsuite.delivery.quota_texts import ENGLISH, GERMAN, QUOTA_TEXTS, QuotaLanguages, in_english
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE

JOE, ANN, EVE = Address("joe", "example.net"), Address("ann", "example.net"), Address("eve", "example.org")


def test_every_language_can_be_chosen() -> None:
    assert set(QUOTA_TEXTS) == set(get_args(NoticeLanguage))


@pytest.mark.parametrize("tag", sorted(QUOTA_TEXTS))
def test_lines_are_as_long_as_mail_may_have_them(tag: str) -> None:
    texts = attrs.asdict(QUOTA_TEXTS[tag])
    lines = [line for value in texts.values() for line in (value if isinstance(value, tuple) else (value,))]
    assert max(map(len, lines)) < 110
    assert all(lines)


def test_who_reads_what() -> None:
    directory = MemoryDirectory(
        [Account(JOE, language="de"), Account(ANN, language="x-klingon"), Account(EVE)],
        [Domain("example.org", language="de")],
    )
    languages = QuotaLanguages(Languages(directory), lambda: "en")
    assert [run_now(languages.texts_for(reader)) for reader in (JOE, ANN, EVE)] == [GERMAN, ENGLISH, GERMAN]
    assert run_now(attrs.evolve(languages, usual=lambda: "de").texts_for(ANN)) is GERMAN
    directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "away")
    assert run_now(languages.texts_for(JOE)) is ENGLISH
    assert run_now(in_english(JOE)) is ENGLISH
