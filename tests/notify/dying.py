"""A process that forks others, which tell subscribers out of notify.db and die by SIGKILL at the step that
the test names.

Reads lines from its standard input: a file, and the number of the step (beginnings and ends of transactions
and of what a channel does, before and after they are done). Each child has mail happen and tells of it, or
goes on where one that died stood. Writes a line for each message that is acknowledged and for each notice
that arrives, then ``steps`` with how many there were where it lived to the end, or ``died``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mailsuite.accounts.keyring import Keyring
from mailsuite.accounts.vault import Vault
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.model.subscription import Subscription
from mailsuite.notices.sqlite.notify_db import NotifyDb
from mailsuite.observe.log import Log
from tests.notify.stage import Stage
from tests.queue.dying import Steps, forks

SUBSCRIBERS = {"newest": "latest", "in-order": "each"}
MESSAGES = 4
VAULT = Vault(Keyring.new(), Inline())
"""Made before the forks: what one child has sealed the next can open."""


def live(file: str, fatal: int) -> None:
    steps = Steps(fatal)
    db = NotifyDb.at(Path(file), Inline(), VAULT, Log(), steps.connection())
    run_now(db.database.open())
    stage = Stage(events=db.event_log, kept=db.subscriptions)

    def told(subscription: Subscription, notice: Any) -> int:
        steps.step()
        os.write(1, f"told {subscription.id} {notice.seq} {notice.count} {notice.id}\n".encode())
        steps.step()
        return 200

    for name in SUBSCRIBERS.values():
        stage.channels[name].answer = told
    if not run_now(db.subscriptions.all()):
        for id, channel in SUBSCRIBERS.items():
            stage.follow(id, channel)
        os.write(1, b"followed\n")
        for number in range(MESSAGES):
            stage.mail(f"u{number}")
            os.write(1, f"acknowledged {stage.head()}\n".encode())
            stage.run(4.0)
    else:
        stage.stop()
        stage.restart()
    stage.run(30.0)
    stage.stop()
    run_now(stage.book.stop())
    run_now(db.close())
    os.write(1, b"steps %d\n" % steps.count)


if __name__ == "__main__":
    forks(live)
