"""What must not be seen is gone before anything is stored; where blurring fails, nothing is stored."""

from __future__ import annotations

import io
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.runtime.captures import blurring
from lineside.runtime.captures.blurring import blur_of, zoned
from lineside.runtime.captures.keeper import Keeper
from lineside.runtime.captures.settings import BlurSettings, CaptureSettings, Zone
from lineside.runtime.captures.store import CaptureFolder
from lineside.runtime.decode import decode
from tests.runtime.captures.worlds import Device, found, image
from tests.runtime.results import result
from tests.runtime.test_settings import made

RNG = np.random.default_rng(0)
CHECKED = Image.fromarray(RNG.integers(0, 255, (64, 96, 3), dtype=np.uint8))
MIRROR = "import sys, io; from PIL import Image; i = Image.open(io.BytesIO(sys.stdin.buffer.read())); "


def encoded(picture: Image.Image, **more: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95, **more)
    return buffer.getvalue()


def roughness(picture: Image.Image, part: tuple[slice, slice]) -> float:
    pixels = np.asarray(picture).astype(int)[part]
    return float(np.abs(np.diff(pixels, axis=1)).mean())


def by(code: str, **more: float) -> BlurSettings:
    return BlurSettings(command=(sys.executable, "-c", code), seconds=more.get("seconds", 60.0))


@pytest.mark.parametrize(
    "zone",
    [Zone(rectangle=(0.0, 0.0, 0.5, 1.0)), Zone(polygon=((0, 0), (0.5, 0), (0.5, 1), (0, 1)))],
)
def test_a_zone_is_made_of_a_few_patches_and_the_rest_stays(zone: Zone) -> None:
    blurred = zoned(CHECKED, [zone])
    left, right = (slice(None), slice(0, 46)), (slice(None), slice(50, 96))
    assert roughness(blurred, left) < roughness(CHECKED, left) / 8
    assert (np.asarray(blurred)[right] == np.asarray(CHECKED)[right]).all()
    assert len(np.unique(np.asarray(blurred)[left].reshape(-1, 3), axis=0)) <= 64


def test_a_zone_lies_on_the_upright_picture_and_the_metadata_is_gone() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "the maker"  # turned by a quarter
    blur = blur_of(BlurSettings(zones=(Zone(rectangle=(0, 0, 1, 0.5), sources=("cam-1",)),)))
    data = encoded(CHECKED, exif=exif)
    assert blur(data, "cam-2") == data
    blurred = decode(blur(data, "cam-1"))
    assert (blurred.width, blurred.height) == (64, 96)
    assert (
        roughness(blurred.image, (slice(0, 46), slice(None)))
        < roughness(blurred.image, (slice(50, 96), slice(None))) / 4
    )
    assert not Image.open(io.BytesIO(blur(data, "cam-1"))).getexif()


def test_a_command_reads_an_image_and_writes_it(tmp_path: Path) -> None:
    blur = blur_of(by(MIRROR + "i.point(lambda v: 0).save(sys.stdout.buffer, 'PNG')"))
    device = Device(tmp_path)
    keeper = Keeper(device.chooser, CaptureFolder(device.folder), blur)
    data = encoded(CHECKED)
    wanted = device.choose(data, found(0.3))
    assert wanted
    record = keeper.keep(data, wanted, result("a.jpg", 5))
    assert record
    stored = (device.folder / f"{record.id}.bin").read_bytes()
    assert (record.content_type, record.digest, record.size) == ("image/png", digest_of(stored), len(stored))
    assert not decode(stored).pixels.any()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (by("import sys; sys.exit('no face model')"), "ended with 1: no face model"),
        (by("print('no image')"), "no image"),
        (by(MIRROR + "i.resize((9, 9)).save(sys.stdout.buffer, 'PNG')"), "9 by 9 pixels, not 96 by 64"),
        (by("import time; time.sleep(60)", seconds=0.2), "timed out"),
        (BlurSettings(command=("/there/is/none",)), "No such file"),
        (BlurSettings(zones=(Zone(rectangle=(0, 0, 1, 1)),)), "unsupported"),
    ],
)
def test_what_is_not_blurred_is_not_stored(tmp_path: Path, settings: BlurSettings, why: str) -> None:
    device = Device(tmp_path)
    keeper = Keeper(device.chooser, CaptureFolder(device.folder), blur_of(settings))
    data = encoded(CHECKED) if settings.command else image(1)
    wanted = device.choose(data, found(0.3))
    assert wanted
    assert keeper.keep(data, wanted, result("a.jpg", 5)) is None
    assert list(device.folder.iterdir()) == []
    assert device.counts["uncertain"].refused == {"not blurred": 1}


def test_a_hook_is_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    def black(data: bytes, source: str) -> bytes:
        if source == "broken":
            raise RuntimeError("no model")
        return encoded(Image.new("RGB", CHECKED.size))

    monkeypatch.setattr(sys.modules[__name__], "black", black, raising=False)
    points = [EntryPoint("faces", f"{__name__}:black", blurring.ENTRY_POINTS)]
    monkeypatch.setattr(blurring, "entry_points", lambda group, name: [one for one in points if one.name == name])
    blur = blur_of(BlurSettings(hook="faces"))
    assert not decode(blur(encoded(CHECKED), "cam-1")).pixels.any()
    with pytest.raises(LinesideError, match="RuntimeError: no model"):
        blur(encoded(CHECKED), "broken")
    with pytest.raises(LinesideError) as caught:
        blur_of(BlurSettings(hook="plates"))
    assert caught.value.code == "capture.no_hook"


def test_configuration_says_what_is_blurred(tmp_path: Path) -> None:
    zones = [{"rectangle": [0, 0, 1, 0.2]}, {"polygon": [[0, 0], [1, 0], [0, 1]], "sources": ["cam-1"]}]
    capture = made(tmp_path, {"capture": {"blur": {"zones": zones}}}).configuration.capture
    assert isinstance(capture, CaptureSettings)
    assert capture.blur
    assert capture.blur.zones[1].sources == ("cam-1",)
    with pytest.raises(LinesideError, match="a zone is a rectangle or a polygon"):
        made(tmp_path, {"capture": {"blur": {"zones": [{"sources": ["cam-1"]}]}}})
