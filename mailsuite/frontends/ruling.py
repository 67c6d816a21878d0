"""What a listener says about logins by the configuration in force, whenever it is asked."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from mailsuite.accounts.attempt import LoginRules
from mailsuite.accounts.offers import rules_of
from mailsuite.config.schema import Config
from mailsuite.config.schema import Listener as ListenerBlock


@attrs.define(eq=False)
class Ruling:
    """A session that began before a reload is held to what was decided since. A listener that is gone says
    what it said last."""

    block: ListenerBlock
    current: Callable[[], Config]
    _config: Config | None = attrs.field(default=None, init=False)
    _rules: LoginRules = attrs.field(factory=LoginRules, init=False)

    def __call__(self) -> LoginRules:
        config = self.current()
        if config is not self._config:
            own = (self.block.service, self.block.name)
            same = (each for each in config.listeners if (each.service, each.name) == own)
            self.block = next(same, self.block)
            self._rules = rules_of(self.block.settings, config.domains)
            self._config = config
        return self._rules
