"""Every command: what it asks, one JSON document with --json, a table without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from lineside.cli import models
from lineside.client.downloading import Exported
from lineside.client.model_folder import ModelExport
from lineside.contract.capture import Capture, CapturePage
from lineside.contract.compared import ModelsCompared
from lineside.contract.component import Component, ComponentDetails, ComponentPage
from lineside.contract.dataset import DatasetPage, DatasetVersion, ImagePage, ImportReport
from lineside.contract.dataset_check import CheckReport, DatasetDiff, DatasetStats, FieldReport
from lineside.contract.deployment import Deployment, DeploymentPage
from lineside.contract.device import Device, JoinToken
from lineside.contract.event import EventPage
from lineside.contract.export import ExportPage
from lineside.contract.group import Changed, Group
from lineside.contract.ids import digest_of
from lineside.contract.inquiry import CheckResult
from lineside.contract.model import ModelVersion
from lineside.contract.overview import Overview
from lineside.contract.registry import Alias, AliasHistory, CardHistory, ModelCard
from lineside.contract.result import ResultPage
from lineside.contract.rollout import Rollout, RolloutDevicePage, RolloutPage
from lineside.contract.run import CurvePoint, Run, RunPage, RunState
from tests.cli import values
from tests.cli.conftest import Command
from tests.cli.control_plane import CannedControlPlane

READING = [
    ("overview", Overview, "awaits approval"),
    ("events list", EventPage, "artifact.digest_mismatch"),
    ("datasets list", DatasetPage, "104/30/42"),
    ("datasets show ds-0123456789ab", DatasetVersion, "Box outside the image"),
    ("datasets show ds-0123456789ab", DatasetVersion, "lineside runs start --dataset ds-0123456789ab --model NAME"),
    ("datasets images ds-0123456789ab --split test", ImagePage, "tag-07"),
    ("datasets images ds-0123456789ab --class scratch --source person", ImagePage, "tag-07"),
    ("datasets check metal-tags", CheckReport, "nothing blocks"),
    ("datasets stats ds-0123456789ab", DatasetStats, "450x300"),
    ("datasets diff ds-0123456789ab metal-tags --change side", DatasetDiff, "train to test"),
    ("datasets field metal-tags --from week-1", FieldReport, "2 time unknown"),
    ("runs list", RunPage, "metal-tags:1"),
    ("runs show run-1", Run, "10 epochs"),
    ("runs show run-1 --follow", Run, "cached"),
    ("runs curves run-1", list[CurvePoint], "val_map50"),
    ("models list", list[ModelVersion], "0.780 / 0.470"),
    ("models show metal-tags:1", ModelVersion, "lineside models approve metal-tags:1"),
    ("models show metal-tags@production", ModelVersion, "metal-tags:1"),
    ("models aliases metal-tags", list[Alias], "metal-tags@production"),
    ("models aliases metal-tags --history production", AliasHistory, "it holds"),
    ("models compare metal-tags 1 latest", ModelsCompared, "-0.100 (-0.150 to -0.050)"),
    ("models compare metal-tags 1 2", ModelsCompared, "more than chance"),
    ("models card metal-tags 1", ModelCard, "Line 4 only."),
    ("models card metal-tags@production --history", CardHistory, "asked for"),
    ("components list", ComponentPage, "metal-tags.inference"),
    ("components show metal-tags.model 1.0.0", ComponentDetails, "models/metal-tags.model-1.0.0.json"),
    ("deployments list", DeploymentPage, "metal-tags.model 1.0.0"),
    ("deployments show dep-1", Deployment, "lineside rollouts watch ro-1"),
    ("rollouts list", RolloutPage, "1/2"),
    ("rollouts show ro-1", Rollout, "the first wave was told"),
    ("rollouts show ro-1", Rollout, "waits for 1 device at work"),
    (
        "rollouts show ro-1",
        Rollout,
        "tag-station-2 and 2 others: component.broken It failed.\n  Next: See its log: lineside devices logs tag-",
    ),
    ("rollouts devices ro-1 --progress failed --wave 2", RolloutDevicePage, "tag-station-2"),
    ("devices list", list[Device], "installing"),
    ("devices list", list[Device], "device.too_hot"),
    ("devices show tag-station-1", Device, "matched"),
    ("devices show tag-station-1", Device, "1.0.0 (differs)"),
    ("devices show tag-station-1", Device, "67.1 MB"),
    ("devices show tag-station-1", Device, "cgroup v2"),
    (
        "devices show tag-station-1",
        Device,
        "device: device.too_hot cpu is at 92 °C.\n  Next: Look at the device's fan.",
    ),
    ("devices show tag-station-1", Device, "3.2 GB"),
    ("devices show tag-station-1", Device, "link kind"),
    ("devices diagnose tag-station-1", list[CheckResult], "✓ disk"),
    ("groups list", list[Group], "site=berlin"),
    ("groups show berlin", Group, "deployment-7"),
    ("devices exports tag-station-1", ExportPage, "2026/11/21/batch.csv"),
    ("results tail", ResultPage, "a[1].jpg_0"),
    ("captures list", CapturePage, "The best score, 0.41"),
    ("captures show cap-1", Capture, "12.3 kB"),
]

CHANGING = [
    ("runs cancel run-1", Run, "POST /runs/run-1/cancel", None),
    (
        "models approve metal-tags:1",
        ModelVersion,
        "POST /models/metal-tags/1/approve",
        {"reason": ""},
    ),
    (
        "models approve metal-tags 1 --reason seen",
        ModelVersion,
        "POST /models/metal-tags/1/approve",
        {"reason": "seen"},
    ),
    (
        "models alias metal-tags@production 1 --expected 0 --reason holds",
        Alias,
        "POST /models/metal-tags/aliases/production",
        {"version": 1, "expected": 0, "reason": "holds"},
    ),
    (
        "models alias metal-tags@production --remove",
        Alias,
        "POST /models/metal-tags/aliases/production/remove",
        {"expected": None, "reason": ""},
    ),
    (
        "models retire metal-tags@production --reason old",
        ModelVersion,
        "POST /models/metal-tags/1/retire",
        {"reason": "old"},
    ),
    (
        "models reject metal-tags:1 --reason blurred",
        ModelVersion,
        "POST /models/metal-tags/1/reject",
        {"reason": "blurred"},
    ),
    ("rollouts pause ro-1", Rollout, "POST /rollouts/ro-1/pause", None),
    ("rollouts resume ro-1", Rollout, "POST /rollouts/ro-1/resume", None),
    ("rollouts abort ro-1", Rollout, "POST /rollouts/ro-1/abort", None),
    ("rollouts rollback ro-1", Rollout, "POST /rollouts/ro-1/rollback", None),
    ("rollouts retry ro-1", Rollout, "POST /rollouts/ro-1/retry", None),
    ("devices revoke tag-station-1", Device, "POST /devices/tag-station-1/revoke", None),
    (
        "devices label press-1 press-2 site=berlin note=a=b line-",
        Changed,
        "POST /devices/labels",
        {
            "which": {"devices": ["press-1", "press-2"], "selector": None},
            "set": {"site": "berlin", "note": "a=b"},
            "remove": ["line"],
        },
    ),
    (
        "groups create berlin --selector site=berlin",
        Group,
        "POST /groups",
        {"name": "berlin", "selector": "site=berlin", "description": ""},
    ),
    (
        "groups change berlin --description walls",
        Group,
        "POST /groups/berlin",
        {"selector": None, "description": "walls"},
    ),
    ("groups add berlin a b", Changed, "POST /groups/berlin/add", {"devices": ["a", "b"], "selector": None}),
    ("groups remove berlin --selector !a", Changed, "POST /groups/berlin/remove", {"devices": [], "selector": "!a"}),
    ("groups delete berlin", Group, "POST /groups/berlin/delete", None),
    (
        "devices token --group line-1 --uses 2 --ttl 60",
        JoinToken,
        "POST /devices/tokens",
        {"group": "line-1", "uses": 2, "ttl_seconds": 60, "twin": False},
    ),
]


@pytest.mark.parametrize(("words", "kind", "seen"), READING)
def test_reading(lineside: Command, words: str, kind: type[Any], seen: str) -> None:
    shown = lineside(*words.split())
    assert shown.status == 0, shown.err
    assert seen in shown.out
    assert "\x1b" not in shown.out
    _one_document(lineside, words, kind)


@pytest.mark.parametrize(("words", "kind", "route", "body"), CHANGING)
def test_changing(
    lineside: Command, plane: CannedControlPlane, words: str, kind: type[Any], route: str, body: dict[str, Any] | None
) -> None:
    _one_document(lineside, words, kind)
    assert plane.asked[-1].route == route
    if body is not None:
        assert plane.asked[-1].body == body
    assert lineside(*words.split()).status == 0


def test_devices_are_found_by_what_is_said(lineside: Command, plane: CannedControlPlane) -> None:
    words = ("--search", "press", "--group", "berlin", "--state", "failed", "--selector", "line in (3, 4)")
    assert lineside("devices", "list", *words).status == 0
    assert plane.asked[-1].route == "GET /devices"
    assert plane.asked[-1].query == {
        "q": "press",
        "group": "berlin",
        "summary": "failed",
        "selector": "line in (3, 4)",
        "limit": "500",
    }


def _one_document(lineside: Command, words: str, kind: type[Any]) -> Any:
    done = lineside(*words.split(), "--json")
    assert done.status == 0, done.err
    assert done.out.count("\n") == 1
    assert done.err == ""
    return msgspec.json.decode(done.out, type=kind)


def test_importing_a_folder_asks_what_is_missing_and_sends_the_list(
    lineside: Command, plane: CannedControlPlane, tmp_path: Path
) -> None:
    folder = tmp_path / "plates"
    folder.mkdir()
    (folder / "annotations.json").write_text("{}")
    done = lineside("datasets", "import", str(folder), "--json")
    assert msgspec.json.decode(done.out, type=ImportReport) == values.IMPORT
    assert plane.asked[-1].body["name"] == "plates"
    assert list(plane.asked[-1].body["files"]) == ["annotations.json"]
    assert plane.asked[-1].body["format"] is None
    assert "a new version" in lineside("datasets", "import", str(folder), "--format", "csv").out
    assert plane.asked[-1].body["format"] == "csv"


def test_exporting_a_dataset_writes_a_folder_and_says_what_the_format_cannot(lineside: Command, tmp_path: Path) -> None:
    folder, asked = tmp_path / "out", ("datasets", "export", "ds-0123456789ab", "--format", "yolo", "--to")
    done = msgspec.json.decode(lineside(*asked, str(folder), "--json").out, type=Exported)
    assert (done.files, done.fetched, done.warnings) == (1, 1, values.DATASET_FOLDER.warnings)
    assert (folder / "images" / "a b.jpg").read_bytes() == b"the bytes"
    again = lineside(*asked, str(folder))
    assert "1, 0 fetched now" in again.out
    assert "No word for groups." in again.out
    refused = lineside(*asked, str(tmp_path))
    assert (refused.status, "holds files of something else" in refused.err) == (1, True)


def test_starting_a_run_takes_the_newest_dataset_of_a_name_and_parses_parameters(
    lineside: Command, plane: CannedControlPlane, tmp_path: Path
) -> None:
    weights = tmp_path / "w.onnx"
    weights.write_bytes(b"weights")
    arguments = ("--init", str(weights), "--set", "epochs=3", "-p", "note=by hand", "--seed", "4", "--json")
    done = lineside("runs", "start", "--dataset", "metal-tags", *arguments)
    assert done.status == 0
    body = plane.asked[-1].body
    assert (body["dataset"], body["model"], body["trainer"], body["seed"]) == (
        values.DATASET.id,
        "metal-tags",
        "yolox",
        4,
    )
    assert body["parameters"] == {"epochs": 3, "note": "by hand"}
    assert body["init"].startswith("sha256:")


def test_a_run_that_starts_from_scratch_says_what_starting_weights_are_worth(
    lineside: Command, plane: CannedControlPlane, tmp_path: Path
) -> None:
    weights = tmp_path / "w.onnx"
    weights.write_bytes(b"weights")
    start = ("runs", "start", "--dataset", "metal-tags")
    assert "Starting weights are worth more" in " ".join(lineside(*start).err.split())
    assert lineside(*start, "--json").err == ""
    assert "Starting weights" not in lineside(*start, "--init", str(weights)).err


@pytest.mark.parametrize(
    ("state", "status"), [(RunState.SUCCEEDED, 0), (RunState.GATED, 3), (RunState.FAILED, 1), (RunState.CANCELLED, 1)]
)
def test_waiting_for_a_run_tells_its_end_by_exit_status(
    lineside: Command, plane: CannedControlPlane, state: RunState, status: int
) -> None:
    plane.answers["POST /runs"] = msgspec.structs.replace(values.RUN, state=RunState.RUNNING)
    plane.answers["GET /runs/run-1"] = msgspec.structs.replace(values.RUN, state=state)
    done = lineside("runs", "start", "--dataset", "metal-tags", "--wait", "--json")
    assert done.status == status
    assert msgspec.json.decode(done.out, type=Run).state is state


def test_importing_a_model_reads_its_labels(lineside: Command, plane: CannedControlPlane, tmp_path: Path) -> None:
    file, labels = tmp_path / "m.onnx", tmp_path / "labels.txt"
    file.write_bytes(b"onnx")
    labels.write_text("person\ntv\n\n")
    done = lineside(
        "models", "import", str(file), "--name", "coco", "--head", "yolox", "--labels", str(labels), "--json"
    )
    assert done.status == 0, done.err
    assert plane.asked[-1].body["labels"] == ["person", "tv"]
    assert models.read_labels("person, tv") == ("person", "tv")


def test_saving_a_capture(lineside: Command, tmp_path: Path) -> None:
    target = tmp_path / "kept.jpg"
    assert lineside("captures", "show", "cap-1", "--save", str(target)).status == 0
    assert target.read_bytes() == b"the bytes"


def test_a_token_shows_the_command_that_joins(lineside: Command) -> None:
    shown = lineside("devices", "token").out
    assert "lineside agent join https://127.0.0.1:8443 --token lst_secret --ca-sha256 ffff" in shown


def test_adding_a_component_sends_its_recipe_and_names_its_files(
    lineside: Command, plane: CannedControlPlane, tmp_path: Path
) -> None:
    (tmp_path / "r.yaml").write_text(
        "RecipeFormatVersion: 2020-01-25\nComponentName: hello\nComponentVersion: 1.0.0\n"
        "Manifests: [{Artifacts: [{URI: s3://BUCKET_NAME/x.py}], Lifecycle: {Run: 'true'}}]\n"
    )
    missing = lineside("components", "add", str(tmp_path / "r.yaml"))
    assert missing.status == 1
    assert "x.py" in missing.err
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "x.py").write_text("pass")
    command = ("components", "add", str(tmp_path / "r.yaml"), "--artifacts", str(tmp_path / "files"), "--stage")
    done = lineside(*command, "--json")
    assert msgspec.json.decode(done.out, type=Component).name == "metal-tags.model"
    body = plane.asked[-1].body
    assert (body["stage"], [one["name"] for one in body["artifacts"]]) == (True, ["x.py"])
    assert body["recipe"].startswith("RecipeFormatVersion: 2020-01-25")
    assert lineside(*command).status == 0


def test_a_model_is_exported_to_a_folder(lineside: Command, plane: CannedControlPlane, tmp_path: Path) -> None:
    files = {name: f"{name} bytes".encode() for name in ("fp32", "int8", "golden")}
    variants = tuple(
        replace(one, digest=digest_of(files[one.name]), size=len(files[one.name])) for one in values.MODEL.variants
    )
    digest = next(one.digest for one in variants if one.chosen)
    model = replace(values.MODEL, variants=variants, digest=digest, golden=digest_of(files["golden"]), predictions=None)
    plane.answers |= {f"GET /blobs/{digest_of(data)}": data for data in files.values()}
    plane.answers["GET /models/metal-tags/1"] = model
    done = lineside("models", "export", "metal-tags", "1", "--to", str(tmp_path / "out"), "--json")
    manifest = msgspec.json.decode(done.out, type=ModelExport)
    assert (done.status, manifest.model, manifest.files[manifest.ships].digest) == (0, "metal-tags:1", digest)
    assert (tmp_path / "out" / "golden" / "golden.zip").read_bytes() == files["golden"]
    done = lineside("models", "export", "metal-tags", "1", "--to", "mlflow")
    assert (done.status, "--tracking-uri" in done.err) == (2, True)
