"""What the configuration says of lists, bans and relaying, as the rules that this package goes by."""

from __future__ import annotations

from mailsuite.config.schema import Config, DoorSettings, Listener, Lmtp, Metrics, Smtp, Submission
from mailsuite.policy.access import AccessRules
from mailsuite.policy.bans import BanRules
from mailsuite.policy.hello_settings import machine_addresses
from mailsuite.policy.probing import ProbingRules
from mailsuite.policy.relaying import Relaying, RelayRules
from mailsuite.policy.sender_lists import Lists, SenderRules


def access_rules(config: Config) -> dict[str, AccessRules]:
    """The access list of each enabled listener that speaks to the world, by its name."""
    return {
        block.name: _rules(config, block, block.settings)
        for block in config.listeners
        if block.enabled and not isinstance(block.settings, Metrics)
    }


def _rules(config: Config, block: Listener, settings: DoorSettings) -> AccessRules:
    """Listeners that say nothing of their own share the list of their service, and its name."""
    own, general = settings.access, getattr(config, block.service).access
    name = f"{block.service}.access" if own == general else f"listener.{block.name}.access"
    return AccessRules(name, own.policy, own.list, own.files)


def ban_rules(config: Config) -> BanRules:
    """How long bans last; administrators' networks are never banned, nor are our own proxies: they come in
    their own name, too, to see whether we live and for clients whom they cannot name."""
    guard = config.guard
    proxies = (each for listener in config.listeners if listener.enabled for each in listener.proxy_from)
    exempt = dict.fromkeys((*guard.never_ban, *guard.admin_networks, *proxies))
    return BanRules(guard.ban, guard.ban_maximum, tuple(exempt))


def relay_rules(settings: Smtp | Submission) -> RelayRules:
    """Who may send to other servers through a door without logging in."""
    if isinstance(settings, Smtp):
        return RelayRules(
            settings.relay, settings.relay_networks, settings.relay_domains, settings.recipient_delimiter
        )
    return RelayRules("addresses", settings.relay_networks)


def relaying_rule(settings: Smtp | Submission | Lmtp, sends: bool, hostname: str, lists: Lists) -> Relaying:
    """Whose mail for other servers a door takes; *sends*: whether anybody's can be taken there. *lists* has
    the contents of files."""
    if isinstance(settings, Lmtp):
        return Relaying(hostname=hostname)
    recipients = recipient_rules(settings) if isinstance(settings, Smtp) else SenderRules()
    return Relaying(
        relay_rules(settings),
        sends,
        hostname,
        is_own=lambda address: address in machine_addresses(),
        exist=lambda: None if recipients == SenderRules() else lists.list_of(recipients).block,
    )


def recipient_rules(settings: Smtp) -> SenderRules:
    """Who exists in the domains elsewhere that mail is taken for, as a list like those of blocked senders:
    it is written, kept and read again as they are."""
    return SenderRules(settings.relay_recipients, settings.relay_recipient_files)


def probing_rules(settings: Smtp) -> ProbingRules:
    """What unknown recipients lead to."""
    return ProbingRules(
        settings.unknown_recipients_delay, settings.unknown_recipients_close, settings.unknown_recipients_ban
    )


def sender_rules(settings: Smtp) -> SenderRules:
    """Whom a door takes no mail from."""
    return SenderRules(
        settings.block_senders,
        settings.block_sender_files,
        settings.accept_senders,
        settings.accept_sender_files,
    )


def all_sender_rules(config: Config) -> tuple[SenderRules, ...]:
    """Those of each open door that takes mail from other servers, and its lists of recipients elsewhere."""
    doors = [block.settings for block in config.listeners if block.enabled]
    smtp = [each for each in doors if isinstance(each, Smtp)]
    recipients = (rules for each in smtp if (rules := recipient_rules(each)) != SenderRules())
    return tuple(dict.fromkeys((*map(sender_rules, smtp), *recipients)))
