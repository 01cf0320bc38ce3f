"""Packing: from a model version and the installed code to recipes and artifacts in the object store.

Every byte is a function of its inputs, so packing twice stores nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lineside import __version__
from lineside.contract.component import Artifact, ComponentKind
from lineside.contract.drift import BASELINE_FILE, BASELINE_SCHEMA, Baseline
from lineside.contract.ids import canonical, digest_of
from lineside.contract.model import PREVIOUS_ABOUT, PREVIOUS_FILE, ModelVersion, PreviousModel
from lineside.server.adapters.objects import ObjectStore
from lineside.server.components import code, recipes


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A component that is packed and not stored yet."""

    name: str
    version: str
    kind: ComponentKind
    recipe: bytes
    artifacts: tuple[Artifact, ...]
    model: str | None = None


def pack_model(objects: ObjectStore, model: ModelVersion, previous: PreviousModel | None = None) -> Packed:
    """A model's files; with `previous` also that version's file, which devices run on a sample beside the new one.

    A device that ran it has the file: artifacts are kept by digest. Raises `request.not_found` when one of the files is
    not in the store.
    """
    about = {"name": model.name, "version": model.version, "digest": model.digest}
    artifacts = (
        _there(objects, "model.onnx", model.digest),
        _kept(objects, "signature.json", canonical(model.signature)),
        _there(objects, "golden.zip", model.golden),
        _kept(objects, "model.json", canonical(about)),
        *_of_baseline(objects, model.baseline),
        *_of_previous(objects, previous),
    )
    return Packed(
        name=recipes.model_component(model.name),
        version=recipes.model_component_version(model.version),
        kind=ComponentKind.MODEL,
        recipe=recipes.model_recipe(model.name, model.version, artifacts),
        artifacts=artifacts,
        model=model.label,
    )


def pack_inference(objects: ObjectStore, sources: Path, model: str, released: Mapping[str, str]) -> Packed:
    """The code that runs `model`. `released` maps the versions there are to their recipes' digests: one with the same
    recipe is that version again; else the last number of Lineside's own version series is counted up."""
    zipped = _kept(objects, recipes.INFERENCE_ZIP, code.inference_zip(sources))
    version = next(
        (one for one, digest in released.items() if digest == digest_of(recipes.inference_recipe(model, one, zipped))),
        _next_version(released),
    )
    return Packed(
        name=recipes.inference_component(model),
        version=version,
        kind=ComponentKind.APP,
        recipe=recipes.inference_recipe(model, version, zipped),
        artifacts=(zipped,),
    )


def _next_version(released: Mapping[str, str]) -> str:
    series = ".".join(__version__.split(".")[:2])
    numbers = [int(one.rpartition(".")[2]) for one in released if one.rpartition(".")[0] == series]
    return f"{series}.{max(numbers, default=-1) + 1}"


def _of_baseline(objects: ObjectStore, baseline: Baseline | None) -> tuple[Artifact, ...]:
    """What devices hold against what they see. One of an older version tells them nothing, and its component stays as
    it is."""
    if baseline is None or baseline.schema != BASELINE_SCHEMA:
        return ()
    return (_kept(objects, BASELINE_FILE, canonical(baseline)),)


def _of_previous(objects: ObjectStore, previous: PreviousModel | None) -> tuple[Artifact, ...]:
    if previous is None:
        return ()
    about = _kept(objects, PREVIOUS_ABOUT, canonical(previous))
    return _there(objects, PREVIOUS_FILE, previous.digest), about


def _there(objects: ObjectStore, name: str, digest: str) -> Artifact:
    return Artifact(name=name, digest=digest, size=objects.size(digest))


def _kept(objects: ObjectStore, name: str, data: bytes) -> Artifact:
    return Artifact(name=name, digest=objects.put(data), size=len(data))
