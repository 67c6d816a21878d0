"""Which addresses are this machine's: a notice goes there by the administrator's leave alone."""

from __future__ import annotations

import socket

from mailsuite.model.account import IPAddress


def is_own_address(address: IPAddress) -> bool:
    """Whether an interface of this machine has *address* now: only then can a socket be bound to it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
