"""`lineside twin`: simulated devices on this machine, and what a model's test on them came to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import RenderableType

from lineside.cli.connection import find
from lineside.cli.demo.interrupts import Interrupts, Stopped
from lineside.cli.demo.processes import Processes
from lineside.cli.options import Json, Model, ModelCommand, Root, Url, which
from lineside.cli.output import Output, session
from lineside.cli.table import mark, rows, when
from lineside.cli.twin_house import DEFAULT, TwinHouse, clearing, end, find_profile, holder_of, holding
from lineside.cli.twin_view import TwinShown, draw_shown, load_outputs, load_report
from lineside.client import Client
from lineside.contract.device import Device
from lineside.contract.errors import ErrorReport, Kind, LinesideError, RemoteError
from lineside.contract.ids import is_name
from lineside.contract.twin import PROFILES, TWINS, Profile

app = typer.Typer(name="twin", help="Twins: simulated devices that models are tried on.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--folder", help="Folder that holds the twins of this machine.")]

_TICK = 0.5


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A twin that runs: how its limits are held, and where it lives."""

    device: str
    profile: str
    limits: str
    root: str


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """Twins that run, and the process that stays with them."""

    pid: int
    folder: str
    twins: tuple[Started, ...]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What `twin stop` ended; no process, when none was there."""

    folder: str
    pid: int | None


@app.command()
def start(
    profile: Annotated[str, typer.Option("--profile", help="A profile's name, or a JSON file with one.")],
    count: Annotated[int, typer.Option("--count", min=1, max=20, help="How many twins.")] = 1,
    name: Annotated[str, typer.Option("--name", help="What they are called, a number follows; twin-PROFILE.")] = "",
    folder: Folder = DEFAULT,
    detach: Annotated[
        bool, typer.Option("--detach", help="Leave them running; end them with lineside twin stop.")
    ] = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Start twins: real agents in the group of twins, under a profile's limits. Ctrl-C ends them."""
    out = Output(json)
    with out.explaining():
        found = find_profile(profile)
        first = name or f"twin-{found.name}"
        if not is_name(f"{first}-{count}"):
            raise LinesideError("request.invalid", why=f"{first[:80]!r} cannot name a twin")
        names = tuple(f"{first}-{number + 1}" for number in range(count))
        where = folder.expanduser().resolve()
        if detach:
            out.show(_detached(profile, count, name, where, find(url, root).url, root), _running)
            return
        status = _stay(find(url, root).client(), found, names, where, out)
    raise typer.Exit(status)


@app.command()
def stop(folder: Folder = DEFAULT, json: Json = False) -> None:
    """End the twins of a folder; starting them again goes on where they were."""
    out = Output(json)
    with out.explaining():
        where = folder.expanduser().resolve()
        stopped = Ended(folder=str(where), pid=end(where))
        words = "Ended" if stopped.pid else "Nothing runs from there"
        out.show(stopped, lambda value: f"{words}: {value.folder}")


@app.command("list")
def list_(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List the twins that have joined, with their profiles and how their limits are held."""
    with session(url, root, json) as (client, out):
        out.show(client.devices(group=TWINS), _table)


@app.command(cls=ModelCommand)
def show(
    model: Model,
    outputs: Annotated[bool, typer.Option("--outputs", help="With what its tests printed.")] = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show the twin test of a model: its stages, and each number against its limit."""
    with session(url, root, json) as (client, out):
        test = client.twin_test(*which(client, model))
        report = load_report(client, test.report)
        said = load_outputs(client, report) if outputs else {}
        out.show(TwinShown(test=test, report=report, outputs=said), draw_shown)


@app.command()
def profiles(json: Json = False) -> None:
    """List the profiles there are; one of your own is a JSON file of the same keys."""
    Output(json).show(list(PROFILES.values()), _profiles)


def _stay(client: Client, profile: Profile, names: Sequence[str], folder: Path, out: Output) -> int:
    """Run twins until somebody ends it; answers the exit status."""
    with (
        holding(folder),
        Interrupts() as interrupts,
        suppress(Stopped),
        clearing(folder),
        Processes(interrupts) as processes,
    ):
        house = TwinHouse(folder, folder / "logs", processes)
        for name in names:
            house.start(client, name, profile)
        twins = tuple(
            Started(device=name, profile=profile.name, limits=house.held(name), root=str(folder / name))
            for name in names
        )
        out.show(Running(pid=os.getpid(), folder=str(folder), twins=twins), _running)
        out.say("Ctrl-C ends them.")
        while True:
            time.sleep(_TICK)
            house.keep_running()
    return 0


def _detached(profile: str, count: int, name: str, folder: Path, url: str, root: Path | None) -> Running:
    """The same in a process of its own, when it says that they run. Raises what it did."""
    if holder_of(folder) is not None:
        raise LinesideError("twin.running", folder=folder, pid=holder_of(folder))
    path = Path(profile)
    wanted = profile if profile in PROFILES else str(path.expanduser().resolve())
    program = [sys.executable, "-m", "lineside.cli", "twin", "start", "--profile", wanted, "--count", str(count)]
    program += ["--folder", str(folder), "--json", *(["--name", name] if name else [])]
    program += ["--root", str(root)] if root is not None else ["--url", url]
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    with (folder / "logs" / "twins.log").open("ab") as log:
        child = subprocess.Popen(
            program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    assert child.stdout is not None
    line = child.stdout.readline()
    with suppress(msgspec.MsgspecError):
        return msgspec.json.decode(line, type=Running)
    with suppress(msgspec.MsgspecError):
        error = msgspec.json.decode(line, type=dict[str, ErrorReport])["error"]
        raise RemoteError(error, Kind.UNAVAILABLE)
    raise LinesideError(
        "twin.not_started", device=name or wanted, why="it said nothing", log=folder / "logs" / "twins.log"
    )


def _running(value: Running) -> RenderableType:
    lines = ((one.device, one.profile, one.limits, one.root) for one in value.twins)
    return rows(("twin", "profile", "limits held by", "folder"), lines, "No twin.")


def _table(devices: Sequence[Device]) -> RenderableType:
    lines = (
        (
            device.name,
            mark(device.summary == "healthy" or None, device.summary),
            str(device.facts.get("profile", "none")),
            str(device.facts.get("limits", "none")),
            when(device.last_seen),
        )
        for device in devices
    )
    nothing = "No twin yet. Start one: lineside twin start --profile generic-x86"
    return rows(("twin", "state", "profile", "limits held by", "last seen"), lines, nothing)


def _profiles(found: Sequence[Profile]) -> RenderableType:
    lines = (
        (
            one.name,
            f"{one.memory_mib} MiB",
            f"{one.cpus:g}",
            f"{one.latency_p95_ms:g} ms",
            f"{one.peak_memory_mib} MiB",
            one.words,
        )
        for one in found
    )
    return rows(
        ("profile", "memory", "cpus", "latency p95 up to", "a component up to", "what it stands for"), lines, ""
    )
