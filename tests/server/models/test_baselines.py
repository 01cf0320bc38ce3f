"""The page of a model shows its drift baseline, of this version and of older ones."""

from __future__ import annotations

import urllib.request

from lineside.contract.drift import BASELINE_SCHEMA, Baseline, Sketch, sketch_of
from lineside.server.models.baselines import HEIGHT, WIDTH, rows
from lineside.server.models.service import ModelsService
from lineside.server.testing import Running
from tests.server.models.making import register

SKETCHES = {"brightness": sketch_of("brightness", [96.0, 100.0, 140.0]), "confidence": sketch_of("confidence", [0.9])}


def test_a_row_tells_mean_and_spread_and_draws_what_there_is() -> None:
    first, second = rows(Baseline(schema=BASELINE_SCHEMA, images=3, sketches=SKETCHES))
    assert (first.name, first.mean, first.spread, first.values) == ("brightness", "112", "20", 3)
    assert first.unit == "levels of 0..255"
    assert [bar.height for bar in first.bars] == [HEIGHT / 1, HEIGHT / 2]
    assert max(bar.x + bar.width for bar in first.bars) <= WIDTH + 0.1
    assert (second.bars[0].width, second.bars[0].height) == (WIDTH, HEIGHT)


def test_an_older_baseline_has_no_mean_and_still_its_bars() -> None:
    old = Baseline(images=1, sketches={"box_area": Sketch(edges=(0.0, 1.0, 2.0), counts=(0, 4))})
    (row,) = rows(old)
    assert (row.name, row.mean, row.spread, row.unit, row.values) == ("box area", "–", "–", "", 4)
    assert len(row.bars) == 1
    assert rows(None) == ()


def test_the_page_of_a_model_has_it(lineside: Running) -> None:
    baseline = Baseline(schema=BASELINE_SCHEMA, images=3, sketches=SKETCHES, classes={"dent": 1.0})
    models = lineside.apps.services["models"]
    assert isinstance(models, ModelsService)
    register(lineside.core, models, 1, baseline=baseline)
    with urllib.request.urlopen(f"{lineside.people_url}/models/tags/1") as answer:
        text = answer.read().decode()
    assert 'id="baseline"' in text
    assert 'aria-label="Histogram of brightness"' in text
    assert "levels of 0..255" in text
    assert "dent 100.0 %" in text
    register(lineside.core, models, 2)
    with urllib.request.urlopen(f"{lineside.people_url}/models/tags/2") as answer:
        assert 'id="baseline"' not in answer.read().decode()
