"""Times as text."""

from __future__ import annotations

import pytest

from lineside.runtime.announce import rfc3339


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000.1239, "2023-11-14T22:13:20.123Z"),
        (1e12, "9999-12-31T23:59:59.999Z"),
        (-1e12, "0001-01-01T00:00:00.000Z"),
        (float("inf"), "9999-12-31T23:59:59.999Z"),
        (float("nan"), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_any_moment_has_a_text(seconds: float, text: str) -> None:
    assert rfc3339(seconds) == text
