"""What would come of a login, and which rule decides: for those who look after accounts, and nobody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Final

import attrs

from mailsuite.accounts.attempt import Attempt
from mailsuite.accounts.documents import Document
from mailsuite.accounts.gate import SHOWN, Gate
from mailsuite.accounts.keyring import SealBroken
from mailsuite.accounts.offers import MECHANISMS, Offer, offers
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.refusal import asked_address, bad, in_words
from mailsuite.accounts.sources.chain import Sources
from mailsuite.accounts.vault import DeviceSecrets, ScramKeys
from mailsuite.config.schema import Config
from mailsuite.model.account import Account, IPAddress
from mailsuite.model.device import RECOVERABLE, Device
from mailsuite.model.facts import ConnectionFacts
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
        if mechanism.lower() in RECOVERABLE:
            return self.device is not None and mechanism.lower() in self.device.mechanisms
        return mechanism in SHOWN or _SCRAM.get(mechanism) in self.scram

    @property
    def name(self) -> str:
        if self.device is not None:
            return f'the device password "{self.device.name}"'
        return "the password that an outside source knows" if self.elsewhere else "the account's own password"


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
        """Whether a login with *password* would succeed, which rule decides, and what would help."""
        wanted = asked_address(address)
        login = _Try(service, _mechanism(service, mechanism), _peer(peer))
        with in_words(str(wanted)):
            account = await self.gate.directory.account(wanted)
            if account is None:
                return _refused("unknown-account", f"there is no account {wanted}")
            listeners = offers(self.config(), service)
            offering = [offer for offer in listeners if login.mechanism in offer.mechanisms]
            if not offering:
                return _refused("not-offered", _not_offered(listeners, login))
            devices = await self.gate.directory.devices(wanted)
            matches = await self._matches(account, devices, password)
        able = [match for match in matches if match.can(login.mechanism)]
        if not able:
            return _unable(account, devices, matches, login.mechanism)
        verdicts = [self._decide(account, match, offering, login) for match in able]
        return next((verdict for verdict in verdicts if verdict["accepted"]), verdicts[0])

    async def _matches(self, account: Account, devices: Sequence[Device], password: str) -> list[_Match]:
        """In the order in which a login is held against them. One verification of a hash, as at a login."""
        opened = ((device, self._opened(account, device)) for device in devices)
        matches = [
            _Match(device, secrets.scram)
            for device, secrets in opened
            if secrets is not None and secrets.matches(password)
        ]
        if not account.password_hash and self.sources.serves(account.address):
            if await self.sources.check(account.address, password):
                matches.append(_Match(None, {}, elsewhere=True))
        elif await self.passwords.verify(account.password_hash, password, account.address):
            matches.append(_Match(None, await self._own_keys(account)))
        return matches

    async def _own_keys(self, account: Account) -> ScramKeys:
        sealed = await self.gate.directory.verifiers(account.address)
        try:
            return self.gate.vault.open_verifiers(account.address, sealed, account.password_hash) or {}
        except SealBroken as error:
            self.gate.broken(account.address, error)
            return {}

    def _opened(self, account: Account, device: Device) -> DeviceSecrets | None:
        try:
            return self.gate.vault.open_device(account.address, device)
        except SealBroken as error:
            self.gate.broken(account.address, error, device)
            return None

    def _decide(self, account: Account, match: _Match, offering: Sequence[Offer], login: _Try) -> Document:
        """The password fits; does anything speak against the login?"""
        peer = login.peer or _somewhere(match.device)
        reasons: dict[str, str] = {}
        for offer in offering:
            facts = ConnectionFacts("rehearsal", offer.listener, login.service, peer, 0)
            attempt = Attempt(str(account.address), login.mechanism, offer.rules, facts)
            reasons[offer.listener] = self.gate.objection(account, match.device, attempt)
        device = None if match.device is None else match.device.name
        if open_at := [listener for listener, reason in reasons.items() if not reason]:
            text = f"{login.mechanism} with {match.name}{_conditions(match.device, login)}"
            where = f"at {', '.join(open_at)}"
            return {
                "accepted": True,
                "rule": "accepted",
                "text": f"{text}, {where}",
                "cure": None,
                "device": device,
            }
        rule = next(iter(reasons.values()))
        words = {
            "mechanism": login.mechanism,
            "device": device,
            "service": login.service,
            "account": account.address,
        }
        cure = _CURES[rule].format(**words) if rule in _CURES else None
        return _refused(rule, _OBJECTIONS.get(rule, rule).format(**words), cure, device)


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


def _somewhere(device: Device | None) -> IPAddress:
    """An address that the device may be used from, where nobody named one."""
    if device is not None and device.networks:
        return device.networks[0].network_address
    return ip_address("127.0.0.1")


def _not_offered(listeners: Sequence[Offer], login: _Try) -> str:
    offered = sorted({mechanism for offer in listeners for mechanism in offer.mechanisms})
    if not offered:
        return f"no listener of {login.service} is open"
    setting = "pop3.apop" if login.mechanism in {"APOP", "USER"} else f"{login.service}.auth"
    return (
        f"no listener of {login.service} offers {login.mechanism} (setting {setting}); there is: "
        f"{', '.join(offered)}"
    )


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


def _conditions(device: Device | None, login: _Try) -> str:
    """What must hold beside the password."""
    conditions = []
    if login.mechanism in SHOWN or login.mechanism.endswith("-PLUS"):
        conditions.append("under TLS")
    if device is not None and device.networks and login.peer is None:
        conditions.append(f"from {' or '.join(map(str, device.networks))}")
    return "".join(f", {condition}" for condition in conditions)


def _refused(rule: str, text: str, cure: str | None = None, device: str | None = None) -> Document:
    return {"accepted": False, "rule": rule, "text": text, "cure": cure, "device": device}
