"""What the configuration says of notices, as the settings that this package goes by."""

from __future__ import annotations

from mailsuite.config.schema import Config
from mailsuite.notify.channels.execute import Command
from mailsuite.notify.intake import IntakeSettings
from mailsuite.notify.notifier import NotifierSettings
from mailsuite.notify.outgoing.addresses import AddressRules
from mailsuite.notify.outgoing.targets import UrlRules
from mailsuite.notify.targets import TargetRules
from mailsuite.notify.turns import DispatcherSettings


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
            udp=notifymail.udp,
        ),
        suppress=frozenset(config.notify.suppress),
    )


def intake_settings(config: Config) -> IntakeSettings:
    """Who is followed."""
    notify = config.notify
    rules = notifier_settings(config).rules if notify.notifymail.enabled else None
    return IntakeSettings(notify.enabled, notify.max_level, rules)


def dispatcher_settings(config: Config) -> DispatcherSettings:
    """How the dispatcher goes about it."""
    notify = config.notify
    windows = {
        "webhook": notify.webhook.coalesce,
        "webpush": notify.webpush.coalesce,
        "ntfy": notify.ntfy.coalesce,
        "gotify": notify.gotify.coalesce,
        "pushover": notify.pushover.coalesce,
    }
    return DispatcherSettings(
        notify.enabled,
        frozenset(notify.suppress),
        {name: notify.coalesce if seconds is None else seconds for name, seconds in windows.items()},
        notify.max_per_hour,
    )


def url_rules(config: Config) -> UrlRules:
    """Which URLs users may name."""
    notify = config.notify
    return UrlRules(AddressRules(notify.allow_networks), frozenset(notify.webhook.ports))


def commands_of(config: Config) -> dict[str, Command]:
    """The programs that notices may be given to, by name."""
    return {
        block.name: Command(block.argv, block.timeout, block.users)
        for block in config.notify.commands
        if block.enabled
    }
