"""What would come of a login, and which rule decides: for those who look after accounts, and nobody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Final

import attrs

from mailsuite.accounts.attempt import Attempt, LoginRules
from mailsuite.accounts.documents import Document
from mailsuite.accounts.gate import SHOWN, Gate
from mailsuite.accounts.keyring import SealBroken
from mailsuite.accounts.names import Named
from mailsuite.accounts.offers import MECHANISMS, Offer, offers
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.refusal import asked_address, bad, in_words
from mailsuite.accounts.sources.chain import Sources
from mailsuite.accounts.vault import DeviceSecrets, ScramKeys
from mailsuite.config.schema import Config
from mailsuite.model.account import Account, IPAddress
from mailsuite.model.address import Address
from mailsuite.model.device import RECOVERABLE, Device
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.view import Box
from mailsuite.wire.sasl.steps import ScramHash

DEFAULTS: Final = {"pop3": "USER", "submission": "PLAIN"}
"""What can be tried, and by which mechanism where none is named."""
_SCRAM: Final[dict[str, ScramHash]] = {
    "SCRAM-SHA-1": "sha1",
    "SCRAM-SHA-256": "sha256",
    "SCRAM-SHA-256-PLUS": "sha256",
}

_OBJECTIONS: Final = {
    "account-off": "this account is off",
    "pop3-denied": "this account may not log in by POP3",
    "apop-required": 'apop is "require" here, so {mechanism}, which shows the password, is refused',
    "apop-off": 'apop is "off" for this domain',
    "device-scope": 'the password is that of the device "{device}", which is not for {service}',
    "device-network": 'the password is that of the device "{device}", which may not be used from there',
    "device-expired": 'the password is that of the device "{device}", and has expired',
}
_BOXES: Final = {
    Box.INBOX: "",
    Box.TRASH: "; it opens what was deleted",
    Box.RESTORE: "; it opens what was deleted, and brings back what is retrieved",
}
_BROKEN: Final = (
    "{what} does not open, so nobody can tell whether this is its password: the key file was lost or "
    "exchanged, or the data was changed (seal.broken in the log)"
)
_CURES: Final = {
    "account-off": "mailsuite account enable {account}",
    "pop3-denied": "mailsuite account change {account} --pop3 allow",
}


@attrs.frozen
class _Try:
    """The login that is to be judged."""

    service: str
    mechanism: str
    peer: IPAddress | None
    """None: from wherever it is allowed."""


@attrs.frozen
class _Match:
    """Whose the password is: a device's, or, with None, the account's own."""

    device: Device | None
    scram: ScramKeys
    elsewhere: bool = False
    """An outside source says that it is right."""

    def can(self, mechanism: str) -> bool:
        """Whether what we have of the password is enough for this mechanism."""
        if _is_recoverable(mechanism):
            return self.device is not None and mechanism.lower() in self.device.mechanisms
        return mechanism in SHOWN or _SCRAM.get(mechanism) in self.scram

    @property
    def name(self) -> str:
        if self.device is not None:
            return f'the device password "{self.device.name}"'
        return "the password that an outside source knows" if self.elsewhere else "the account's own password"


@attrs.frozen
class _Held:
    """What a password was held against."""

    matches: list[_Match]
    broken: str
    """What does not open and might have proved it, in words; empty: all opens."""


def _is_recoverable(mechanism: str) -> bool:
    return mechanism.lower() in RECOVERABLE


@attrs.frozen
class Rehearsal:
    """Judges as a login would be judged, but counts as none and delays nobody. Raises RegistryError."""

    gate: Gate
    passwords: Passwords
    config: Callable[[], Config]
    """The one in force."""
    sources: Sources = attrs.field(factory=Sources)

    async def judge(
        self, address: str, password: str, service: str = "pop3", mechanism: str = "", peer: str = ""
    ) -> Document:
        """Whether a login with *password* would succeed, which rule decides, what would help, and which box
        would be opened."""
        named = await self._named(address, service)
        login = _Try(service, _mechanism(service, mechanism), _peer(peer))
        verdict = await self._judge(named.address, password, login)
        if verdict["accepted"]:
            verdict["text"] += _BOXES[named.box]
        return {**verdict, "box": named.box.value}

    async def _named(self, address: str, service: str) -> Named:
        with in_words(address):
            named = await self.gate.named(address, LoginRules(), service) if "@" in address else None
        return named or Named(asked_address(address))

    async def _judge(self, wanted: Address, password: str, login: _Try) -> Document:
        with in_words(str(wanted)):
            account = await self.gate.directory.account(wanted)
            if account is None:
                return _refused("unknown-account", f"there is no account {wanted}")
            listeners = offers(self.config(), login.service)
            offering = [offer for offer in listeners if offer.allows(login.mechanism, login.peer)]
            if not offering:
                return _refused("not-offered", _not_offered(listeners, login))
            devices = await self.gate.directory.devices(wanted)
            held = await self._held_against(account, devices, password, login.mechanism)
        able = [match for match in held.matches if match.can(login.mechanism)]
        if not able and held.broken:
            return _refused("seal-broken", _BROKEN.format(what=held.broken))
        if not able:
            return _unable(account, devices, held.matches, login.mechanism)
        verdicts = [self._decide(account, match, offering, login) for match in able]
        return next((verdict for verdict in verdicts if verdict["accepted"]), verdicts[0])

    async def _held_against(
        self, account: Account, devices: Sequence[Device], password: str, mechanism: str
    ) -> _Held:
        """In the order in which a login is held against them. One verification of a hash, as at a login."""
        matches, broken = [], ""
        for device in devices:
            secrets = self._opened(account, device)
            if secrets is not None and secrets.matches(password):
                matches.append(_Match(device, secrets.scram))
            elif secrets is None and (
                mechanism.lower() in device.mechanisms or not _is_recoverable(mechanism)
            ):
                broken = f'the device "{device.name}"'
        if not account.password_hash and self.sources.serves(account.address):
            if await self.sources.check(account.address, password):
                matches.append(_Match(None, {}, elsewhere=True))
            return _Held(matches, broken)
        keys = await self._own_keys(account)
        if keys is None and mechanism in _SCRAM:
            broken = "what SCRAM proves the account's own password by"
        if await self.passwords.verify(account.password_hash, password, account.address):
            matches.append(_Match(None, keys or {}))
        return _Held(matches, broken)

    async def _own_keys(self, account: Account) -> ScramKeys | None:
        """Those of the account's own password; None where they do not open."""
        sealed = await self.gate.directory.verifiers(account.address)
        try:
            return self.gate.vault.open_verifiers(account.address, sealed, account.password_hash) or {}
        except SealBroken as error:
            self.gate.broken(account.address, error)
            return None

    def _opened(self, account: Account, device: Device) -> DeviceSecrets | None:
        try:
            return self.gate.vault.open_device(account.address, device)
        except SealBroken as error:
            self.gate.broken(account.address, error, device)
            return None

    def _decide(self, account: Account, match: _Match, offering: Sequence[Offer], login: _Try) -> Document:
        """The password fits; does anything speak against the login?"""
        reasons = [(offer, self._objection(account, match, offer, login)) for offer in offering]
        device = None if match.device is None else match.device.name
        if open_at := [offer for offer, reason in reasons if not reason]:
            text = f"{login.mechanism} with {match.name}{_conditions(match.device, open_at, login)}"
            return {"accepted": True, "rule": "accepted", "text": text, "cure": None, "device": device}
        [(_, rule), *_] = reasons
        words = {
            "mechanism": login.mechanism,
            "device": device,
            "service": login.service,
            "account": account.address,
        }
        cure = _CURES[rule].format(**words) if rule in _CURES else None
        return _refused(rule, _OBJECTIONS.get(rule, rule).format(**words), cure, device)

    def _objection(self, account: Account, match: _Match, offer: Offer, login: _Try) -> str:
        """What speaks against it at one listener; from where nobody said, from the best place there is."""
        reason = ""
        for peer in _peers(match.device, offer, login):
            facts = ConnectionFacts("rehearsal", offer.listener, login.service, peer, 0)
            attempt = Attempt(str(account.address), login.mechanism, offer.rules, facts)
            reason = self.gate.objection(account, match.device, attempt)
            if not reason:
                break
        return reason


