"""Pictures for the devices: who gets what, that each arrives whole and once."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from lineside.cli.demo.feed import UNREADABLE, Feed, Picture, inbox_pictures, shares


def _image(form: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 6), (90, 90, 90)).save(stream, form)
    return stream.getvalue()


JPEG = _image("JPEG")


def _pictures(*names: str) -> list[Picture]:
    return [Picture(name, JPEG + name.encode()) for name in names]


def test_the_inbox_of_the_data_is_taken_as_it_is(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "b.jpg_0").write_bytes(JPEG)
    (inbox / "a.jpg").write_bytes(JPEG)
    (inbox / ".hidden").write_bytes(JPEG)
    assert [picture.name for picture in inbox_pictures(tmp_path)] == ["a.jpg", "b.jpg_0"]
    assert inbox_pictures(tmp_path / "elsewhere") == []


def test_each_device_gets_the_inbox_and_its_share_of_the_test_images() -> None:
    plan = shares(_pictures("common.jpg_3"), _pictures("t0", "t1", "t2", "t3", "t4"), ["one", "two"])
    assert [p.name for p in plan["one"]] == ["common.jpg_3", "t0", "t2", "t4", UNREADABLE]
    assert [p.name for p in plan["two"]] == ["common.jpg_3", "t1", "t3"]


def test_content_says_what_is_a_picture_not_the_name() -> None:
    assert Picture("a.jpg_9", JPEG).readable
    assert Picture("no-extension", _image("PNG")).readable
    assert not Picture("a.jpg", b"text").readable
    assert not Picture("a.jpg", JPEG[:3] + b" this is no picture").readable
    assert not Picture("a.jpg", JPEG[: len(JPEG) // 2]).readable


def test_a_picture_is_given_once_even_by_a_later_demo(tmp_path: Path) -> None:
    plan = shares(_pictures("a.jpg"), [], ["one", "two"])
    inboxes = {name: tmp_path / name / "inbox" for name in plan}
    feed = Feed(inboxes, tmp_path / "fed.json", "tags:1")
    missing = feed.missing(plan)
    assert [(device, picture.name) for device, picture in missing] == [
        ("one", "a.jpg"),
        ("two", "a.jpg"),
        ("one", UNREADABLE),
    ]
    for device, picture in missing:
        feed.give(device, picture)
    assert sorted(file.name for file in inboxes["one"].iterdir()) == ["a.jpg", UNREADABLE]
    assert [file.name for file in (tmp_path / "one").iterdir()] == ["inbox"]
    later = Feed(inboxes, tmp_path / "fed.json", "tags:1")
    assert later.missing(plan) == []
    assert (later.expected("one"), later.expected("two"), later.expected("three")) == (1, 1, 0)


def test_a_new_model_looks_at_all_pictures_again(tmp_path: Path) -> None:
    plan = shares(_pictures("a.jpg"), [], ["one"])
    inboxes = {"one": tmp_path / "one" / "inbox"}
    for model in ("tags:1", "tags:2"):
        feed = Feed(inboxes, tmp_path / "fed.json", model)
        for device, picture in feed.missing(plan):
            feed.give(device, picture)
    assert feed.expected("one") == 2
    assert Feed(inboxes, tmp_path / "fed.json", "tags:1").missing(plan) == []


def test_the_endless_feed_keeps_the_inboxes_small(tmp_path: Path) -> None:
    plan = shares(_pictures("a.jpg", "b.jpg", "c.jpg"), [], ["one", "two"])
    inboxes = {name: tmp_path / name / "inbox" for name in plan}
    steps = Feed(inboxes, tmp_path / "fed.json", "tags:1").endlessly(plan)
    devices = {next(steps) for _ in range(230)}
    files = [file.name for inbox in inboxes.values() for file in inbox.iterdir()]
    assert devices == {"one", "two"}
    assert len(files) == len(set(files)) == 200
    assert not [name for name in files if name.endswith(UNREADABLE)]
