"""What a directory must offer beyond the rest so that the configuration file's can be laid over it."""

from __future__ import annotations

from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.address import Address
from mailsuite.model.device import Device


class ILowerDirectory(IAccountDirectory):
    """Keeps devices and verifiers of its own accounts, and of those that stand in a directory above.

    *elsewhere* says that there is such an account above, so that there need be none here. What is kept so
    outlives the account's absence from the file; add_account() of the same address removes it, because
    whoever has the address next is somebody else.
    """

    async def devices(account: Address, elsewhere: bool = False) -> tuple[Device, ...]:
        """As in IAccountDirectory."""

    async def add_device(account: Address, device: Device, elsewhere: bool = False) -> None:
        """As in IAccountDirectory."""

    async def verifiers(account: Address, elsewhere: bool = False) -> bytes:
        """As in IAccountDirectory."""

    async def keep_verifiers(account: Address, sealed: bytes, elsewhere: bool = False) -> None:
        """As in IAccountDirectory."""

    async def replace_verifiers(account: Address, old: bytes, new: bytes, elsewhere: bool = False) -> bool:
        """As in IAccountDirectory."""
