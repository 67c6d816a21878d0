"""Whether the server can knock here: nobody but the server can say, so it is asked to try."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mailsuite.client.asking import Answer, ask
from mailsuite.client.pop3 import Login
from mailsuite.client.stream import Server, StreamBroken
from mailsuite.client.trial import PATH as TEST
from mailsuite.model.display_text import LONG, one_line

SUBSCRIPTIONS: Final = "/notify/v1/subscriptions"
CHANNEL: Final = "notifymail"
MAX_TRIED: Final = 4
"""Of the subscriptions of one account that are knocked for."""
_HINTS: Final[Mapping[str, str]] = {
    "refused": "nothing listens at the port: does mailsuite-notify run?",
    "timed-out": "a firewall or a router on the way lets nothing through",
}


async def knock_results(reactor: Any, server: Server, login: Login) -> list[str]:
    """What came of a knock for each subscription that this login sees; ``ok`` where it went well.

    Raises StreamBroken, and what the network raises.
    """
    listed = _document(await ask(reactor, server, login, "GET", SUBSCRIPTIONS)).get("subscriptions")
    ids = [
        each["id"]
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict) and each.get("channel") == CHANNEL and isinstance(each.get("id"), str)
    ]
    results = []
    for id in ids[:MAX_TRIED]:
        tried = _document(await ask(reactor, server, login, "POST", TEST, document={"subscription": id}))
        delivery = tried.get("delivery")
        said = delivery.get("result") if isinstance(delivery, dict) else None
        results.append(one_line(str(said), LONG))
    return results


def hint(result: str) -> str:
    """The result, and what it may mean."""
    return f"{result}: {_HINTS[result]}" if result in _HINTS else result


def _document(answer: Answer) -> dict[str, Any]:
    if answer.status >= 400:
        raise StreamBroken(one_line(str(answer.document.get("detail") or f"HTTP {answer.status}"), LONG))
    return answer.document
