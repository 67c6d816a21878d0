"""A secret that does not show itself."""

from __future__ import annotations

import attrs


@attrs.frozen(str=False)
class Secret:
    """Holds a password. Neither repr() nor str() tells it; whoever needs it asks for reveal()."""

    _value: str = attrs.field(repr=False)

    def reveal(self) -> str:
        return self._value

    def __str__(self) -> str:
        return "(hidden)"
