"""The store: nothing enters unverified, a broken download goes on where it stopped, a full disk is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.agent.link.error import LinkError
from lineside.agent.paths import Paths
from lineside.agent.testing import FakeControlPlane
from lineside.agent.updating.installed import Package
from lineside.agent.updating.packages import intact, stage
from lineside.agent.updating.store import RESERVE, Store
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.recipes.recipe import Recipe, RecipeArtifact
from tests.agent.components import archive

DATA = bytes(range(256)) * 40


def no_count(_: int) -> None:
    return


def test_a_broken_download_is_resumed(tmp_path: Path) -> None:
    source, store, received = FakeControlPlane(), Store(tmp_path), []
    digest = source.add_blob(DATA)
    source.break_after = 4096
    with pytest.raises(LinkError):
        store.fetch(source, digest, "data.bin", received.append)
    assert not store.has(digest)
    source.break_after = None
    store.fetch(source, digest, "data.bin", received.append)
    assert store.read(digest) == DATA
    assert source.offsets == [0, 4096]
    assert sum(received) == len(DATA)
    store.fetch(source, digest, "data.bin", received.append)
    assert source.offsets == [0, 4096]  # what is there is not asked for again


def test_a_source_that_cannot_resume_starts_anew(tmp_path: Path) -> None:
    source, store = FakeControlPlane(), Store(tmp_path)
    digest = source.add_blob(DATA)
    source.break_after = 4096
    with pytest.raises(LinkError):
        store.fetch(source, digest, "data.bin", no_count)
    source.break_after, source.resumes = None, False
    store.fetch(source, digest, "data.bin", no_count)
    assert store.read(digest) == DATA


def test_what_a_power_cut_tore_is_fetched_again_from_the_beginning(tmp_path: Path) -> None:
    source, store = FakeControlPlane(), Store(tmp_path)
    digest = source.add_blob(DATA)
    (tmp_path / "partial" / f"{digest.removeprefix('sha256:')}.part").write_bytes(b"\0" * 4096)
    store.fetch(source, digest, "data.bin", no_count)
    assert store.read(digest) == DATA
    assert source.offsets == [4096, 0]


def test_a_flipped_byte_never_enters(tmp_path: Path) -> None:
    source, store = FakeControlPlane(), Store(tmp_path)
    digest = source.add_blob(DATA)
    source.blobs[digest] = b"!" + DATA[1:]
    with pytest.raises(LinesideError, match=r"artifact\.digest_mismatch"):
        store.fetch(source, digest, "data.bin", no_count)
    assert store.digests() == frozenset()
    assert not list((tmp_path / "partial").iterdir())


def test_a_disk_that_is_too_small_is_said_before_a_byte_is_written(tmp_path: Path) -> None:
    source = FakeControlPlane()
    store = Store(tmp_path, free=lambda _: RESERVE + len(DATA) - 1)
    digest = source.add_blob(DATA)
    with pytest.raises(LinesideError, match=r"store\.no_space"):
        store.fetch(source, digest, "data.bin", no_count)


def test_a_damaged_object_is_found_and_thrown_away(tmp_path: Path) -> None:
    store = Store(tmp_path)
    digest = store.put(DATA)
    assert store.verify(digest)
    store.path(digest).chmod(0o644)
    store.path(digest).write_bytes(b"damaged")
    assert not store.verify(digest)
    assert not store.has(digest)


def make_recipe(store: Store, **files: bytes) -> Recipe:
    artifacts = tuple(
        RecipeArtifact(
            uri="lineside:x",
            name=name.replace("_", "."),
            digest=store.put(data),
            unarchive="ZIP" if name.endswith("_zip") else "NONE",
            executable=name.endswith("_sh"),
        )
        for name, data in files.items()
    )
    return Recipe(name="app", version="1.0.0", artifacts=artifacts)


def test_staging_puts_files_where_the_recipe_expects_them_and_may_be_repeated(tmp_path: Path) -> None:
    store, paths = Store(tmp_path / "store"), Paths(tmp_path)
    recipe = make_recipe(store, model_onnx=DATA, tool_sh=b"#!/bin/sh\n", code_zip=archive({"a/b.py": b"x = 1"}))
    for _ in range(2):
        found = stage(recipe, store, paths)
        assert found["model.onnx"] == digest_of(DATA)
        assert (paths.artifacts("app", "1.0.0") / "tool.sh").stat().st_mode & 0o111
        assert (paths.unarchived("app", "1.0.0") / "code" / "a" / "b.py").read_bytes() == b"x = 1"
        assert intact(recipe, store, paths)
    assert Package(recipe_digest="x", artifacts=found).artifacts == found
    assert not list(paths.all_artifacts.glob("*/*.tmp")) + list(paths.all_artifacts.glob("*/*.old"))


def test_a_damaged_package_is_not_intact_and_takes_its_object_along(tmp_path: Path) -> None:
    store, paths = Store(tmp_path / "store"), Paths(tmp_path)
    recipe = make_recipe(store, model_onnx=DATA)
    stage(recipe, store, paths)
    file = paths.artifacts("app", "1.0.0") / "model.onnx"
    file.chmod(0o644)
    file.write_bytes(b"damaged")  # a hard link: the store's object is the same file
    assert not intact(recipe, store, paths)
    assert not store.has(digest_of(DATA))


def test_a_stage_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    store, paths = Store(tmp_path / "store"), Paths(tmp_path)
    stage(make_recipe(store, model_onnx=DATA), store, paths)
    with pytest.raises(LinesideError, match=r"archive\.path_escape"):
        stage(make_recipe(store, model_onnx=b"other", code_zip=archive({"../x": b""})), store, paths)
    assert (paths.artifacts("app", "1.0.0") / "model.onnx").read_bytes() == DATA
