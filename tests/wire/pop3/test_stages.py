"""What cannot happen in a session that keeps its turns."""

from __future__ import annotations

import pytest

from mailsuite.wire.pop3.authorization import Authorization
from mailsuite.wire.pop3.settings import SessionSettings
from mailsuite.wire.pop3.stages import Stages


def test_no_message_is_sent_before_the_login() -> None:
    stages = Stages(Authorization(SessionSettings("h"), tls_active=True))
    with pytest.raises(RuntimeError, match="before anybody logged in"):
        stages.message_sent()
