"""What a running suite hands the control API, over memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mailsuite.accounts.login_delay import LoginDelay
from mailsuite.admin.control import Operations
from mailsuite.admin.resources import Document
from mailsuite.concurrent.threads import Inline
from mailsuite.config.load import load
from mailsuite.frontends.doors import Doors
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.retention import Usage
from mailsuite.observe.log import Log
from mailsuite.policy.sender_files import PreparedSenders
from mailsuite.queue.memory import MemoryQueue
from mailsuite.services.control import Services
from mailsuite.services.errors import LastErrors
from mailsuite.state import Stopped
from mailsuite.store.memory import MemoryStore
from tests.admin.queues import outbound_of
from tests.frontends.premises import premises_of

CONFIG = '[server]\nname = "mail.example.test"\nadmin = "joe@example.test"\nstate = "{state}"\n'


async def _nothing_to_do(ahead: float) -> tuple[tuple[Address, Usage], ...]:
    return ()


def operations_of(
    reactor: Any,
    log: Log,
    folder: Path,
    status: Callable[[], Awaitable[Document]],
    reload: Callable[[IPAddress | None, bool], Awaitable[tuple[int, Document]]],
) -> Operations:
    """No listener is open, nobody is banned, and there is no mail."""
    file = folder / "operations.toml"
    file.write_text(CONFIG.format(state=folder / "state"))
    config = load(file, {}).accepted()
    errors = LastErrors(reactor.seconds)
    record = folder / "services.json"
    services = Services(Doors(reactor, log), record, Stopped(), Inline(), log, errors, reactor.seconds)
    return Operations(
        config=lambda: config,
        status=status,
        reload=reload,
        services=services,
        premises=premises_of(reactor, log),
        store=MemoryStore(),
        outbound=outbound_of(MemoryQueue(), reactor.seconds),
        lists=PreparedSenders({}, {}),
        retention=_nothing_to_do,
        delay=LoginDelay(reactor.seconds),
    )
