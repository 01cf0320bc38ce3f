"""Scores against cases small enough to work out by hand."""

from __future__ import annotations

import pytest

from lineside.contract.dataset import Box, ImageRecord, Split
from lineside.contract.result import Detection
from lineside.pipeline.metrics import score


def picture(name: str, *boxes: Box) -> ImageRecord:
    return ImageRecord(
        digest=f"sha256:{name}", file_name=name, width=100, height=100, split=Split.TEST, boxes=tuple(boxes)
    )


def box(x: float, label: str = "scratch") -> Box:
    return Box(label=label, x=x, y=10, width=20, height=10)


def found(x: float, confidence: float, label: str = "scratch") -> Detection:
    return Detection(label=label, class_index=0, confidence=confidence, x=x, y=10, width=20, height=10)


def test_a_perfect_answer_scores_one() -> None:
    image = picture("a", box(10))
    metrics = score([image], ["scratch"], {image.digest: [found(10, 0.9)]})
    assert [metrics.map50, metrics.map] == pytest.approx([1.0, 1.0])
    assert (metrics.images, metrics.boxes) == (1, 1)


def test_a_box_moved_by_a_quarter_counts_up_to_its_overlap() -> None:
    """Moved by 5 of 20 pixels the overlap is 15/25 = 0.6: right at the thresholds 0.50, 0.55 and 0.60 of ten."""
    image = picture("a", box(10))
    metrics = score([image], ["scratch"], {image.digest: [found(15, 0.9)]})
    assert metrics.map50 == pytest.approx(1.0)
    assert metrics.map == pytest.approx(0.3)


def test_precision_is_read_at_101_recalls() -> None:
    """A wrong answer above the right one, which is one box of two: precision 1/2 up to recall 1/2, 51 points."""
    image = picture("a", box(10), box(60))
    metrics = score([image], ["scratch"], {image.digest: [found(35, 0.9), found(10, 0.8)]})
    assert metrics.map50 == pytest.approx(0.5 * 51 / 101)
    assert metrics.map == pytest.approx(0.5 * 51 / 101)


def test_classes_without_a_box_do_not_count() -> None:
    image = picture("a", box(10), box(60, "dent"))
    metrics = score([image], ["scratch", "dent", "rust"], {image.digest: [found(10, 0.9)]})
    assert metrics.per_class == {"scratch": pytest.approx(1.0), "dent": pytest.approx(0.0)}
    assert metrics.map == pytest.approx(0.5)


def test_labels_the_dataset_does_not_know_are_left_out() -> None:
    image = picture("a", box(10))
    metrics = score([image], ["scratch"], {image.digest: [found(60, 0.99, "cat"), found(10, 0.9)]})
    assert metrics.map50 == pytest.approx(1.0)


def test_nothing_found_scores_nought() -> None:
    image = picture("a", box(10))
    metrics = score([image], ["scratch", "dent"], {})
    assert (metrics.map50, metrics.map, metrics.per_class) == (0.0, 0.0, {"scratch": 0.0})


def test_pictures_without_boxes_score_nought() -> None:
    metrics = score([picture("good")], ["scratch"], {"sha256:good": [found(10, 0.9)]})
    assert (metrics.map50, metrics.map, metrics.per_class) == (0.0, 0.0, {})


def test_it_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    image = picture("a", box(10))
    score([image], ["scratch"], {image.digest: [found(10, 0.9)]})
    assert capsys.readouterr().out == ""