def _mechanism(service: str, named: str) -> str:
    if service not in DEFAULTS:
        raise bad(f"service: {service!r} cannot be logged in to; expected one of {', '.join(DEFAULTS)}")
    mechanism = named.upper() or DEFAULTS[service]
    if mechanism not in MECHANISMS[service]:
        known = ", ".join(MECHANISMS[service])
        raise bad(f"mechanism: {named!r} is none of {service}; there is: {known}")
    return mechanism


def _peer(text: str) -> IPAddress | None:
    try:
        return ip_address(text) if text else None
    except ValueError as error:
        raise bad(f"peer: {text!r} is no IP address") from error


def _peers(device: Device | None, offer: Offer, login: _Try) -> list[IPAddress]:
    """From where a login may come, where nobody said: any place will do that is in all the networks it has to
    be in, and where two of them overlap, the first address of the smaller one is in both."""
    if login.peer is not None:
        return [login.peer]
    networks = [*(device.networks if device is not None else ()), *offer.trusted]
    peers = [ip_address("127.0.0.1"), *(network.network_address for network in networks)]
    return [peer for peer in peers if offer.allows(login.mechanism, peer)]


def _not_offered(listeners: Sequence[Offer], login: _Try) -> str:
    if not listeners:
        return f"no listener of {login.service} is open"
    offered = {name for offer in listeners for name in offer.mechanisms if offer.allows(name, login.peer)}
    causes = dict.fromkeys(_cause(offer, login) for offer in listeners)
    return (
        f"no listener of {login.service} offers {login.mechanism} ({'; '.join(causes)}); there is: "
        f"{', '.join(sorted(offered)) or 'nothing'}"
    )


