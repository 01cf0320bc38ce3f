"""Steps of people's own: a command, or a Python function, in a folder and a process group of its own.

    FOLDER/            the declared code files; the command runs here
    FOLDER/inputs/     what steps before it made, one file an input
    FOLDER/tmp/        its TMPDIR

Same code files, command, inputs and parameters: the same result, which is not made twice. Its environment has no token,
its output is the step's log, and it ends when its time is over or the run was stopped.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest
from lineside.contract.own_step import OwnStep, files_of
from lineside.contract.run import RunRequest
from lineside.pipeline.command import Command, run_command
from lineside.pipeline.files import pack_folder
from lineside.pipeline.sessions import MARK, kill_marked, mark_of
from lineside.pipeline.step import Context, Results, StepDefinition

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
_CALLS = "lineside.pipeline.own_function"


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides what comes out; `values` are the inputs, digests or small values as they are."""

    command: tuple[str, ...]
    python: str | None
    files: dict[str, str]
    values: dict[str, Any]
    outputs: dict[str, str]
    parameters: dict[str, Any]
    environment: dict[str, str]
    image: str | None
    seed: int


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """The files it left, as blobs, by name; a folder is a tar."""

    files: dict[str, str]
    seconds: float


def definition_of(own: OwnStep, *, allowed: bool) -> StepDefinition:
    """The step as a row of the pipeline; a worker that was not told it may do such steps refuses it."""
    return StepDefinition(
        name=own.name,
        inputs=functools.partial(inputs, own),
        perform=functools.partial(perform if allowed else refuse, own),
        summary=lambda done: ", ".join(done.files) or "done",
        outputs=Outputs,
        code=lambda given: _code(own),
        cached=own.cache,
    )


def inputs(own: OwnStep, request: RunRequest, results: Results) -> Inputs:
    """What the step needs, taken from the steps before. Raises `run.step_invalid`."""
    return Inputs(
        command=own.command,
        python=own.python,
        files=files_of(own),
        values={name: _found(own, results, where) for name, where in own.inputs.items()},
        outputs=own.outputs,
        parameters=own.parameters,
        environment=own.environment,
        image=own.image,
        seed=request.seed,
    )


def perform(own: OwnStep, context: Context, given: Inputs) -> Outputs:
    """Run it. Raises `run.command_failed`, or `run.command_passing` when it ends with status 75 (EX_TEMPFAIL)."""
    began = time.monotonic()
    folder = context.folder / f"own-{own.name}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    for path, digest in given.files.items():
        _put(context.blobs.path(digest), folder / path)
    values = {name: _local(context, folder, name, value) for name, value in given.values.items()}
    outputs = {name: folder / path for name, path in given.outputs.items()}
    for target in outputs.values():
        target.parent.mkdir(parents=True, exist_ok=True)
    words = _words(own, folder, values, outputs, given)
    environment = _environment(own, context, folder, values, outputs, given)
    command = Command(
        step=own.name,
        words=words,
        folder=folder,
        environment=environment,
        seconds=own.timeout,
        clean=functools.partial(kill_marked, context.folder),
    )
    run_command(command, context.say)
    files = {name: _kept(own, context, name, path) for name, path in outputs.items()}
    shutil.rmtree(folder, ignore_errors=True)
    return Outputs(files=files, seconds=round(time.monotonic() - began, 1))


def refuse(own: OwnStep, context: Context, given: Inputs) -> NoReturn:
    """Raises `run.step_invalid`."""
    raise LinesideError("run.step_invalid", step=own.name, why="this worker was started without --commands")


def _code(own: OwnStep) -> tuple[str, ...]:
    """A function that is not among the step's files is installed: its package counts."""
    if own.python is None:
        return ()
    package = own.python.partition(":")[0].partition(".")[0]
    declared = {path.partition("/")[0].removesuffix(".py") for path in files_of(own)}
    return () if package in declared else (package,)


def _found(own: OwnStep, results: Results, where: str) -> Any:
    if is_digest(where):
        return where
    step, *path = where.split(".")
    value: Any = results.plain(step)
    if len(path) == 1 and isinstance(value, dict) and path[0] in value.get("files", {}):
        path = ["files", *path]
    for word in path:
        try:
            value = value[int(word)] if isinstance(value, list) else value[word]
        except (KeyError, IndexError, ValueError, TypeError) as why:
            raise LinesideError("run.step_invalid", step=own.name, why=f"{where} is nothing that was made") from why
    return value


def _local(context: Context, folder: Path, name: str, value: Any) -> Any:
    if not (isinstance(value, str) and is_digest(value)):
        return value
    target = folder / "inputs" / name
    _put(context.blobs.path(value), target)
    return str(target)


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)  # never a link: the step may write to it


def _words(own: OwnStep, folder: Path, values: dict[str, Any], outputs: dict[str, Path], given: Inputs) -> list[str]:
    if own.python is not None:
        call = folder / "tmp" / "call.json"
        said = {
            "function": own.python,
            "inputs": values,
            "outputs": {name: str(path) for name, path in outputs.items()},
            "parameters": given.parameters,
        }
        call.write_bytes(msgspec.json.encode(said))
        return [sys.executable, "-m", _CALLS, str(call)]
    named = {
        **{f"{{inputs.{name}}}": _text(value) for name, value in values.items()},
        **{f"{{outputs.{name}}}": str(path) for name, path in outputs.items()},
        **{f"{{parameters.{name}}}": _text(value) for name, value in given.parameters.items()},
    }
    return [_filled(word, named) for word in own.command]


def _filled(word: str, named: dict[str, str]) -> str:
    for name, value in named.items():
        word = word.replace(name, value)
    return word


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _environment(
    own: OwnStep, context: Context, folder: Path, values: dict[str, Any], outputs: dict[str, Path], given: Inputs
) -> dict[str, str]:
    said = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    said |= {"HOME": str(folder), "TMPDIR": str(folder / "tmp"), "PYTHONUNBUFFERED": "1"}
    said |= {"PYTHONPATH": os.pathsep.join((str(folder), *filter(None, [os.environ.get("PYTHONPATH")])))}
    said |= {"LINESIDE_RUN": context.run, "LINESIDE_STEP": own.name, "LINESIDE_SEED": str(given.seed)}
    said |= {f"LINESIDE_INPUT_{name.upper()}": _text(value) for name, value in values.items()}
    said |= {f"LINESIDE_OUTPUT_{name.upper()}": str(path) for name, path in outputs.items()}
    said |= {f"LINESIDE_PARAMETER_{name.upper()}": _text(value) for name, value in given.parameters.items()}
    return said | own.environment | {MARK: mark_of(context.folder)}


def _kept(own: OwnStep, context: Context, name: str, path: Path) -> str:
    if path.is_dir():
        path = pack_folder(path, path.with_name(f"{path.name}.tar"))
    if path.is_symlink() or not path.is_file():
        raise LinesideError("run.command_failed", step=own.name, why=f"it left no {name} at {path.name}")
    return context.blobs.put_file(path)
