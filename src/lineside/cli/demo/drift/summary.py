"""What the drift story says in the end."""

from __future__ import annotations

import msgspec
from rich.console import Group, RenderableType

from lineside.cli.demo.drift.retrain import Retrain
from lineside.cli.demo.drift.watch import DriftTold
from lineside.cli.demo.summary import Summary, draw_summary
from lineside.cli.table import details


class DriftSummary(Summary, frozen=True, kw_only=True, omit_defaults=False):
    """The summary of the model that runs in the end, and how it came to that. No `retrain`: a gate said no."""

    drift: DriftTold
    retrain: Retrain | None
    reviewed: int


def with_drift(summary: Summary, drift: DriftTold, retrain: Retrain | None, reviewed: int) -> DriftSummary:
    """A summary with what this story adds."""
    return DriftSummary(**msgspec.structs.asdict(summary), drift=drift, retrain=retrain, reviewed=reviewed)


def draw_drift(summary: DriftSummary) -> RenderableType:
    """The summary for people."""
    drift, retrain = summary.drift, summary.retrain
    false = ", ".join(drift.false_devices) or "nowhere else"
    rows = [
        ("drift", f"on {drift.device} within {drift.raised_within_windows} windows, {false}"),
        ("of", ", ".join(f"{name} {shift:+.1f}" for name, shift in drift.quantities.items())),
        ("cleared", "yes" if drift.cleared else "no"),
        ("kept because of it", drift.captures),
        ("reviewed", summary.reviewed),
    ]
    if retrain is not None:
        rows += [
            ("trained for", retrain.started_by),
            ("on the field set", f"{retrain.champion_field_map:.3f} before, {retrain.candidate_field_map:.3f} now"),
            ("on the frozen one", f"{retrain.frozen_map_change:+.3f}"),
        ]
    return Group(draw_summary(summary), details(rows))
