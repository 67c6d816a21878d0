"""How long the mail of one account stays, in the words of those who look after accounts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from mailsuite.accounts.refusal import bad, parsed
from mailsuite.config.kinds import Kind
from mailsuite.config.measures import DeleteAfter, retention
from mailsuite.model.retention import Retention

STAY: Final[dict[str, Kind[Any]]] = {
    "delete_after": DeleteAfter(),
    "delete_unread_after": DeleteAfter(retrieval=False),
}
"""As account.delete_after and account.delete_unread_after in the configuration."""
DEFAULT: Final = "default"
"""What stands in the place of a duration where the domain is to have its say again."""


def stay_document(own: Retention | None) -> dict[str, object]:
    """The fields of STAY; null: as the domain says."""
    if own is None:
        return dict.fromkeys(STAY)
    return {name: STAY[name].write(seconds) for name, seconds in _seconds(own).items()}


def with_stay(fields: Mapping[str, object], before: Retention | None) -> Retention | None:
    """*before* with those of STAY that *fields* has. Raises RegistryError.

    Who says one of them has said both: what was never said is for ever.
    """
    defaults = [name for name, value in fields.items() if value == DEFAULT]
    if defaults and len(defaults) < len(fields):
        raise bad(f"{defaults[0]}: the domain has its say about both, or about neither")
    if defaults:
        return None
    values = {**_seconds(before or Retention()), **parsed(STAY, fields)}
    return retention(values["delete_after"], values["delete_unread_after"])


def _seconds(own: Retention) -> dict[str, float]:
    """The fields of STAY as DeleteAfter has them."""
    both = {"delete_after": own.read, "delete_unread_after": own.unread}
    return {name: math.inf if value is None else value for name, value in both.items()}
