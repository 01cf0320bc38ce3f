"""What every test may use: the real data when it is there, and a clear word when a program is missing."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from functools import lru_cache
from pathlib import Path

import pytest
from httpx import create_ssl_context
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from httpx._transports import default
from hypothesis import HealthCheck, settings

from tests.eventually import PATIENCE

# Two shared cores: how long a made-up input takes says nothing about the code.
settings.register_profile("lineside", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lineside")

# httpx waits 5 s unless told otherwise; on a machine that may stand still for longer, that is a race.
for _part in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, _part, PATIENCE)

# It reads every authority there is for each client, and `httpx.get` makes one: 43 ms of a processor, spent once here.
default.create_ssl_context = lru_cache(create_ssl_context)

# A shell starts background jobs with Ctrl-C ignored, children inherit that, and tests of Ctrl-C then wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What commands keep for their user is kept apart from that of whoever runs the tests.
_KEPT = tempfile.TemporaryDirectory(prefix="lineside-tests-")
os.environ |= {f"XDG_{kind.upper()}_HOME": f"{_KEPT.name}/{kind}" for kind in ("state", "config", "cache")}

SHARED = Path(__file__).resolve().parents[2] / "shared"
_PROGRAMS = {"mosquitto": "/usr/sbin/mosquitto", "browser": "/usr/bin/chromium"}


_LONGEST = ("plant", "pages", "control plane", "demo")  # groups of tests that whole plants, or trainings, take part in


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file stay together in one process, which sets up what they share once; what takes longest begins
    first, so that nobody waits for it at the end."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    order = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: order.get(_group(item), len(order)))


def _group(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    return str(marker.args[0]) if marker else ""


def pytest_collection() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """What was imported and collected stays until the end: nobody looks for garbage in it again and again."""
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, program in _PROGRAMS.items():
        if item.get_closest_marker(marker) and not (shutil.which(Path(program).name) or Path(program).exists()):
            reason = f"{program} is not installed"
            if os.environ.get("CI") == "true":
                pytest.fail(f"{reason}, and CI must run this test", pytrace=False)
            pytest.skip(reason)
    if item.get_closest_marker("real_data") and not SHARED.is_dir():
        pytest.skip("the real images are not beside this checkout")


@pytest.fixture(scope="session")
def metal_tags() -> Path:
    """The photographs of metal tags; the test is marked `real_data`."""
    return SHARED / "data" / "metal-tags"


@pytest.fixture(scope="session")
def yolox_nano() -> Path:
    """A detector someone else trained; the test is marked `real_data`."""
    return SHARED / "models" / "yolox_nano.onnx"
