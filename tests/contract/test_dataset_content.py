"""What names a dataset version stays the same when records learn to say more."""

from __future__ import annotations

import msgspec

from lineside.contract.dataset import Box, ImageRecord, LabelKind, LabelSource, Split, content_of
from lineside.contract.ids import content_digest

BOX = Box(label="dent", x=1, y=2.5, width=3, height=4)
IMAGES = (
    ImageRecord(digest="sha256:" + "1" * 64, file_name="a.png", width=9, height=8, split=Split.TRAIN),
    ImageRecord(
        digest="sha256:" + "0" * 64, file_name="b.png", width=9, height=8, group="g", split=Split.TEST, boxes=(BOX,)
    ),
)
FIRST_RELEASE = "sha256:0868b41d714bea06c1ce2dcc915e135b741bc2f22d156f8f63326c46159a9c45"


def named(*images: ImageRecord) -> str:
    return content_digest(content_of(("dent",), images))


def test_what_says_nothing_more_has_the_name_it_always_had() -> None:
    assert named(*IMAGES) == named(*reversed(IMAGES)) == FIRST_RELEASE


def test_who_drew_a_box_and_when_a_picture_was_taken_are_content() -> None:
    model = LabelSource(kind=LabelKind.MODEL, by="tags", version="3")
    sources = (model, msgspec.structs.replace(model, reviewed=True), LabelSource(kind=LabelKind.PERSON, by="ada"))
    names = {
        named(msgspec.structs.replace(IMAGES[1], boxes=(msgspec.structs.replace(BOX, source=s),))) for s in sources
    }
    dated = msgspec.structs.replace(IMAGES[0], taken_at="2026-05-04T12:00:00Z")
    assert len(names | {named(dated), FIRST_RELEASE}) == 5


def test_a_source_travels() -> None:
    box = msgspec.structs.replace(BOX, source=LabelSource(kind=LabelKind.PERSON, by="ada", reviewed=True))
    assert msgspec.json.decode(msgspec.json.encode(box), type=Box) == box
    assert b"source" not in msgspec.json.encode(BOX)
