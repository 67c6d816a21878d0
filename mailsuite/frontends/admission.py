"""How many connections a service takes, in all and from one address, over all its listeners."""

from __future__ import annotations

from collections import Counter

import attrs

from mailsuite.model.account import IPAddress


@attrs.define
class Admission:
    """Exact counts; a changed limit holds for new connections and ends none (features row S-M01).

    0 means no limit. What enters here has to pass *within* too: a listener's own limits within the service's.
    """

    total: int
    per_address: int
    within: Admission | None = None
    _open: Counter[IPAddress] = attrs.field(factory=Counter, init=False)
    _count: int = attrs.field(default=0, init=False)

    def enter(self, peer: IPAddress) -> bool:
        """Whether one more connection from *peer* may come in; if so it is counted."""
        if self.total and self._count >= self.total:
            return False
        if self.per_address and self._open[peer] >= self.per_address:
            return False
        if self.within is not None and not self.within.enter(peer):
            return False
        self._open[peer] += 1
        self._count += 1
        return True

    def leave(self, peer: IPAddress) -> None:
        """A counted connection has ended."""
        self._count -= 1
        self._open[peer] -= 1
        if self._open[peer] <= 0:
            del self._open[peer]
        if self.within is not None:
            self.within.leave(peer)

    @property
    def count(self) -> int:
        return self._count
