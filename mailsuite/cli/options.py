"""The options that mean the same everywhere."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mailsuite.model.account import IPAddress

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print nothing but what was asked for.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


def address_type(text: str) -> IPAddress:
    """A literal IP address, an IPv6 one with or without brackets."""
    try:
        return ip_address(text.strip("[]"))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no IP address") from error
