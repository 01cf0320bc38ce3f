"""Devices behind a real cable: too narrow, losing packets, pulled out in the middle of a download and put back."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.network.namespace import Namespace, reason_against
from tests.network.storm import Storm

_AGAINST = reason_against()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("plant"),
    pytest.mark.skipif(bool(_AGAINST), reason=_AGAINST),
]


def _fetched(storm: Storm) -> int:
    """Bytes of the files that devices have begun to fetch and have not finished."""
    parts = [file for one in storm.plant.stations for file in one.root.rglob("*.part")]
    return sum(file.stat().st_size for file in parts)


def test_devices_agree_after_a_bad_cable(tmp_path: Path) -> None:
    with Namespace() as namespace, Storm(tmp_path, seed=3, devices=2, namespace=namespace) as storm:
        namespace.narrow(kbit=8000, queue=6000)
        storm.deploy()
        storm.settle()
        assert namespace.clear() > 0  # packets were lost on the way

        if namespace.lossy(percent=5.0, delay_ms=30):
            storm.deploy()
            storm.settle()
            assert namespace.clear() > 0

        namespace.narrow(kbit=3000, queue=20_000)
        storm.deploy()
        eventually(lambda: _fetched(storm))
        namespace.plugged(False)
        storm.deploy()  # they hear of it when they are back
        threading.Event().wait(3)
        namespace.plugged(True)
        namespace.clear()
        storm.settle()
