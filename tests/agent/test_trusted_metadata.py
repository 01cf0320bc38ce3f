"""Trusted metadata on disk: synced before it is believed, and fetched again when a power cut tore it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lineside.agent.updating.verdicts import Begin, Check, Done, Failed, Fetch, Found, Refresh
from lineside.agent.updating.verifying import Verifier
from tests.agent.tuf_repository import TufRepository


def verifier(folder: Path, repository: TufRepository) -> Verifier:
    def ask(url: str, limit: int) -> Found:
        data = repository.files.get(url.removeprefix("tuf/"))
        return Found(missing=True) if data is None else Found(data)

    return Verifier(Begin(str(folder), repository.root.encode(), time.time()), ask)


@pytest.fixture
def repository() -> TufRepository:
    found = TufRepository()
    found.add("apps/app-1.0.0.json", b"{}")
    return found


def trusted_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.json") if path.is_file() and not path.is_symlink()]


def test_every_file_is_synced_before_it_is_believed(
    tmp_path: Path, repository: TufRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, fsync = set(), os.fsync

    def record(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", record)
    judge = verifier(tmp_path / "metadata", repository)
    assert isinstance(judge.answer(Refresh()), Done)
    assert isinstance(judge.answer(Check("apps/app-1.0.0.json")), Done)
    files = trusted_files(tmp_path / "metadata")
    assert len(files) >= 4
    assert [path for path in files if path.stat().st_ino not in synced] == []
    assert (tmp_path / "metadata").stat().st_ino in synced


@pytest.mark.parametrize("torn", [b"", b"\0" * 500, b'{"signed": {'])
def test_a_torn_file_is_refused_and_fetched_again(tmp_path: Path, repository: TufRepository, torn: bytes) -> None:
    folder = tmp_path / "metadata"
    judge = verifier(folder, repository)
    judge.answer(Refresh())
    judge.answer(Check("apps/app-1.0.0.json"))
    for path in trusted_files(folder):
        path.write_bytes(torn)
    judge = verifier(folder, repository)
    assert isinstance(judge.answer(Refresh()), Done)
    found = judge.answer(Check("apps/app-1.0.0.json"))
    assert isinstance(found, Done)
    assert found.digest is not None


def test_what_was_believed_is_not_forgotten(tmp_path: Path, repository: TufRepository) -> None:
    older = dict(repository.files)
    repository.add("apps/app-2.0.0.json", b"{}")
    assert isinstance(verifier(tmp_path, repository).answer(Refresh()), Done)
    repository.files["timestamp.json"] = older["timestamp.json"]
    found = verifier(tmp_path, repository).answer(Refresh())
    assert isinstance(found, Failed)
    assert found.code == "trust.rollback"


def test_a_target_that_nobody_has_signed_is_said_to_be_so(tmp_path: Path, repository: TufRepository) -> None:
    judge = verifier(tmp_path / "metadata", repository)
    assert judge.answer(Check("apps/other-1.0.0.json")) == Done()
    assert judge.answer(Fetch("apps/other-1.0.0.json")) == Failed("trust.metadata", "nobody has signed it")
