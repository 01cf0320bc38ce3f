"""Captures: chosen by rule, within a budget, written so that a reader never meets half of one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lineside.contract.capture import CaptureRecord
from lineside.contract.ids import digest_of
from lineside.contract.result import Detection, Result
from lineside.runtime.capture import CaptureFolder, CaptureSettings, Chooser, Wanted
from tests.runtime import results

DATA = b"\xff\xd8\xff picture"


def found(confidence: float) -> list[Detection]:
    return [Detection(label="scratch", class_index=0, confidence=confidence, x=0, y=0, width=1, height=1)]


def result() -> Result:
    return results.result("a.jpg", 5)


def chooser(at: list[float] | None = None, **settings: object) -> Chooser:
    clock = at or [0.0]
    return Chooser(CaptureSettings(**{"random": 0.0, **settings}), monotonic=lambda: clock[0])


def image(number: int) -> bytes:
    return DATA + number.to_bytes(4, "big")


@pytest.mark.parametrize(("confidence", "kept"), [(0.19, False), (0.2, True), (0.35, True), (0.5, True), (0.51, False)])
def test_an_uncertain_image_is_kept_with_its_numbers(confidence: float, kept: bool) -> None:
    wanted = chooser().choose(DATA, found(confidence))
    assert (wanted is not None) == kept
    if wanted:
        assert wanted.strategy == "uncertain"
        assert wanted.reason == f"scratch with confidence {confidence:.2f}, between 0.20 and 0.50."


def test_the_random_sample_is_a_share_of_contents_and_repeatable() -> None:
    def sample() -> set[int]:
        choose = chooser(random=0.1, uncertain=None, per_hour=1e9)
        return {number for number in range(4000) if choose.choose(image(number), [])}

    first = sample()
    assert first == sample()
    assert 300 < len(first) < 500


def test_the_same_content_is_kept_once() -> None:
    choose = chooser()
    assert choose.choose(DATA, found(0.3))
    assert choose.choose(DATA, found(0.3)) is None


def test_the_budget_of_an_hour_is_not_exceeded_and_comes_back() -> None:
    clock = [0.0]
    choose = chooser(clock, per_hour=8)
    kept = [number for number in range(100) if choose.choose(image(number), found(0.3))]
    assert len(kept) == 6
    clock[0] += 1800
    assert len([number for number in range(100, 200) if choose.choose(image(number), found(0.3))]) == 3


def test_uncertain_images_cannot_use_up_the_random_sample() -> None:
    choose = chooser(per_hour=8, random=0.5)
    strategies = [w.strategy for n in range(400) if (w := choose.choose(image(n), found(0.3)))]
    assert strategies.count("random") == 2
    assert strategies.count("uncertain") == 6


def test_a_budget_of_nothing_keeps_nothing() -> None:
    choose = chooser(per_hour=0, random=1.0)
    assert choose.choose(DATA, found(0.3)) is None


def test_image_and_record_are_written_and_belong_together(tmp_path: Path) -> None:
    folder = CaptureFolder(tmp_path)
    record = folder.keep(DATA, Wanted("uncertain", "because", digest_of(DATA)), result())
    assert record is not None
    stored = msgspec.json.decode((tmp_path / f"{record.id}.json").read_bytes(), type=CaptureRecord)
    assert stored == record
    assert (tmp_path / f"{record.id}.bin").read_bytes() == DATA
    assert (stored.content_type, stored.size, stored.result) == ("image/jpeg", len(DATA), result())
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".bin", ".json"]


@pytest.mark.parametrize("bound", [{"max_files": 2}, {"max_bytes": 2 * len(DATA)}])
def test_a_full_folder_takes_no_more_until_the_agent_made_room(tmp_path: Path, bound: dict[str, int]) -> None:
    folder = CaptureFolder(tmp_path, **bound)
    wanted = Wanted("random", "because", digest_of(DATA))
    first = folder.keep(DATA, wanted, result())
    assert first
    assert folder.keep(DATA, wanted, result())
    assert folder.keep(DATA, wanted, result()) is None
    assert folder.refused == 1
    for suffix in (".bin", ".json"):
        (tmp_path / (first.id + suffix)).unlink()
    assert folder.keep(DATA, wanted, result())


def test_what_a_power_cut_left_is_cleaned(tmp_path: Path) -> None:
    for name in ("whole.bin", "whole.json", "torn.bin", ".half.json.77.tmp"):
        (tmp_path / name).write_bytes(b"x")
    CaptureFolder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["whole.bin", "whole.json"]
