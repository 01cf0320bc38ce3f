"""Manifests of SageMaker, exports of Label Studio, tables of boxes: as those programs and people write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineside.contract.dataset import Box, ImportRequest, LabelKind, LabelSource, Split
from lineside.server.datasets.service import DatasetsService
from lineside.server.datasets.store import Filters
from lineside.server.services import Core

Make = Callable[[str], Any]

pytestmark = pytest.mark.sqlite_only  # readers know of no database


@pytest.fixture
def shots(folder: Any, make: Make) -> Any:
    """Six pictures below `shots/`."""
    for n in range(6):
        folder.files[f"shots/{n}.jpg_{n}"] = make("picture")(n)
    return folder


def line(n: int, *boxes: dict[str, Any], job: str = "boxes", **more: Any) -> dict[str, Any]:
    """A line of a labelling job, as SageMaker Ground Truth writes it."""
    metadata = {
        "objects": [{"confidence": 0.09} for _ in boxes],
        "class-map": {"0": "dent", "1": "scratch"},
        "type": "groundtruth/object-detection",
        "human-annotated": "yes",
        "creation-date": "2018-10-18T22:18:13.527256",
        "job-name": "labeling-job/tags",
    }
    size = [{"width": 120, "height": 80, "depth": 3}]
    return {
        "source-ref": f"s3://bucket/some/where/shots/{n}.jpg_{n}",
        job: {"annotations": list(boxes), "image_size": size},
        f"{job}-metadata": metadata,
    } | more


def edges(left: float, top: float, width: float, height: float, class_id: Any = 0) -> dict[str, Any]:
    return {"class_id": class_id, "left": left, "top": top, "width": width, "height": height}


def manifest(*lines: Any) -> bytes:
    return "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines).encode()


def test_a_manifest_names_images_in_a_bucket(shots: Any) -> None:
    lines = [line(n, edges(10, 20, 30, 40, class_id=n % 2)) for n in range(5)]
    shots.files["output.manifest"] = manifest(*lines, line(5))
    version = shots()
    assert (version.format, version.classes, version.boxes) == ("sagemaker", ("dent", "scratch"), 5)
    person = LabelSource(kind=LabelKind.PERSON, by="tags", reviewed=True)
    assert shots.images[1].boxes == (Box(label="scratch", x=10, y=20, width=30, height=40, source=person),)
    assert shots.images[5].boxes == ()
    assert shots.warned() == {}


def test_of_a_manifest_with_two_jobs_the_one_on_most_lines_is_read(shots: Any) -> None:
    lines = [line(n, edges(1, 2, 3, 4)) for n in range(6)]
    lines[0] |= {key: value for key, value in line(0, edges(9, 9, 9, 9), job="old").items() if key != "source-ref"}
    shots.files["a.jsonl"] = manifest(*lines)
    shots()
    assert shots.images[0].boxes[0].width == 3
    assert shots.warned() == {"dataset.other_labels": 1}


def test_what_nobody_has_labelled_is_left_out_and_counted(shots: Any) -> None:
    waiting = {"source-ref": "s3://bucket/shots/5.jpg_5"}
    shots.files["a.manifest"] = manifest(*(line(n, edges(1, 2, 3, 4)) for n in range(5)), waiting)
    assert shots().images == 5
    assert shots.warned() == {"dataset.image_pending": 1}


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (edges(1, 1, 5, 5, class_id=7), "dataset.class_unknown"),
        (edges(1, 1, 5, 5, class_id=None), "dataset.class_unknown"),
        (edges(1, 1, 5, 5, class_id="1" * 5000), "dataset.class_unknown"),
        (edges(1, 1, 5, 1e400), "dataset.label_unreadable"),  # Infinity is no JSON: the line is none
        (edges(1, 1, 5, 10**30), "dataset.box_invalid"),
        (edges(1, 1, 5, "nan"), "dataset.box_invalid"),  # type: ignore[arg-type]
        (edges(1, 1, 5, -2), "dataset.box_empty"),
        (edges(500, 1, 5, 5), "dataset.box_outside"),
        ("nothing", "dataset.box_invalid"),
    ],
)
def test_a_bad_box_of_a_manifest_is_counted(shots: Any, entry: Any, code: str) -> None:
    shots.files["a.manifest"] = manifest(*(line(n, edges(1, 2, 3, 4)) for n in range(5)), line(5, entry))
    assert shots().boxes == 5
    assert shots.warned() == {code: 1} | ({"dataset.image_unlisted": 1} if "unreadable" in code else {})


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ('{"source-ref": "s3://b/shots/5.jpg_5", "boxes":', "dataset.label_unreadable"),
        ('{"source-ref": 5}', "dataset.label_unreadable"),
        ("[" * 100_000, "dataset.label_unreadable"),
        ('{"source-ref": "s3://b/../../etc/passwd"}', "dataset.image_path_refused"),
        ('{"source-ref": "/etc/passwd"}', "dataset.image_path_refused"),
        ('{"source-ref": "s3://b/gone.png"}', "dataset.image_missing"),
        ('{"source-ref": "s3://b/shots/5.jpg_5", "boxes": 1, "boxes-metadata": 2}', "dataset.image_pending"),
    ],
)
def test_a_bad_line_of_a_manifest_is_counted(shots: Any, written: str, code: str) -> None:
    shots.files["a.manifest"] = manifest(*(line(n, edges(1, 2, 3, 4)) for n in range(5)), written)
    assert shots().images == 5
    counts = shots.warned()
    counts.pop("dataset.image_unlisted", None)
    assert counts == {code: 1}


# --- Label Studio -----------------------------------------------------------------------------------------------------


def region(x: float, y: float, width: float, height: float, *labels: str, **more: Any) -> dict[str, Any]:
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0, "rectanglelabels": list(labels)}
    value |= more.pop("value", {})
    size = {"original_width": 120, "original_height": 80, "image_rotation": 0}
    return (
        {"id": "a", "type": "rectanglelabels", "from_name": "label", "to_name": "image"}
        | size
        | more
        | {"value": value}
    )


def task(n: int, *regions: Any, image: str | None = None, **annotation: Any) -> dict[str, Any]:
    address = image or f"/data/upload/1/0a1b2c3d-{n}.jpg_{n}"
    done = {"result": list(regions), "was_cancelled": False, "completed_by": {"id": 3, "email": "mara@x.org"}}
    return {"id": n, "data": {"image": address}, "annotations": [done | annotation], "predictions": []}


def tasks(*entries: Any) -> bytes:
    return json.dumps(entries).encode()


def test_an_export_of_label_studio_is_in_percent(shots: Any) -> None:
    local = [task(n, image=f"/data/local-files/?d=shots%2F{n}.jpg_{n}") for n in range(2, 6)]
    shots.files["project.json"] = tasks(task(0, region(25, 50, 10, 5, "dent")), task(1), *local)
    version = shots()
    assert (version.format, version.classes, version.boxes) == ("labelstudio", ("dent",), 1)
    mara = LabelSource(kind=LabelKind.PERSON, by="mara@x.org", reviewed=True)
    assert shots.images[0].boxes == (Box(label="dent", x=30, y=40, width=12, height=4, source=mara),)
    assert shots.warned() == {}


def test_the_short_form_of_label_studio_is_read_too(shots: Any) -> None:
    flat = region(25, 50, 10, 5, "dent")
    entries = [{"image": f"shots/{n}.jpg_{n}", "id": n, "label": [flat["value"] | flat]} for n in range(6)]
    shots.files["min.json"] = tasks(*entries)
    assert shots().boxes == 6
    assert shots.images[3].boxes[0] == Box(label="dent", x=30, y=40, width=12, height=4)


def test_of_the_short_form_every_list_of_regions_is_read_and_an_empty_list_hides_none(shots: Any) -> None:
    one, two = ([(flat := region(x, 50, 10, 5, "dent"))["value"] | flat] for x in (25, 60))
    lists: list[dict[str, Any]] = [
        {"tags": [], "label": one},
        {"label": one, "second": two},
        {"tags": ["dark"], "label": two, "more": []},
        {"label": []},
        {"label": [], "tags": ["dark"]},
        {},
    ]
    shots.files["min.json"] = tasks(*({"image": f"shots/{n}.jpg_{n}"} | more for n, more in enumerate(lists)))
    shots()
    assert [[box.x for box in image.boxes] for image in shots.images] == [[30], [30, 72], [72], []]
    assert shots.warned() == {"dataset.image_pending": 2}


def test_classes_have_the_order_of_the_labelling_configuration(shots: Any) -> None:
    shots.files["config.xml"] = (
        b'<View><RectangleLabels name="l"><Label value="z"/><Label value="dent"/></RectangleLabels></View>'
    )
    shots.files["project.json"] = tasks(*(task(n, region(1, 1, 9, 9, "dent")) for n in range(6)))
    assert shots().classes == ("z", "dent")


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (region(1, 1, 9, 9, "dent", value={"rotation": 30}), "dataset.box_rotated"),
        (region(1, 1, 9, 9, "dent", image_rotation=90), "dataset.box_rotated"),
        (region(1, 1, 9, 9), "dataset.class_unknown"),
        (region(1, 1, 1e12, 9, "dent"), "dataset.box_invalid"),
        (region(1, 1, 9, 9, "dent", value={"x": "NaN"}), "dataset.box_invalid"),
        (region(200, 1, 9, 9, "dent"), "dataset.box_outside"),
        ({"type": "choices", "value": {"choices": ["bad"]}}, "dataset.label_not_box"),
        ("nothing", "dataset.label_not_box"),
    ],
)
def test_a_bad_rectangle_is_counted(shots: Any, entry: Any, code: str) -> None:
    shots.files["project.json"] = tasks(*(task(n, region(1, 1, 9, 9, "dent")) for n in range(5)), task(5, entry))
    assert (shots().images, shots.version.boxes) == (6, 5)
    assert shots.warned() == {code: 1}


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (task(5, was_cancelled=True), "dataset.image_pending"),
        ({"data": {"image": "shots/5.jpg_5"}, "annotations": []}, "dataset.image_pending"),
        (task(5, image="/data/local-files/?d=../../etc/passwd"), "dataset.image_path_refused"),
        (task(5, image="/data/upload/1/0a1b2c3d-gone.png"), "dataset.image_missing"),
        ({"id": 1}, "dataset.label_unreadable"),
        (7, "dataset.label_unreadable"),
        (task(5, region(1, 1, 9, 9, "dent", original_width=80, original_height=120)), "dataset.size_differs"),
    ],
)
def test_a_bad_task_is_counted(shots: Any, entry: Any, code: str) -> None:
    shots.files["project.json"] = tasks(*(task(n, region(1, 1, 9, 9, "dent")) for n in range(5)), entry)
    assert shots().images == 5
    counts = shots.warned()
    counts.pop("dataset.image_unlisted", None)
    assert counts == {code: 1}


def test_of_two_annotations_the_true_one_is_read(shots: Any) -> None:
    twice = task(0, region(1, 1, 9, 9, "dent"), ground_truth=True)
    twice["annotations"].append({"result": []})
    shots.files["project.json"] = tasks(twice, *(task(n) for n in range(1, 6)))
    assert shots().boxes == 1
    assert shots.warned() == {"dataset.other_labels": 1}


# --- CSV --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "row"),
    [
        ("image,label,left,top,width,height", "{},dent,30,40,12,4"),
        ("filename,width,height,class,xmin,ymin,xmax,ymax", "{},120,80,dent,30,40,42,44"),
        ("Image Path;Class Name;X1;Y1;X2;Y2", "{};dent;30;40;42;44"),
        ("ImageID,Source,LabelName,XMin,XMax,YMin,YMax", "{},x,dent,0.25,0.35,0.5,0.55"),
        ("path\tx\ty\tw\th\tcategory", "{}\t30\t40\t12\t4\tdent"),
        (
            "source_ref,annotations",
            "s3://b/x/{},\"[{{'class': 'dent', 'left': 30, 'top': 40, 'height': 4, 'width': 12}}]\"",
        ),
        ("file,boxes", '{},"[{{""label"": ""dent"", ""x1"": 30, ""y1"": 40, ""x2"": 42, ""y2"": 44}}]"'),
    ],
)
def test_columns_are_found_by_name(shots: Any, heading: str, row: str) -> None:
    rows = [row.format(f"shots/{n}.jpg_{n}") for n in range(6)]
    shots.files["boxes.csv"] = "\r\n".join([heading, *rows, ""]).encode("utf-8-sig")
    version = shots()
    assert (version.format, version.classes, version.warnings) == ("csv", ("dent",), ())
    assert [image.boxes for image in shots.images] == [(Box(label="dent", x=30, y=40, width=12, height=4),)] * 6


def test_lines_of_one_image_are_its_boxes_and_a_line_without_one_says_that_nothing_is_there(shots: Any) -> None:
    lines = ["image,split,group,label,left,top,width,height"]
    lines += [f"{n}.jpg_{n},{side},{n},," for n, side in enumerate(("train", "train", "val", "test", "test", "train"))]
    lines[1:2] = ["0.jpg_0,train,0,dent,1,2,3,4", "0.jpg_0,,,scratch,5,6,7,8"]
    shots.files["boxes.csv"] = "\n".join(lines).encode()
    version = shots()
    assert (version.images, version.boxes, version.groups, version.split_by) == (6, 2, 6, "given")
    assert [box.label for box in shots.images[0].boxes] == ["dent", "scratch"]
    assert shots.images[3].split is Split.TEST


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("shots/5.jpg_5,dent,1,2,nan,4", "dataset.box_invalid"),
        ("shots/5.jpg_5,dent,1,2,1e999,4", "dataset.box_invalid"),
        (f"shots/5.jpg_5,dent,1,2,{'9' * 5000},4", "dataset.box_invalid"),
        ("shots/5.jpg_5,dent,1,2", "dataset.box_invalid"),
        ("shots/5.jpg_5,,1,2,3,4", "dataset.class_unknown"),
        ("../5.jpg_5,dent,1,2,3,4", "dataset.image_path_refused"),
        ("gone.png,dent,1,2,3,4", "dataset.image_missing"),
        (",dent,1,2,3,4", "dataset.label_unreadable"),
    ],
)
def test_a_bad_row_is_counted(shots: Any, row: str, code: str) -> None:
    good = [f"shots/{n}.jpg_{n},dent,1,2,3,4" for n in range(5)]
    shots.files["boxes.csv"] = "\n".join(["image,label,left,top,width,height", *good, row]).encode()
    assert shots().boxes == 5
    counts = shots.warned()
    counts.pop("dataset.image_unlisted", None)
    assert counts == {code: 1}


@pytest.mark.parametrize(
    "cell",
    [
        "__import__('os').system('true')",
        "[" * 50_000,
        "-" * 50_000 + "1",
        "[{'left': 9**9**9}]",
        "{'a': 1}",
        "[1, 2",
        "'",
    ],
)
def test_a_list_that_is_none_leaves_its_image_out_and_runs_nothing(shots: Any, cell: str) -> None:
    rows = [f"shots/{n}.jpg_{n},[]" for n in range(5)]
    quoted = cell.replace('"', '""')
    text = "\n".join(["image,annotations", *rows, f'shots/5.jpg_5,"{quoted}"'])
    shots.files["boxes.csv"] = text.encode()
    shots.files["classes.txt"] = b"dent\n"
    assert shots().images == 5
    assert shots.warned()["dataset.label_unreadable"] == 1


def test_numbers_stand_for_the_names_in_a_list_of_classes(shots: Any) -> None:
    rows = [
        f"shots/{n}.jpg_{n},\"[{{'class_id': {n % 3}, 'left': 1, 'top': 2, 'width': 3, 'height': 4}}]\""
        for n in range(6)
    ]
    shots.files["boxes.csv"] = "\n".join(["image,annotations", *rows]).encode()
    shots.files["classes.txt"] = b"dent\nscratch\n"
    version = shots()
    assert (version.classes, version.boxes) == (("dent", "scratch"), 4)
    assert shots.warned() == {"dataset.class_unknown": 2}


@pytest.mark.parametrize("heading", ["a,b,c", "image,label", "x,y,width,height", ""])
def test_a_table_of_something_else_is_no_table_of_boxes(shots: Any, make: Make, heading: str) -> None:
    shots.files["notes.csv"] = f"{heading}\n1,2,3\n".encode()
    images = [image | {"file_name": f"shots/{n}.jpg_{n}"} for n, image in enumerate(make("listed")(6))]
    shots.files["a.json"] = make("coco")(images, [make("boxed")(0, 1, 2, 3, 4)])
    assert shots().format == "coco"
    assert shots.warned() == {}


@pytest.mark.real_data
def test_the_table_of_metal_tags_has_the_boxes_of_its_coco_file(core: Core, metal_tags: Path) -> None:
    """Two readers, written apart, of labels that one tool wrote twice."""
    files = {
        file.relative_to(metal_tags).as_posix(): core.objects.put(file.read_bytes())
        for file in metal_tags.rglob("*")
        if file.is_file() and "inbox" not in file.parts
    }
    service, boxes = DatasetsService(core), {}
    for form in ("csv", "coco"):
        version = service.import_folder(ImportRequest(name=form, files=files, format=form)).version
        assert (version.images, version.boxes, version.warnings) == (176, 345, ())
        images = service.images(version.id, Filters(), 0, 1000).images
        boxes[form] = {i.digest: sorted((b.x, b.y, b.width, b.height) for b in i.boxes) for i in images}
    assert boxes["csv"] == boxes["coco"]
