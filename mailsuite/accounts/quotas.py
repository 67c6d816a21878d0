"""How much mail accounts may have and have, in the words of those who look after them."""

from __future__ import annotations

from typing import Any, Final

from mailsuite.accounts.refusal import parsed
from mailsuite.config.kinds import Kind
from mailsuite.config.kinds_quota import QuotaLimits
from mailsuite.model.quota import Quota

QUOTA: Final[dict[str, Kind[Any]]] = {"quota": QuotaLimits(inherits=True)}
"""As account.quota and domain.quota in the configuration."""
DEFAULT: Final = "default"
"""What stands in the place of a quota where somebody else is to have their say again."""


def quota_document(quota: Quota) -> dict[str, int | None]:
    """Limits as JSON; null: nothing is said; 0: there is no limit."""
    return {"octets": quota.octets, "messages": quota.messages}


def asked_quota(value: object) -> Quota:
    """What a request says. Raises RegistryError."""
    quota: Quota = parsed(QUOTA, {"quota": "" if value == DEFAULT else value})["quota"]
    return quota
