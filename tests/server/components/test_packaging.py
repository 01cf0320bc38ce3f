"""Packing a model: two recipes and their artifacts, the same bytes each time."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest

from lineside.contract.component import ComponentKind
from lineside.contract.drift import BASELINE_FILE, BASELINE_SCHEMA, Baseline, sketch_of
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of, from_greengrass_digest
from lineside.contract.model import PreviousModel
from lineside.server.adapters.objects import MemoryObjects
from lineside.server.components import code
from lineside.server.components.packaging import pack_inference, pack_model
from lineside.server.components.testing import model_version


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A small copy of what is installed."""
    folder = tmp_path / "lineside"
    for part in ("contract", "runtime", "server"):
        (folder / part).mkdir(parents=True)
        (folder / part / "__init__.py").write_text("")
    (folder / "__init__.py").write_text('__version__ = "0.1.0"\n')
    (folder / "runtime" / "__main__.py").write_text('print("the runtime of the component")\n')
    return folder


def test_a_models_recipe_names_its_four_files_by_their_digests():
    objects = MemoryObjects()
    model = model_version(objects, 3)
    packed = pack_model(objects, model)
    recipe = msgspec.json.decode(packed.recipe)
    assert (packed.name, packed.version, packed.kind) == ("tags.model", "3.0.0", ComponentKind.MODEL)
    assert recipe["RecipeFormatVersion"] == "2020-01-25"
    (manifest,) = recipe["Manifests"]
    assert "Lifecycle" not in manifest
    named = {one["URI"].rsplit("/", 1)[1]: one for one in manifest["Artifacts"]}
    assert set(named) == {"model.onnx", "signature.json", "golden.zip", "model.json"}
    assert from_greengrass_digest(named["model.onnx"]["Digest"]) == model.digest
    assert named["model.onnx"]["URI"] == f"lineside:sha256/{model.digest[7:]}/model.onnx"
    about = msgspec.json.decode(objects.get(from_greengrass_digest(named["model.json"]["Digest"])))
    assert about == {"name": "tags", "version": 3, "digest": model.digest}


def test_the_version_before_comes_along_by_its_digest():
    objects = MemoryObjects()
    first, model = model_version(objects, 1), model_version(objects, 2)
    about = PreviousModel(name="tags", version=1, digest=first.digest, signature=first.signature)
    packed = pack_model(objects, model, about)
    named = {one.name: one.digest for one in packed.artifacts}
    assert named["previous.onnx"] == first.digest
    assert msgspec.json.decode(objects.get(named["previous.json"]), type=PreviousModel) == about
    assert packed.recipe != pack_model(objects, model).recipe
    assert pack_model(objects, model, about) == packed
    objects.delete(first.digest)
    with pytest.raises(LinesideError, match=r"request\.not_found"):
        pack_model(objects, model, about)


def test_a_baseline_comes_along_when_devices_can_use_it():
    objects = MemoryObjects()
    model = model_version(objects, 1)
    sketches = {"confidence": sketch_of("confidence", [0.5])}
    old = msgspec.structs.replace(model, baseline=Baseline(images=1, sketches=sketches))
    assert pack_model(objects, old) == pack_model(objects, model)
    baseline = Baseline(schema=BASELINE_SCHEMA, images=1, sketches=sketches, classes={"tag": 1.0})
    packed = pack_model(objects, msgspec.structs.replace(model, baseline=baseline))
    named = {one.name: one.digest for one in packed.artifacts}
    assert msgspec.json.decode(objects.get(named[BASELINE_FILE]), type=Baseline) == baseline
    assert named.keys() - {one.name for one in pack_model(objects, model).artifacts} == {BASELINE_FILE}


def test_packing_again_gives_the_same_bytes(sources):
    objects = MemoryObjects()
    model = model_version(objects)
    assert pack_model(objects, model) == pack_model(objects, model)
    first = pack_inference(objects, sources, "tags", {})
    for file in sources.rglob("*"):
        os.utime(file, (0, 0))
    again = pack_inference(objects, sources, "tags", {first.version: digest_of(first.recipe)})
    assert again == first
    assert first.version == "0.1.0"


def test_a_model_whose_file_is_missing_cannot_be_packed():
    objects = MemoryObjects()
    model = model_version(objects)
    objects.delete(model.digest)
    with pytest.raises(LinesideError, match=r"request\.not_found"):
        pack_model(objects, model)


def test_changed_code_is_the_next_version(sources):
    objects = MemoryObjects()
    first = pack_inference(objects, sources, "tags", {})
    known = {first.version: digest_of(first.recipe), "0.0.9": "sha256:other"}
    (sources / "runtime" / "__main__.py").write_text("print('new')\n")
    second = pack_inference(objects, sources, "tags", known)
    assert second.version == "0.1.1"


def test_the_inference_recipe_says_how_to_run_and_probe(sources):
    packed = pack_inference(MemoryObjects(), sources, "tags", {})
    recipe = msgspec.json.decode(packed.recipe)
    lifecycle = recipe["Manifests"][0]["Lifecycle"]
    assert lifecycle["Setenv"] == {"PYTHONPATH": "{artifacts:decompressedPath}/inference"}
    assert lifecycle["Run"].startswith('exec "$LINESIDE_PYTHON" -m lineside.runtime run --model ')
    assert "{tags.model:artifacts:path}" in lifecycle["Run"]
    assert lifecycle["Probe"]["Script"] == '"$LINESIDE_PYTHON" -m lineside.runtime probe --work "{work:path}"'
    assert lifecycle["Probe"]["Timeout"] == 120
    assert recipe["ComponentDependencies"] == {
        "tags.model": {"VersionRequirement": ">=1.0.0", "DependencyType": "HARD"}
    }
    assert recipe["Manifests"][0]["Artifacts"][0]["Unarchive"] == "ZIP"
    configuration = recipe["ComponentConfiguration"]["DefaultConfiguration"]
    assert configuration["capture"]["per_hour"] == 200
    assert configuration["lineside.follows"] == ["tags.model"]
    assert "accessControl" not in configuration  # the deployment gives the right for the topic that is used


def test_the_zip_holds_contract_and_runtime_only_and_runs_before_what_is_installed(sources, tmp_path):
    packed = zipfile.ZipFile(io.BytesIO(code.inference_zip(sources)))
    assert not [name for name in packed.namelist() if "server" in name]
    packed.extractall(tmp_path / "inference")
    shutil.rmtree(sources)
    ran = subprocess.run(
        [sys.executable, "-m", "lineside.runtime"],
        env={"PYTHONPATH": str(tmp_path / "inference")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "the runtime of the component\n"


def test_the_installed_package_can_be_packed():
    names = zipfile.ZipFile(io.BytesIO(code.inference_zip(code.installed_sources()))).namelist()
    assert "lineside/contract/recipes/recipe.py" in names
    assert "lineside/runtime/__init__.py" in names
    assert not [name for name in names if name.startswith(("lineside/server", "lineside/agent"))]
