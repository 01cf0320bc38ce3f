"""Looks: what a picture is, decoded once, whatever it is called and however it was turned."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.datasets.pictures import looks as module
from lineside.server.datasets.pictures.decoding import look_at
from lineside.server.datasets.pictures.limits import FORMATS, HEIGHT, THUMBNAIL, WIDTH, may_be_picture
from lineside.server.datasets.pictures.looks import Looks, looks, patches, patches_on_disk
from lineside.server.datasets.pictures.patches import patch
from lineside.server.services import Core
from tests.server.datasets.conftest import picture, surface


def saved(image: Image.Image, form: str, **more: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **more)
    return stream.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_that_is_opened_is_known_by_its_beginning(form: str) -> None:
    more = {"save_all": True, "append_images": [surface(2)]} if form == "MPO" else {}
    data = saved(surface(1).convert("RGB"), form, **more)
    assert may_be_picture(data)
    seen = look_at(data)
    assert seen is not None
    assert (seen.width, seen.height, seen.form) == (120, 80, form)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_a_thumbnail_is_a_small_jpeg_of_any_kind_of_picture(mode: str) -> None:
    if mode in ("I;16", "I", "F"):
        values = np.linspace(0, 1000, 600 * 500).reshape(500, 600)
        image = Image.fromarray(values.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    else:
        image = surface(3, 600, 500).convert(mode)
    seen = look_at(saved(image, "TIFF"))
    assert seen is not None
    small = Image.open(io.BytesIO(seen.thumbnail))
    assert (small.format, max(small.size), len(seen.thumbnail) <= 8192) == ("JPEG", THUMBNAIL, True)
    assert np.asarray(small.convert("L")).std() > 20  # it shows something
    assert abs(np.asarray(small.convert("L")).mean() - seen.brightness) < 4


def test_noise_fits_into_a_thumbnail_too() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (900, 900, 3), dtype=np.uint8)
    seen = look_at(saved(Image.fromarray(noise), "PNG"))
    assert seen is not None
    assert len(seen.thumbnail) <= 8192


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_is_seen_upright(orientation: int) -> None:
    """The same scene, written the eight ways that cameras do (EXIF 2.32), looks the same."""
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpositions that undo what the tag says
    upright = surface(4, 240, 160)
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(turns[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    seen, straight = look_at(saved(stored, "JPEG", exif=exif, quality=95)), look_at(saved(upright, "JPEG", quality=95))
    assert seen is not None
    assert straight is not None
    assert (seen.width, seen.height) == (240, 160)
    assert np.corrcoef(seen.patch.ravel(), straight.patch.ravel())[0, 1] > 0.98


def test_a_patch_is_even_and_does_not_know_the_light() -> None:
    image = surface(5, 450, 300)
    darker = image.point(lambda value: value * 0.5 + 20)
    one, other = patch(image), patch(darker)
    assert one.shape == (HEIGHT, WIDTH)
    assert one.dtype == np.float32
    assert abs(float(one.mean())) < 1e-4
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.97


def test_a_picture_is_decoded_once(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = [core.objects.put(data) for data in (picture(1), picture(2), b"no picture", picture(1)[:200])]
    seen = Looks(core.database, core.objects)
    first = seen.of(digests)
    assert sorted(first) == sorted(digests[:2])
    monkeypatch.setattr("lineside.server.datasets.pictures.decoding.look_at", lambda data: pytest.fail("decoded again"))
    assert seen.of(digests[:2]) == first
    with core.database.read() as session:
        assert looks(session, digests) == first
        assert sorted(patches(session, digests)) == sorted(digests[:2])
    assert seen.thumbnail(digests[0]) is not None
    assert seen.thumbnail(digests[2]) is None


def test_what_is_not_stored_cannot_be_looked_at(core: Core) -> None:
    with pytest.raises(LinesideError) as caught:
        Looks(core.database, core.objects).of([digest_of(b"never")])
    assert caught.value.code == "request.not_found"


def test_patches_on_disk_are_those_of_the_table_in_the_order_asked_for(core: Core, tmp_path: Path) -> None:
    digests = [core.objects.put(picture(seed)) for seed in range(5)]
    Looks(core.database, core.objects).of(digests)
    wanted = [digests[3], digests[0], digests[3]]
    lying = patches_on_disk(core.database, wanted, tmp_path)
    with core.database.read() as session:
        table = patches(session, digests)
    assert all(np.array_equal(one, table[digest]) for one, digest in zip(lying, wanted, strict=True))
    assert list(tmp_path.glob("*.tmp")) == []
    assert patches_on_disk(core.database, [], tmp_path) == []


def test_many_pictures_are_looked_at_a_few_hundred_at_a_time(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    digests = [core.objects.put(picture(seed)) for seed in range(7)]
    assert list(Looks(core.database, core.objects).of([*digests, digests[0]])) == digests
