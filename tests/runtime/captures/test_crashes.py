"""A process that dies at any write: nothing is half there, nothing is doubled, and what was lost is counted.

The child dies by SIGKILL at its nth step in the store: a file is made, a file gets its name, or the folder is synced,
which is when a record has just appeared. It keeps images one after the other; its next life is given the same images
again, as a folder gives those again whose results were not on disk.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lineside.contract.capture import CaptureRecord
from lineside.contract.ids import digest_of
from lineside.runtime.captures.captures import Captures
from lineside.runtime.captures.settings import CaptureSettings
from lineside.runtime.captures.strategies import Seen
from tests.runtime import disks
from tests.runtime.captures.worlds import Device, found, image
from tests.runtime.results import result

_CHILD = """
import os, signal, sys
from pathlib import Path
from lineside.runtime import files
from lineside.runtime.captures.captures import Captures
from lineside.runtime.captures.settings import CaptureSettings
from lineside.runtime.captures.strategies import Seen
from lineside.contract.ids import digest_of
from tests.runtime.captures.worlds import image
from tests.runtime.results import result

left = int(sys.argv[2]) or -1
def dies(event, arguments):
    global left
    left -= event in ("open", "os.rename") and str(arguments[0]).startswith(str(root / "captures"))
    if left == 0 and event != "os.kill":
        os.kill(os.getpid(), signal.SIGKILL)

root = Path(sys.argv[1])
captures = Captures(CaptureSettings(random=1.0, per_hour=1000), root, root / "captures", {})
sys.addaudithook(dies)
for number in range(10):
    data = image(number)
    wanted = captures.chooser.choose(Seen(digest_of(data), "in", (), ()))
    if wanted:
        captures.keep(data, wanted, result("a.jpg", number))
    print(number, flush=True)
"""


SETTINGS = CaptureSettings(random=1.0, per_hour=1000)


def whole(folder: Path) -> list[CaptureRecord]:
    """The records in the store, each of which has its image."""
    records = [msgspec.json.decode(path.read_bytes(), type=CaptureRecord) for path in folder.glob("*.json")]
    for record in records:
        assert digest_of((folder / f"{record.id}.bin").read_bytes()) == record.digest
    return records


@pytest.mark.parametrize("writes", [1, 4, 6])
def test_whenever_it_dies_nothing_is_half_there_and_nothing_doubled(tmp_path: Path, writes: int) -> None:
    child = [sys.executable, "-c", _CHILD, str(tmp_path), str(writes)]
    died = subprocess.run(child, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert died.returncode == -signal.SIGKILL, died.stderr
    done = len(died.stdout.split())
    captures = Captures(SETTINGS, tmp_path, tmp_path / "captures", {})
    kept = len(whole(tmp_path / "captures"))
    assert (kept, captures.status().interrupted) in [(done, 1), (done + 1, 0)]
    for number in range(10):
        if wanted := captures.chooser.choose(Seen(digest_of(image(number)), "in", (), ())):
            captures.keep(image(number), wanted, result("a.jpg", number))
    digests = sorted(record.digest for record in whole(tmp_path / "captures"))
    assert digests == sorted(digest_of(image(number)) for number in range(10))
    assert captures.status().interrupted == 0
    captures.close()
    assert {path.suffix for path in (tmp_path / "captures").iterdir()} == {".bin", ".json"}


def test_a_disk_that_is_full_is_counted_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with disks.mounted(tmp_path / "small") as small:
        device = Device(tmp_path, strategies=None)
        device.folder = small / "captures"
        device.restart()
        assert device.offer(image(1), found(0.3))
        (small / "others").write_bytes(b"")
        disks.fill(small / "others")
        device.store._settings = device.store._settings.__class__(share=1.0)
        wanted = device.choose(image(2), found(0.3))
        assert wanted
        big = image(2) + os.urandom(100_000)
        kept = _kept(device, big, wanted)
        assert not kept
        assert sum(device.counts["uncertain"].refused.values()) == 1
        assert len(list((small / "captures").iterdir())) == 2
        (small / "others").unlink()
        assert device.offer(image(2), found(0.3))


def _kept(device: Device, data: bytes, wanted: object) -> bool:
    try:
        return device.keeper.keep(data, wanted, result("a.jpg", 5)) is not None  # type: ignore[arg-type]
    except OSError:
        return False
