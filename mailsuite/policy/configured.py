"""What the configuration says of lists and bans, as the rules that this package goes by."""

from __future__ import annotations

from mailsuite.config.schema import Config, Listener, MailSettings, Metrics
from mailsuite.policy.access import AccessRules
from mailsuite.policy.bans import BanRules


def access_rules(config: Config) -> dict[str, AccessRules]:
    """The access list of each enabled listener that speaks to the world, by its name."""
    return {
        block.name: _rules(config, block, block.settings)
        for block in config.listeners
        if block.enabled and not isinstance(block.settings, Metrics)
    }


def _rules(config: Config, block: Listener, settings: MailSettings) -> AccessRules:
    """Listeners that say nothing of their own share the list of their service, and its name."""
    own, general = settings.access, getattr(config, block.service).access
    name = f"{block.service}.access" if own == general else f"listener.{block.name}.access"
    return AccessRules(name, own.policy, own.list, own.files)


def ban_rules(config: Config) -> BanRules:
    """How long bans last; administrators' networks are never banned."""
    guard = config.guard
    exempt = dict.fromkeys((*guard.never_ban, *guard.admin_networks))
    return BanRules(guard.ban, guard.ban_maximum, tuple(exempt))
