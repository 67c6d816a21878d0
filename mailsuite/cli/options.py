"""The options that mean the same everywhere."""

from __future__ import annotations

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print nothing but what was asked for.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
