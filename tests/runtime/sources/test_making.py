"""What a device's sources remember when its configuration changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.runtime.settings import Settings, settings_of
from lineside.runtime.sources.making import sources_of
from lineside.runtime.spool import InputKey, Spool
from tests.eventually import eventually
from tests.runtime.sources.intake import Remembering


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool.db")
    yield made
    made.close()


def settings(work: Path, configuration: object) -> Settings:
    path = work / "config.json"
    path.write_text(json.dumps(configuration))
    return settings_of(work / "model", work, {"LINESIDE_CONFIG": str(path)})


def brought(work: Path, spool: Spool, configuration: object, name: str) -> list[str]:
    """What one source of a configuration hands in; all of it is then done."""
    source, intake = sources_of(settings(work, configuration), spool)[name], Remembering()
    mark = work / "inbox" / f"mark-{len(spool.inputs())}"  # the newest: when it comes, all that comes has come
    mark.write_bytes(b"\xff\xd8\xff mark")
    source.start(intake)
    eventually(lambda: mark.name in intake.names)
    source.stop()
    spool.append([], [frame.key for frame in intake.frames if frame.key])
    return [name for name in intake.names if not name.startswith("mark-")]


def test_the_folder_that_is_named_inbox_goes_on_where_the_only_folder_was(tmp_path: Path, spool: Spool) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.jpg").write_bytes(b"\xff\xd8\xff a")
    others = {"inbox": {"kind": "folder"}, "belt": {"kind": "video", "file": "belt.mkv"}}
    assert brought(tmp_path, spool, {}, "inbox") == ["a.jpg"]
    (inbox / "b.jpg").write_bytes(b"\xff\xd8\xff b")
    assert brought(tmp_path, spool, {"sources": others}, "inbox") == ["b.jpg"]
    assert brought(tmp_path, spool, {"source": {"folder": "inbox"}}, "inbox") == []
    renamed = {"parts": {"kind": "folder"}}
    assert brought(tmp_path, spool, {"sources": renamed}, "parts") == ["a.jpg", "b.jpg"]  # another name: all anew


def test_what_sources_did_that_are_gone_is_forgotten_but_not_at_once(tmp_path: Path, spool: Spool) -> None:
    """A deployment that is taken back finds what was done before it."""
    names = ("a.jpg", "parts/a.jpg", "belt/belt.mkv#7", "old/a.jpg", "old-belt/belt.mkv#7")
    keys = {InputKey(name, 1, 1) for name in names}
    spool.append([], keys)
    now = {"parts": {"kind": "folder"}, "belt": {"kind": "video", "file": "belt.mkv"}}
    sources_of(settings(tmp_path, {"sources": now}), spool)
    assert spool.inputs() == keys
    sources_of(settings(tmp_path, {"sources": now}), spool, settled=0)
    eventually(lambda: {key.name for key in spool.inputs()} == {"parts/a.jpg", "belt/belt.mkv#7"})
