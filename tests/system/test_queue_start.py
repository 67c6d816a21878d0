"""What a crash has left in the queue's folder is looked for at the start."""

from __future__ import annotations

import time

from tests.system.harness import PATIENCE, Server


def test_a_file_that_no_message_belongs_to_goes(own_server: Server) -> None:
    own_server.start()
    own_server.stop()
    orphan = own_server.state / "spool" / "0" / "0123456789abcdef"
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(b"Subject: nobody was promised this\r\n\r\n")
    own_server.start()
    deadline = time.monotonic() + PATIENCE
    while orphan.exists():
        assert time.monotonic() < deadline, own_server.logged()
        time.sleep(0.01)
