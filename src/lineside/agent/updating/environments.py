"""A component's own Python: its hash-pinned wheels in a virtual environment, installed from its artifacts alone.

A component that brings `requirements.txt` and wheels (`*.whl`) among its artifacts gets one environment a version:

    <root>/packages/environments/NAME/VERSION/FINGERPRINT/

The fingerprint is of the wheels, the requirements and the agent's Python, so that nothing that runs is ever changed:
another set of wheels for the same version is built beside it. An environment cannot be moved, so it is built where it
stays; it exists once its last file, `complete.json`, does, which lists every file with its digest. After a start each
is looked at again, as packages are, and what is damaged is built anew.

pip does the work: the agent's own, or the one that came with its Python. It is told of no index and gets no variable
or configuration that could tell it of one; nothing of a wheel runs while it is installed.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shlex
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from lineside.agent.attention import Attention
from lineside.agent.durable import remove_tree, sync_file, sync_tree, write_atomically
from lineside.agent.paths import Paths
from lineside.agent.supervision.processes import COMPONENT_MARKER, MARKER, Child, Ended
from lineside.agent.updating.requirements import Requirement, read_requirements, wheels_of
from lineside.agent.updating.store import RESERVE, free_bytes, hash_file
from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest
from lineside.contract.reading import UNREADABLE
from lineside.contract.recipes.recipe import Recipe

REQUIREMENTS = "requirements.txt"
PATIENCE = 900.0
"""Seconds that making one environment may take."""

_MARKER = "complete.json"
_PIP_OPTIONS = (
    "--isolated",
    "--no-input",
    "--quiet",
    "--disable-pip-version-check",
    "install",
    "--no-index",
    "--no-deps",
    "--require-hashes",
    "--only-binary=:all:",
    "--no-cache-dir",
    "--ignore-installed",
    "--no-warn-script-location",
    "--progress-bar=off",
)
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")


def wanted(recipe: Recipe) -> bool:
    """Whether a component brings its own Python dependencies: requirements and at least one wheel."""
    names = [artifact.name for artifact in recipe.artifacts]
    return REQUIREMENTS in names and any(name.endswith(".whl") for name in names)


def directory(recipe: Recipe, paths: Paths) -> Path:
    """Where a component's environment is, or would be."""
    parts = {artifact.name: artifact.digest for artifact in recipe.artifacts if _is_part(artifact.name)}
    fingerprint = content_digest([parts, sys.implementation.cache_tag, sys.base_prefix, sysconfig.get_platform()])
    return paths.environments / recipe.name / recipe.version / fingerprint.removeprefix("sha256:")[:12]


def python_of(recipe: Recipe, paths: Paths) -> Path | None:
    """The Python of a component's environment; None when it has none of its own and uses the agent's."""
    return directory(recipe, paths) / "bin" / "python" if wanted(recipe) else None


def variables(recipe: Recipe, paths: Paths, path: str) -> dict[str, str]:
    """What a component's processes get for its environment; `path` is what PATH would be without one."""
    if not wanted(recipe):
        return {}
    place = directory(recipe, paths)
    return {
        "LINESIDE_PYTHON": str(place / "bin" / "python"),
        "VIRTUAL_ENV": str(place),
        "PATH": f"{place / 'bin'}:{path}" if path else str(place / "bin"),
    }


def build(recipe: Recipe, files: Path, paths: Paths, attention: Attention | None = None) -> None:
    """Make a component's environment from its artifacts in `files`, unless it is there. Idempotent.

    Raises `environment.…`, `store.no_space`, and what `attention` raises when the work is broken off; whatever was
    there before is then as it was.
    """
    if not wanted(recipe) or intact(recipe, paths):
        return
    place = directory(recipe, paths)
    remove_tree(place)
    _check_wheels(recipe, files)
    _check_space(recipe, files, place)
    _make(recipe, files, place, paths, attention or _undisturbed())
    for path in _files(place):
        sync_file(path)
    sync_tree(place)
    write_atomically(place / _MARKER, msgspec.json.encode(_listing(place)))
    sync_tree(paths.environments)


def intact(recipe: Recipe, paths: Paths) -> bool:
    """Whether a component's environment is complete and as it was built; true for a component that wants none."""
    if not wanted(recipe):
        return True
    place = directory(recipe, paths)
    try:
        listing = msgspec.json.decode((place / _MARKER).read_bytes(), type=dict[str, str])
        return (place / "bin" / "python").exists() and all(_digest(place / name) == listing[name] for name in listing)
    except (OSError, *UNREADABLE):
        return False


def installed(paths: Paths) -> Iterator[tuple[str, str]]:
    """Name and version of everything that has an environment, unfinished ones too."""
    for place in paths.environments.glob("*/*"):
        yield place.parent.name, place.name


def remove(paths: Paths, name: str, version: str) -> None:
    """Remove a version's environments."""
    place = paths.environments / name / version
    for environment in place.glob("*"):
        (environment / _MARKER).unlink(missing_ok=True)  # first, so that half an environment is never taken for one
    remove_tree(place)
    if place.parent.is_dir() and not any(place.parent.iterdir()):
        place.parent.rmdir()


# --- what goes in -----------------------------------------------------------------------------------------------------


def _is_part(name: str) -> bool:
    return name == REQUIREMENTS or name.endswith(".whl")


