"""Users of the system as accounts."""

from __future__ import annotations

import os
import pwd

import pytest

from mailsuite.accounts import callers as module
from mailsuite.accounts.callers import Callers
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import ACCOUNT_OFF


async def _nothing(address: Address) -> str:
    return ""


CALLERS = Callers("example.test", Inline(), _nothing)


def test_who_there_is() -> None:
    assert run_now(CALLERS.account(0)) == Address("root", "example.test")
    me = pwd.getpwuid(os.geteuid())
    assert run_now(CALLERS.account(me.pw_uid)) == Address(me.pw_name, "example.test")


def test_who_there_is_not() -> None:
    assert run_now(CALLERS.account(4_000_000_000)) is None


def test_who_may_not() -> None:
    asked: list[Address] = []

    async def objection(address: Address) -> str:
        asked.append(address)
        return "account-off"

    with pytest.raises(PermanentFailure) as refused:
        run_now(Callers("Example.test", Inline(), objection).account(0))
    assert refused.value.reply is ACCOUNT_OFF
    assert refused.value.detail == "root@example.test: account-off"
    assert asked == [Address("root", "example.test")]


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", "a\0b"])
def test_names_that_no_mailbox_can_have(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module.pwd, "getpwuid", lambda user: pwd.struct_passwd((name, "", user, 0, "", "", ""))
    )
    assert run_now(CALLERS.account(1000)) is None
