"""`lineside lineage`: for one result, everything it came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import Cell, details, mark, short, spaced, when
from lineside.contract.counted import counted
from lineside.contract.lineage import LineageApproval, ResultLineage


def lineage(
    result: Annotated[int, typer.Argument(metavar="RESULT_ID", min=1, help="A result's id: lineside results tail.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show where a result came from: model, signatures, run, dataset version and the very images."""
    with session(url, root, json) as (client, out):
        out.show(client.lineage(result), draw)


def of_capture(
    capture: Annotated[str, typer.Argument(help="A capture's id: lineside captures list.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show where the result of a capture came from, also when the result itself is not kept any more."""
    with session(url, root, json) as (client, out):
        out.show(client.capture_lineage(capture), draw)


def draw(shown: ResultLineage) -> RenderableType:
    """The chain from decision to images, and what is not known."""
    said = [Text(f"! {gap.about}: {gap.sentence}") for gap in shown.gaps]
    return spaced([details(_chain(shown)), *([Text("Not known here:"), *said] if said else [])])


def _chain(shown: ResultLineage) -> Iterator[tuple[str, Cell]]:
    result = shown.result.result
    found = ", ".join(f"{one.label} {one.confidence:.2f}" for one in result.detections) or "good"
    yield "decision", f"{found} in {result.image}, {when(result.captured_at)}"
    if shown.picture:
        yield "picture", shown.picture
    if shown.device:
        groups = ", ".join(shown.device.groups)
        yield "device", f"{shown.device.name} ({shown.device.state}{f', in {groups}' if groups else ''})"
    for one in shown.components:
        yield "component", f"{one.name} {one.version}{', runs there now' if one.running else ''}"
    yield "model file", result.digest
    if shown.model:
        yield "model", f"{shown.model.label} ({shown.variant})"
    if shown.approval:
        yield from _approval(shown.approval)
    if shown.twins:
        tested = ", ".join(f"{one.device} {one.progress}" for one in shown.twins.twins)
        yield "twins", f"{shown.twins.state}: {tested} ({shown.twins.rollout})"
    if shown.model:
        for gate in shown.model.gates:
            yield "gate", mark(gate.passed, f"{gate.name}: {gate.sentence}")
    yield from _made(shown)


def _made(shown: ResultLineage) -> Iterator[tuple[str, Cell]]:
    if shown.run and shown.model:
        by = f", started by {shown.run.by}" if shown.run.by else ""
        yield "run", f"{shown.run.id}: {shown.run.request.trainer}, seed {shown.model.lineage.seed}{by}"
        yield "code", shown.model.lineage.code_version
    if shown.dataset:
        yield "dataset", f"{shown.dataset.name} {shown.dataset.id} {shown.dataset.digest}"
    if shown.images and shown.dataset:
        yield (
            "trained on",
            f"{counted(shown.images.total, 'image')}: lineside datasets images {shown.dataset.id} --split train",
        )
        for image in shown.images.images:
            yield "", f"{image.file_name} {short(image.digest)}"


def _approval(approval: LineageApproval) -> Iterator[tuple[str, Cell]]:
    verified = sum(one.verified for one in approval.signatures)
    by = f"{approval.decided_by}, " if approval.decided_by else ""
    yield (
        "approval",
        mark(
            verified >= approval.threshold,
            f"{by}{when(approval.decided_at)}: {verified} of {counted(approval.threshold, 'signature')} verified",
        ),
    )
    for one in approval.signatures:
        brought = f", brought by {one.by}" if one.by else ""
        yield "key", f"{one.key[:12]} {one.name}{brought}{'' if one.verified else ' (signed then)'}"
