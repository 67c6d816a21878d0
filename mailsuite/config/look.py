"""What a check of relations looks at."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import attrs

from mailsuite.config.problems import DEFAULT, Place, Problem
from mailsuite.config.schema import Config


@attrs.frozen
class Look:
    """A configuration, and where its values stand."""

    config: Config
    places: Mapping[str, Place]
    unsound: frozenset[str]
    today: datetime.date

    def sound(self, *keys: str) -> bool:
        """Whether none of these has an error of its own; if one has, it hides what was meant."""
        return self.unsound.isdisjoint(keys)

    def is_given(self, key: str) -> bool:
        return key in self.places

    def place(self, *keys: str) -> Place:
        """Where the first of these that somebody wrote stands."""
        return next((self.places[key] for key in keys if key in self.places), DEFAULT)

    def error(self, text: str, *keys: str) -> Problem:
        return Problem(self.place(*keys), "error", text)

    def warning(self, text: str, *keys: str) -> Problem:
        return Problem(self.place(*keys), "warning", text)
