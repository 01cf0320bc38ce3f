"""Staging: a component's artifacts under the paths its recipe names, put there with one rename a directory."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lineside.agent import crash
from lineside.agent.attention import Attention
from lineside.agent.durable import make_directories, remove_tree, rename_directory
from lineside.agent.paths import Paths
from lineside.agent.updating import environments
from lineside.agent.updating.archive import MAX_BYTES, unpack
from lineside.agent.updating.store import RESERVE, Store, free_bytes, hash_file
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.recipe import Recipe, RecipeArtifact

PATIENCE = 900.0
"""Seconds that unpacking the artifacts of one component may take."""


def stage(recipe: Recipe, store: Store, paths: Paths, attention: Attention | None = None) -> dict[str, str]:
    """Build both package directories from the store, and the component's Python environment if it brings one; the
    digests found on disk, by file name. Idempotent.

    Raises `artifact.digest_mismatch`, `archive.…`, `environment.…`, and what `attention` raises when the work is broken
    off; the directories in place are then as they were.
    """
    final = paths.artifacts(recipe.name, recipe.version)
    unarchived = paths.unarchived(recipe.name, recipe.version)
    built, unpacked = _temporary(final), _temporary(unarchived)
    try:
        found = _build(recipe, store, built, unpacked, _watch(recipe, attention))
        environments.build(recipe, built, paths, attention)
    except BaseException:
        _discard(built)
        _discard(unpacked)
        raise
    crash.point("stage.built")
    rename_directory(unpacked, unarchived)
    rename_directory(built, final)
    crash.point("stage.renamed")
    return found


def _build(recipe: Recipe, store: Store, built: Path, unpacked: Path, check: Callable[[], None]) -> dict[str, str]:
    check()
    for artifact in recipe.artifacts:
        _place(artifact, store, built)
        check()
        if artifact.unarchive == "ZIP":
            _unpack(artifact, built, unpacked, check)
    return {artifact.name: _verified(artifact, built, store) for artifact in recipe.artifacts}


def _watch(recipe: Recipe, attention: Attention | None) -> Callable[[], None]:
    """What breaks staging off: the agent's end, a newer document, the deadline."""
    until = time.monotonic() + PATIENCE

    def check() -> None:
        if attention is not None:
            attention.check()
        if time.monotonic() > until:
            raise LinesideError("deploy.stage_timeout", name=recipe.name, seconds=f"{PATIENCE:g}")

    return check


def intact(recipe: Recipe, store: Store, paths: Paths) -> bool:
    """Whether staged artifacts are still what the recipe says; damaged objects of the store are thrown away."""
    directory = paths.artifacts(recipe.name, recipe.version)
    if not directory.is_dir() or not paths.unarchived(recipe.name, recipe.version).is_dir():
        return False
    sound = [_same(directory / artifact.name, artifact.digest) for artifact in recipe.artifacts]
    if not all(sound):
        for artifact in recipe.artifacts:
            store.verify(artifact.digest)
    return all(sound) and environments.intact(recipe, paths)


def installed(paths: Paths) -> Iterator[tuple[str, str]]:
    """Name and version of every package directory, unfinished ones too (their version then ends in .tmp or .old)."""
    for base in (paths.all_artifacts, paths.all_unarchived):
        for directory in base.glob("*/*"):
            yield directory.parent.name, directory.name
    yield from environments.installed(paths)


def remove(paths: Paths, name: str, version: str) -> None:
    """Remove a package's directories."""
    environments.remove(paths, name, version)
    for directory in (paths.artifacts(name, version), paths.unarchived(name, version)):
        _discard(directory)


def _discard(directory: Path) -> None:
    """Remove a version's directory, and that of its component when no other version is left."""
    remove_tree(directory)
    if directory.parent.is_dir() and not any(directory.parent.iterdir()):
        directory.parent.rmdir()


def _temporary(final: Path) -> Path:
    built = final.with_name(f"{final.name}.tmp")
    remove_tree(built)
    make_directories(built)
    return built


def _place(artifact: RecipeArtifact, store: Store, built: Path) -> None:
    """A hard link where the file may stay read-only and the file system has links, else a copy."""
    source, target = store.path(artifact.digest), built / artifact.name
    if artifact.executable:
        _copy(source, target, 0o555)
        return
    try:
        os.link(source, target)
    except OSError:
        _copy(source, target, 0o444)


def _copy(source: Path, target: Path, mode: int) -> None:
    shutil.copyfile(source, target)
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    target.chmod(mode)


def _unpack(artifact: RecipeArtifact, built: Path, unpacked: Path, check: Callable[[], None]) -> None:
    room = max(0, min(MAX_BYTES, free_bytes(unpacked) - RESERVE))
    unpack(built / artifact.name, artifact.name, unpacked / Path(artifact.name).stem, max_bytes=room, check=check)


def _verified(artifact: RecipeArtifact, built: Path, store: Store) -> str:
    actual = hash_file(built / artifact.name)
    if actual != artifact.digest:
        store.verify(artifact.digest)  # throws the damaged object away, so that the next round fetches it again
        raise LinesideError("artifact.digest_mismatch", name=artifact.name, expected=artifact.digest, actual=actual)
    return actual


def _same(path: Path, digest: str) -> bool:
    return path.is_file() and hash_file(path) == digest
