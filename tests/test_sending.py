"""What the settings of the queue mean for notices."""

from __future__ import annotations

from typing import get_args

import pytest

from mailsuite.config.queue import NoticeLanguage, Queue, QueueTls
from mailsuite.delivery.dsn_decision import NoticeRules
from mailsuite.delivery.dsn_languages import LANGUAGES
from mailsuite.model.envelope import NotifyOn
from mailsuite.sending import notice_rules


def test_where_nothing_is_said() -> None:
    assert notice_rules(Queue(tls=QueueTls())) == NoticeRules()


@pytest.mark.parametrize("language", get_args(NoticeLanguage))
def test_what_is_said(language: NoticeLanguage) -> None:
    queue = Queue(tls=QueueTls(), warn_postmaster=True, notices_for_bulk=False, notice_language=language)
    assert notice_rules(queue) == NoticeRules(False, frozenset({NotifyOn.FAILURE}), language)
    assert language in LANGUAGES


def test_every_language_can_be_chosen() -> None:
    assert set(get_args(NoticeLanguage)) == set(LANGUAGES)
