"""`lineside devices label`: labels on one device, or on all that a selector selects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.contract.group import LabelsChange, Which


def label(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[DEVICE …] KEY=VALUE …", help="Devices, labels, and KEY- to take one away."),
    ],
    selector: Annotated[
        str | None, typer.Option("--selector", help="Label all devices that this selects now, in place of names.")
    ] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Set labels on devices (site=berlin), or take them away (site-); groups that select by them follow."""
    devices, wanted, gone = read(words)
    if not wanted and not gone:
        raise typer.BadParameter("no label is named: KEY=VALUE sets one, KEY- takes one away")
    with session(url, root, json) as (client, out):
        change = LabelsChange(which=Which(devices=devices, selector=selector), set=wanted, remove=gone)
        out.show(client.label_devices(change), lambda changed: Text(f"{changed.devices} labelled."))


def read(words: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str], tuple[str, ...]]:
    """Names of devices, labels to set, keys to take away."""
    pairs = [word.partition("=") for word in words if "=" in word]
    rest = [word for word in words if "=" not in word]
    gone = tuple(word[:-1] for word in rest if word.endswith("-"))
    return tuple(word for word in rest if not word.endswith("-")), {key: value for key, _, value in pairs}, gone