def _check_wheels(recipe: Recipe, files: Path) -> None:
    """Refuse early, by name, what pip would refuse at length: a wheel whose hash is not the one required."""
    wheels = {artifact.name: artifact.digest for artifact in recipe.artifacts if artifact.name.endswith(".whl")}
    for requirement in read_requirements(recipe.name, (files / REQUIREMENTS).read_bytes()):
        own = wheels_of(requirement, list(wheels))
        if own and not {wheels[name].removeprefix("sha256:") for name in own} & requirement.hashes:
            raise LinesideError(
                "environment.hash_mismatch", name=recipe.name, requirement=requirement.pin, wheels=", ".join(own)
            )


def _check_space(recipe: Recipe, files: Path, place: Path) -> None:
    """Wheels say how large they get; compiled modules take as much again at most."""
    needed = 0
    for artifact in recipe.artifacts:
        if artifact.name.endswith(".whl"):
            try:
                with zipfile.ZipFile(files / artifact.name) as wheel:
                    needed += sum(entry.file_size for entry in wheel.infolist())
            except (zipfile.BadZipFile, NotImplementedError, UnicodeError) as error:
                raise _failed(recipe, f"{artifact.name} is no wheel: {error}") from error
    place.mkdir(parents=True, exist_ok=True)
    free = free_bytes(place) - RESERVE
    if needed * 2 > free:
        name = f"the environment of {recipe.name} {recipe.version}"
        raise LinesideError("store.no_space", name=name, needed=needed * 2, free=max(0, free), root=place)


# --- how it is made ---------------------------------------------------------------------------------------------------


@functools.cache
def _undisturbed() -> Attention:
    """For callers that nothing breaks off."""
    return Attention()


def _make(recipe: Recipe, files: Path, place: Path, paths: Paths, attention: Attention) -> None:
    environment = {key: value for key, value in os.environ.items() if key in _PASSED_ON}
    environment |= {MARKER: str(paths.root), COMPONENT_MARKER: recipe.name, "HOME": str(place)}
    environment |= {"PIP_CONFIG_FILE": os.devnull, "PYTHONNOUSERSITE": "1"}
    python = str(place / "bin" / "python")
    commands = (
        [sys.executable, "-I", "-m", "venv", "--without-pip", str(place)],
        [python, *pip(), *_PIP_OPTIONS, "--find-links", str(files), "--requirement", str(files / REQUIREMENTS)],
    )
    for command in commands:
        with tempfile.TemporaryFile() as output:
            if _run(command, environment, place, output.fileno(), attention) == 0:
                continue
            output.seek(0)
            raise _explained(recipe, output.read(1 << 20).decode(errors="replace"), files)


def pip() -> list[str]:
    """What follows a Python to run pip in it. Raises `environment.no_pip`.

    The agent's own pip, without the rest of its packages; else the one that came with its Python for new environments.
    """
    found = importlib.util.find_spec("pip")
    for folder in (found.submodule_search_locations or []) if found is not None else []:
        runner = Path(folder) / "__pip-runner__.py"
        if runner.is_file():
            return [str(runner)]
    ensure = importlib.util.find_spec("ensurepip")
    bundled = [Path(folder) / "_bundled" for folder in (ensure.submodule_search_locations or [])] if ensure else []
    shared = sysconfig.get_config_var("WHEEL_PKG_DIR")
    for place in [*bundled, *([Path(shared)] if shared else [])]:
        for wheel in sorted(place.glob("pip-*.whl"), reverse=True):
            return [str(wheel / "pip")]
    raise LinesideError("environment.no_pip", python=sys.executable)


def _run(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, output: int, attention: Attention
) -> int | None:
    """Run a command in a process group that ends with the agent; None when it took too long."""
    child = Child(f"umask 022; exec {shlex.join(command)}", environment, folder, output, output)
    ended = child.wait(PATIENCE, attention.off)
    if ended is not Ended.EXITED:
        child.end(1.0)
    attention.check()
    return child.code if ended is Ended.EXITED else None


def _explained(recipe: Recipe, output: str, files: Path) -> LinesideError:
    """What pip said, in the words of the error table where there are some."""
    missing = re.search(r"No matching distribution found for ([^\s;]+)", output)
    if missing is not None:
        name = missing[1].partition("==")[0]
        asked = Requirement(name=name, version=missing[1].partition("==")[2], hashes=frozenset())
        own = wheels_of(asked, [path.name for path in files.glob("*.whl")])
        return LinesideError(
            "environment.no_wheel",
            name=recipe.name,
            requirement=missing[1],
            wheels=", ".join(own) or "none of that version",
        )
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return _failed(recipe, (errors or lines or ["it took too long"])[-1 if not errors else 0][:300])


def _failed(recipe: Recipe, why: str) -> LinesideError:
    return LinesideError("environment.failed", name=recipe.name, version=recipe.version, why=why)


# --- what came of it --------------------------------------------------------------------------------------------------


def _files(place: Path) -> Iterator[Path]:
    """Every regular file of an environment, by name."""
    for path in sorted(place.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def _listing(place: Path) -> dict[str, str]:
    return {str(path.relative_to(place)): hash_file(path) for path in _files(place)}


def _digest(path: Path) -> str | None:
    return hash_file(path) if path.is_file() else None
