"""The server's keys and what they seal of subscriptions: rotated with the rest, and not lost unnoticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailsuite.accounts.keyring import KeyringError
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.config.load import load
from mailsuite.keys import inline_vault, keyring
from mailsuite.notices.sqlite.notify_db import NotifyDb
from mailsuite.observe.log import Log
from mailsuite.offline import offline_office
from mailsuite.state import State
from tests.contracts.subscriptions import FULL


@pytest.fixture
def state(tmp_path: Path) -> State:
    """With one subscription in it."""
    state = State(tmp_path / "state")
    state.take()
    db = NotifyDb.at(state.notify_db, Inline(), inline_vault(state), Log())
    run_now(db.subscriptions.add(FULL, 0))
    run_now(db.close())
    state.release()
    return state


def kept(state: State) -> list[object]:
    db = NotifyDb.at(state.notify_db, Inline(), inline_vault(state), Log())
    try:
        return [each.subscription for each in run_now(db.subscriptions.all())]
    finally:
        run_now(db.close())


def test_a_rotation_takes_subscriptions_along(state: State, tmp_path: Path) -> None:
    before = state.seal_key.read_text().split()
    file = tmp_path / "mailsuite.toml"
    file.write_text(f"[server]\nname = 'mail.example.net'\nstate = {json.dumps(str(state.path))}\n")
    with offline_office(load(file, {}, ()).accepted(), None) as office:  # type: ignore[arg-type]
        done = run_now(office.keys.rotate())
    assert (done["subscriptions"], done["unreadable"], done["dropped"]) == (1, 0, True)
    assert before[-1] not in state.seal_key.read_text()
    assert kept(state) == [FULL]


def test_a_key_file_that_subscriptions_need_is_not_made_anew_unnoticed(state: State) -> None:
    state.seal_key.unlink()
    with pytest.raises(KeyringError, match=r"is missing, and what was sealed with it \(1\)"):
        keyring(state)


def test_where_no_server_runs_an_account_that_is_removed_leaves_nothing(state: State, tmp_path: Path) -> None:
    file = tmp_path / "mailsuite.toml"
    file.write_text(f"[server]\nname = 'mail.example.net'\nstate = {json.dumps(str(state.path))}\n")
    with offline_office(load(file, {}, ()).accepted(), None) as office:  # type: ignore[arg-type]
        run_now(office.registry.add_account(str(FULL.account), "", "amber-river-violet-anchor"))
    assert kept(state) == [], "of whoever had the address before"
