"""Whatever the network does to devices, in the end each is in a known state and the control plane knows the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.network.proxy import Weather
from tests.network.storm import Storm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("plant"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # sockets of paho
]

WEATHERS = (
    Weather(half_open=0.6, freeze=0.02, deaf=0.5),  # connections that are accepted and lead nowhere, or fall silent
    Weather(latency=0.15, bandwidth=200_000, stall=0.02),  # slow, with losses
    Weather(cut=0.02, latency=0.01),  # breaks in the middle of a body, about one in 200 kB
    Weather(refuse=True),  # nobody is there
)


def test_every_device_ends_where_the_control_plane_thinks_it_is(tmp_path: Path) -> None:
    with Storm(tmp_path, seed=5, devices=3) as storm:
        for weather in WEATHERS:
            storm.blow(weather, 3.0, broker=replace(weather, half_open=0.0, freeze=0.0))  # whose silence costs 45 s
        storm.settle()
        seen = {name: storm.api.counted[name] + storm.broker.counted[name] for name in storm.api.counted}
        assert all(seen.values()), seen
