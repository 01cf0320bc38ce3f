"""Near-duplicates of what was kept today are not kept again; what is new counts, light and noise do not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from lineside.runtime.captures.budgets import DAY
from lineside.runtime.captures.likeness import SIDE, facts_of, farthest, found_of, look_of
from lineside.runtime.captures.settings import RandomSettings, UncertainSettings
from tests.runtime.captures.worlds import Device, found, image


def plate(seed: int = 0) -> Image.Image:
    """Brushed metal, different for each seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(60, 200, (6, 9, 3), dtype=np.uint8))
    return coarse.resize((450, 300), Image.Resampling.BICUBIC)


def noisy(picture: Image.Image, seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(np.clip(np.asarray(picture) + rng.normal(0, 6, (300, 450, 3)), 0, 255).astype(np.uint8))


def scratched(picture: Image.Image) -> Image.Image:
    copy = picture.copy()
    ImageDraw.Draw(copy).line((200, 120, 260, 180), fill=(250, 250, 250), width=3)
    return copy


def distance(one: Image.Image, other: Image.Image) -> float:
    return float(farthest(look_of(one), [look_of(other)])[0])


def test_noise_and_light_are_no_difference_and_a_scratch_is() -> None:
    assert len(look_of(plate())) == SIDE * SIDE * 3
    assert distance(plate(), noisy(plate(), 1)) < 2
    assert distance(plate(), ImageEnhance.Brightness(plate()).enhance(0.85)) < 4
    assert distance(plate(), scratched(plate())) > 6
    assert distance(plate(), plate(1)) > 20


def test_what_looks_like_something_of_today_is_dropped_over_restarts_and_not_tomorrow(tmp_path: Path) -> None:
    device = Device(tmp_path, strategies=(UncertainSettings(per_hour=100),))
    first = device.offer(image(1), found(0.3), plate())
    assert first
    assert first.facts == facts_of(look_of(plate()))
    for number in range(2, 6):
        assert device.offer(image(number), found(0.4), noisy(plate(), number)) is None
        device.restart()
    assert device.offer(image(10), found(0.3), scratched(plate()))
    assert device.offer(image(11), found(0.3, "dent"), noisy(plate(), 11)), "another thing was found on it"
    device.wait(DAY + 1)
    assert device.offer(image(12), found(0.3), noisy(plate(), 12))


def test_the_random_sample_is_never_left_out_for_that(tmp_path: Path) -> None:
    device = Device(tmp_path, strategies=(RandomSettings(share=1.0, per_hour=100),))
    records = [device.offer(image(number), (), noisy(plate(), number)) for number in range(5)]
    first = records[0]
    assert first
    assert [record and record.similar_to for record in records[:2]] == [msgspec.UNSET, first.id]
    assert all(records)


def test_what_could_not_be_stored_does_not_stand_in_the_way(tmp_path: Path) -> None:
    device = Device(tmp_path, strategies=(UncertainSettings(per_hour=100),))
    wanted = device.choose(image(1), found(0.3), plate())
    assert wanted
    device.chooser.dropped(wanted, "disk", "It could not be written.")
    assert device.offer(image(1), found(0.3), plate())
    assert device.counts["uncertain"].refused == {"disk": 1}


@pytest.mark.parametrize(("labels", "said"), [("", ""), ("ab", "1 a 1 b"), ("bab", "1 a 2 b")])
def test_what_was_found_is_one_line(labels: str, said: str) -> None:
    assert found_of([one for label in labels for one in found(0.5, label)]) == said
