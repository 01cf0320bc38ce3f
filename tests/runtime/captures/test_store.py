"""The store: written so that a reader never meets half of a capture, bounded, and thinned by a rule that it states."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import pytest

from lineside.contract.capture import CaptureRecord
from lineside.contract.ids import digest_of
from lineside.runtime.captures.chooser import Wanted
from lineside.runtime.captures.settings import MEGABYTE, StoreSettings
from lineside.runtime.captures.store import STRAY_SECONDS, CaptureFolder
from lineside.runtime.captures.thinning import Waiting, to_drop
from tests.runtime.results import result
from tests.schema_versions import write_capture

DATA = b"\xff\xd8\xff picture"


def wanted(strategy: str = "random", request: str = "") -> Wanted:
    return Wanted(strategy, "because", digest_of(DATA), request=request)


def kept(folder: CaptureFolder, strategy: str = "random", request: str = "") -> str | None:
    record = folder.keep(DATA, wanted(strategy, request), result("a.jpg", 5))
    return record.id if record else None


def test_image_and_record_are_written_and_belong_together(tmp_path: Path) -> None:
    record = CaptureFolder(tmp_path).keep(DATA, wanted("uncertain", "weekly"), result("a.jpg", 5))
    assert record is not None
    stored = msgspec.json.decode((tmp_path / f"{record.id}.json").read_bytes(), type=CaptureRecord)
    assert stored == record
    assert (tmp_path / f"{record.id}.bin").read_bytes() == DATA
    assert (stored.content_type, stored.size, stored.result) == ("image/jpeg", len(DATA), result("a.jpg", 5))
    assert (stored.digest, stored.request) == (digest_of(DATA), "weekly")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".bin", ".json"]


def test_what_a_record_does_not_say_is_left_out_of_it(tmp_path: Path) -> None:
    name = kept(CaptureFolder(tmp_path))
    assert not {"request", "facts", "similar_to"} & msgspec.json.decode((tmp_path / f"{name}.json").read_bytes()).keys()


@pytest.mark.parametrize("bound", [{"files": 2}, {"mb": 2 * len(DATA) / MEGABYTE}])
def test_a_full_store_that_must_not_thin_takes_no_more_until_the_agent_made_room(
    tmp_path: Path, bound: dict[str, float]
) -> None:
    folder = CaptureFolder(tmp_path, StoreSettings(keep_every=1, **bound))  # type: ignore[arg-type]
    first = kept(folder)
    assert kept(folder)
    assert kept(folder) is None
    for suffix in (".bin", ".json"):
        (tmp_path / f"{first}{suffix}").unlink()
    assert kept(folder)


def test_it_takes_its_share_of_the_disk_and_no_more(tmp_path: Path) -> None:
    free = [10 * len(DATA)]
    folder = CaptureFolder(tmp_path, StoreSettings(share=0.5, keep_every=1), free=lambda _: free[0])
    for _ in range(5):
        assert kept(folder)
        free[0] -= len(DATA)
    assert kept(folder) is None
    free[0] = 0  # somebody else filled the disk
    assert folder.limit == 5 * len(DATA) // 2


def test_what_waits_for_an_upgrade_waits_within_the_same_bounds_whichever_version_it_is_in(tmp_path: Path) -> None:
    """Of a newer runtime beside this one, or before it."""
    folder = CaptureFolder(tmp_path, StoreSettings(files=12))
    for _ in range(12):
        name = kept(folder)
        record = tmp_path / f"{name}.json"
        record.write_bytes(
            write_capture(msgspec.json.decode(record.read_bytes(), type=CaptureRecord))
        )  # of a newer runtime
    assert kept(folder)
    assert (folder.thinned, len(list(tmp_path.glob("*.bin")))) == ({"random": 6}, 7)


def test_a_full_store_keeps_every_second_of_each_strategy_and_all_that_was_asked_for(tmp_path: Path) -> None:
    folder = CaptureFolder(tmp_path, StoreSettings(files=12))
    asked = [kept(folder, "requested", "weekly") for _ in range(4)]
    for _ in range(4):
        kept(folder, "random")
        kept(folder, "uncertain")
    assert kept(folder, "random")
    assert folder.thinned == {"random": 2, "uncertain": 2}
    assert "every 2nd" in folder.rule
    assert all(folder.holds(name) for name in asked if name)
    assert folder.waiting == (9, 9 * len(DATA))
    assert len(list(tmp_path.glob("*.bin"))) == len(list(tmp_path.glob("*.json"))) == 9


def test_a_store_full_of_what_was_asked_for_refuses_the_rest(tmp_path: Path) -> None:
    folder = CaptureFolder(tmp_path, StoreSettings(files=3))
    for _ in range(3):
        assert kept(folder, "requested", "weekly")
    assert kept(folder, "uncertain") is None
    assert folder.thinned == {}


def test_thinning_keeps_every_nth_by_time() -> None:
    waiting = [Waiting(id=f"{n:02}", strategy="random", captured_at=f"2026-01-01T00:00:{n:02}Z") for n in range(10)]
    left = {one.id for one in waiting} - {one.id for one in to_drop(waiting[::-1], 3)}
    assert left == {"00", "03", "06", "09"}
    assert to_drop([*waiting], 1) == []


def test_what_a_power_cut_left_is_cleaned_and_what_others_write_just_now_is_not(tmp_path: Path) -> None:
    mine, dead = f".x.{os.getppid()}.tmp", ".half.json.4999999.tmp"
    for name in ("whole.bin", "whole.json", "torn.bin", dead, "fresh.bin", mine):
        (tmp_path / name).write_bytes(b"x")
    long_ago = time.time() - STRAY_SECONDS - 1
    for name in ("whole.bin", "torn.bin"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    CaptureFolder(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [mine, "fresh.bin", "whole.bin", "whole.json"]
