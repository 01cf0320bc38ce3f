"""What a twin says of itself, as people read it on its page and in `lineside devices show`."""

from __future__ import annotations

import httpx
import msgspec
from rich.console import Console

from lineside.cli.device_view import device_view
from lineside.contract.device import Device
from lineside.contract.twin import PROFILES, facts_in_words
from lineside.server.testing import Running
from lineside.server.testing_device import TestDevice

PROFILE = PROFILES["raspberry-pi-4"]
WORDS = "raspberry-pi-4: 1 core, 4096 MiB; a release may need 1000 ms an image (p95) and 1024 MiB a component"


def test_the_profile_of_a_twin_is_one_sentence(lineside: Running) -> None:
    facts = {"profile": PROFILE.name, "limits": "cgroup v2", "profile_values": msgspec.to_builtins(PROFILE)}
    device = TestDevice.join(lineside, "pi", twin=True)
    device.report(revision=0, facts=facts).raise_for_status()
    page = httpx.get(f"{lineside.people_url}/devices/pi").text
    assert f'<dt>profile</dt><dd class="mono">{WORDS}</dd>' in page
    assert "profile values" not in page
    shown = msgspec.json.decode(httpx.get(f"{lineside.people_url}/api/v1/devices/pi").content, type=Device)
    console = Console(width=400)
    with console.capture() as drawn:
        console.print(device_view(shown))
    assert WORDS in drawn.get()
    assert "profile values" not in drawn.get()


def test_what_is_no_profile_is_shown_as_it_was_said() -> None:
    said = {"profile": "pi", "profile_values": {"name": "pi", "npus": 2}}
    assert facts_in_words(said) == said
    assert facts_in_words({"cpus": 4}) == {"cpus": 4}
