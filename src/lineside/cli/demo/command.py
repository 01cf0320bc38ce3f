"""`lineside demo`: the command line of the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineside.cli.demo import story as loop_story
from lineside.cli.demo.display import Display
from lineside.cli.demo.drift import story as drift_story
from lineside.cli.demo.interrupts import Interrupts, Stopped
from lineside.cli.demo.processes import Processes
from lineside.cli.demo.root import hold_root
from lineside.cli.demo.scene import Settings, Story, open_scene
from lineside.cli.demo.story import Told
from lineside.cli.extras import need_extra
from lineside.cli.options import Json
from lineside.cli.output import Output
from lineside.cli.runs import EXIT_GATED
from lineside.cli.twin_house import clearing
from lineside.contract.errors import LinesideError

_STORIES = {Story.LOOP: loop_story.tell, Story.DRIFT: drift_story.tell}


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder with labelled images; rendered tags without.")
    ] = None,
    init: Annotated[Path | None, typer.Option("--init", help="YOLOX weights (ONNX) to start training from.")] = None,
    devices: Annotated[int, typer.Option("--devices", min=1, max=20, help="How many devices.")] = 3,
    exit: Annotated[bool, typer.Option("--exit", help="End when the loop is closed.")] = False,
    story: Annotated[
        Story, typer.Option("--story", help="loop: the whole loop, once. drift: one device sees something new.")
    ] = Story.LOOP,
    yes: Annotated[bool, typer.Option("--yes", help="Approve the model without asking.")] = False,
    root: Annotated[Path | None, typer.Option("--root", help="Folder that holds everything; ./lineside-demo.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port of the pages; 8400 if free.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Train for this many epochs.")] = None,
    json: Json = False,
) -> None:
    """Show the whole loop on this machine: import, train, approve, roll out to devices, infer, bring images back."""
    out = Output(json)
    settings = Settings(
        data=data, init=init, devices=devices, exit=exit, yes=yes, port=port, epochs=epochs, story=story
    )
    with out.explaining():
        need_extra("all")
        check_files(settings)
        status = perform(settings, root, out)
    raise typer.Exit(status)


def check_files(settings: Settings) -> None:
    """Refuse what cannot work before anything is started. Raises `client.folder_missing`, `cli.file_unreadable`,
    `demo.only_rendered`."""
    if settings.story is Story.DRIFT and (settings.data or settings.init):
        raise LinesideError("demo.only_rendered", story=settings.story.value)
    if settings.data is not None and not settings.data.is_dir():
        raise LinesideError("client.folder_missing", folder=settings.data)
    if settings.init is not None and not settings.init.is_file():
        raise LinesideError("cli.file_unreadable", file=settings.init, why="it is not a file")


def perform(settings: Settings, wanted: Path | None, out: Output) -> int:
    """Play the demo; answers the exit status: 0, 3 below the gate, 128 and the signal when stopped before its end."""
    display = Display(out.progress if out.json else out.console)
    told: Told | None = None
    try:
        with (
            Interrupts() as interrupts,
            hold_root(wanted, fresh=settings.story is Story.DRIFT) as root,
            clearing(root.devices),
            Processes(interrupts) as processes,
        ):
            scene = open_scene(settings, root, display, processes)
            told = _STORIES[settings.story](scene)
            out.show(told.summary, told.draw)
            if not told.released:
                display.say("The model is below its gate: it may not be approved, and no device was told.", "red")
                return EXIT_GATED
            if not settings.exit:
                told.go_on()
    except Stopped as stop:
        return 0 if told else 128 + stop.number
    return 0