def _cause(offer: Offer, login: _Try) -> str:
    """Why a listener does not offer a mechanism."""
    if login.mechanism == "APOP":
        return "setting pop3.apop"
    if login.mechanism not in offer.named:
        return f"setting {login.service}.auth"
    if login.mechanism in SHOWN and login.service == "pop3" and offer.rules.apop_everywhere:
        return "setting pop3.apop"
    if login.mechanism in offer.mechanisms:
        return f"{offer.listener} has no TLS, and {login.peer} is not in its trusted_networks"
    return f"{offer.listener} has no TLS"


def _unable(
    account: Account, devices: Sequence[Device], matches: Sequence[_Match], mechanism: str
) -> Document:
    """The password fits nothing that is enough for the mechanism: say whether that is its own fault."""
    option = mechanism.lower()
    if option in RECOVERABLE:
        cure = f"mailsuite device add {account.address} NAME --{option}"
        needs = f"{mechanism} needs a device password made with --{option}"
        if matches and matches[0].device is not None:
            name = matches[0].device.name
            return _refused("mechanism-impossible", f'the device "{name}" cannot, and {needs}', cure, name)
        if matches or not any(option in device.mechanisms for device in devices):
            has = "has a password hash only" if account.password_hash else "has no password of its own"
            return _refused("mechanism-impossible", f"this account {has}, and {needs}", cure)
    if matches and matches[0].elsewhere:
        return _refused("mechanism-impossible", f"{mechanism} needs a password that is kept here")
    if matches:
        return _refused(
            "no-verifiers",
            "the password is right, but there are no SCRAM verifiers of it yet; a login by password under "
            "TLS makes them, and so does a new password",
            f"mailsuite account password {account.address}",
        )
    return _refused("wrong-password", "the password is neither the account's own nor one of its devices'")


def _conditions(device: Device | None, offers: Sequence[Offer], login: _Try) -> str:
    """What must hold beside the password, and where it is enough then."""
    mechanism, limits = login.mechanism, ""
    if device is not None and device.networks and login.peer is None:
        limits = f", from {' or '.join(map(str, device.networks))}"
    by_trust = [offer for offer in offers if offer.needs_trust(mechanism)]
    others = [offer.listener for offer in offers if offer not in by_trust]
    ways = []
    if others:
        tls = ", under TLS" if mechanism in SHOWN or mechanism.endswith("-PLUS") else ""
        ways.append(f"{tls}{limits}, at {', '.join(others)}")
    for offer in by_trust:
        trust = f" from {' or '.join(map(str, offer.trusted))}" if login.peer is None else ""
        ways.append(f", without TLS{trust}{limits}, at {offer.listener}")
    return "; or".join(ways)


def _refused(rule: str, text: str, cure: str | None = None, device: str | None = None) -> Document:
    return {"accepted": False, "rule": rule, "text": text, "cure": cure, "device": device}
