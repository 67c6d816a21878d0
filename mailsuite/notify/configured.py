"""What the configuration says of notices, as the settings that this package goes by."""

from __future__ import annotations

from mailsuite.config.schema import Config
from mailsuite.notify.intake import IntakeSettings
from mailsuite.notify.notifier import NotifierSettings
from mailsuite.notify.targets import TargetRules


def notifier_settings(config: Config) -> NotifierSettings:
    notifymail = config.notify.notifymail
    return NotifierSettings(
        enabled=config.notify.enabled and notifymail.enabled,
        window=config.notify.coalesce,
        max_in_flight=notifymail.max_in_flight,
        rules=TargetRules(
            default_state=notifymail.default_state,
            last_ip_expiry=notifymail.last_ip_expiry,
            ports=frozenset(notifymail.ports),
            allow_networks=config.notify.allow_networks,
        ),
    )


def intake_settings(config: Config) -> IntakeSettings:
    """Who is followed."""
    notify = config.notify
    rules = notifier_settings(config).rules if notify.notifymail.enabled else None
    return IntakeSettings(notify.enabled, notify.max_level, rules)
