"""``/v1/keys``, ``/v1/auth`` and ``/v1/what-if`` of the control API: what is asked of the whole."""

from __future__ import annotations

from mailsuite.accounts.key_rotation import KeyRotation
from mailsuite.accounts.rehearsal import Rehearsal
from mailsuite.accounts.what_if import WhatIf
from mailsuite.admin.resources import Desk, Document, JsonResource, Missing, text_field


def keys(desk: Desk, rotation: KeyRotation) -> Missing:
    """``rotate``: a new sealing key."""

    async def rotate(body: Document) -> tuple[int, Document]:
        done = await rotation.rotate()
        desk.log.info("key.rotated", **done)
        return 200, done

    resource = Missing()
    resource.putChild(b"rotate", JsonResource(desk, {"POST": rotate}))
    return resource


def auth(desk: Desk, rehearsal: Rehearsal) -> Missing:
    """``test``: which rule would decide about a login. The password is neither kept nor logged."""

    async def test(body: Document) -> tuple[int, Document]:
        return 200, await rehearsal.judge(
            text_field(body, "address"),
            text_field(body, "password"),
            text_field(body, "service", "pop3"),
            text_field(body, "mechanism", ""),
            text_field(body, "peer", ""),
        )

    resource = Missing()
    resource.putChild(b"test", JsonResource(desk, {"POST": test}))
    return resource


def what_if(desk: Desk, question: WhatIf) -> JsonResource:
    """Who would be locked out by a setting that is not in force."""

    async def ask(body: Document) -> tuple[int, Document]:
        return 200, await question.ask(text_field(body, "setting"), text_field(body, "value"))

    return JsonResource(desk, {"POST": ask})
