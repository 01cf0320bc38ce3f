"""What an approver is asked to sign about a model, taken from the very bytes to be signed and held against the files
that they name, so that what is shown is what devices would install."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from lineside.client.client import Client
from lineside.contract.approval import TwinReport, shortfalls
from lineside.contract.ceremony_changes import Part
from lineside.contract.component import Component, ComponentDetails, ComponentKind
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of, from_greengrass_digest
from lineside.contract.reading import UNREADABLE
from lineside.contract.recipes.recipe import RECIPE_FORMAT
from lineside.contract.trust import ApprovalStatement, release_target

_HEAD = {
    "RecipeFormatVersion",
    "ComponentName",
    "ComponentVersion",
    "ComponentDescription",
    "ComponentPublisher",
    "Manifests",
}
_FILES = frozenset({"model.onnx", "signature.json", "golden.zip", "model.json"})
_PREVIOUS = frozenset({"previous.onnx", "previous.json"})
_BASELINE = frozenset({"baseline.json"})


@dataclass(frozen=True)
class Judged:
    """A statement that holds together. `code` is the component that runs the model, while no builder has signed it."""

    statement: ApprovalStatement
    report: TwinReport | None
    code: Component | None


def judge(
    client: Client,
    label: str,
    path: str,
    digest: str,
    custom: Mapping[str, Any] | None,
    approved: Collection[str] = (),
) -> Judged:
    """Read the one target that a proposal adds: its path, the digest of its recipe, and what is said about it.
    `approved` are the files of the model that count as approved now (`approved_files`): only one of them may come along
    to be compared with.

    Raises `approval.not_what_it_says` when it is about another model, when the recipe brings other files or has
    anything to run, or when the twins tested something else; and what `Client` raises.
    """
    try:
        statement = ApprovalStatement.from_custom(dict(custom or {}))
    except msgspec.ValidationError as error:
        raise _wrong(label, "the statement cannot be read") from error
    name, version = f"{statement.model}.model", f"{statement.version}.0.0"
    if statement.label != label or path != model_path(statement.model, statement.version):
        raise _wrong(label, f"it is about {statement.label}, as {path}")
    if statement.recipe != digest:
        raise _wrong(label, "the statement names another recipe than is signed")
    _check_recipe(label, _blob(client, label, digest), (name, version), statement, approved)
    report = _report(client, label, statement, name)
    return Judged(statement, report, _code(client, report, f"{statement.model}.inference"))


def approved_files(trusted: Mapping[str, Part], model: str) -> frozenset[str]:
    """The digests of a model's files in the metadata that is trusted (`trusted.Trusted.roles`)."""
    said = (one.get("custom") or {} for one in trusted["approvers"]["targets"].values())
    return frozenset(str(one.get("digest")) for one in said if one.get("model") == model)


def model_path(model: str, version: int) -> str:
    """The TUF target path of a model version's recipe."""
    return release_target(ComponentKind.MODEL, f"{model}.model", f"{version}.0.0")


def component_of(client: Client, name: str, version: str, path: str, digest: str) -> ComponentDetails:
    """The app whose recipe a proposal adds. Raises `approval.not_what_it_says` when it adds something else."""
    label = f"{name} {version}"
    if path != release_target(ComponentKind.APP, name, version):
        raise _wrong(label, f"it is {path} that would be signed")
    try:
        recipe = msgspec.json.decode(_blob(client, label, digest), type=dict[str, Any])
    except UNREADABLE as error:
        raise _wrong(label, "its recipe cannot be read") from error
    head = {key.lower(): value for key, value in recipe.items() if key.lower() in ("componentname", "componentversion")}
    if head != {"componentname": name, "componentversion": version}:
        raise _wrong(label, "its recipe is of another component")
    found = client.component(name, version)
    if found.recipe != recipe:
        raise _wrong(label, "the control plane shows another recipe than is to be signed")
    return found


def _check_recipe(
    label: str, data: bytes, component: tuple[str, str], statement: ApprovalStatement, approved: Collection[str]
) -> None:
    """A model's recipe names its files and nothing else: nothing that would run."""
    try:
        recipe: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
        (manifest,) = recipe["Manifests"]
        found = {one["URI"].rpartition("/")[2]: from_greengrass_digest(one["Digest"]) for one in manifest["Artifacts"]}
        packed = {one["Unarchive"] for one in manifest["Artifacts"]} != {"NONE"}
    except (ValueError, KeyError, TypeError, AttributeError, *UNREADABLE) as error:
        raise _wrong(label, "its recipe is none of a model") from error
    head = (recipe.get("RecipeFormatVersion"), recipe.get("ComponentName"), recipe.get("ComponentVersion"))
    if (
        recipe.keys() - _HEAD
        or manifest.keys() - {"Platform", "Artifacts"}
        or packed
        or found.keys() - _PREVIOUS - _BASELINE != _FILES
    ):
        raise _wrong(label, "its recipe has more than a model's files")
    if head != (RECIPE_FORMAT, *component):
        raise _wrong(label, "its recipe is of another component")
    if (found["model.onnx"], found["golden.zip"]) != (statement.digest, statement.golden):
        raise _wrong(label, "its recipe brings other files than the statement names")
    if found.keys() & _PREVIOUS and found.get("previous.onnx") not in approved:
        raise _wrong(label, "it brings an earlier model to compare with, which is not approved (any more)")


def _report(client: Client, label: str, statement: ApprovalStatement, name: str) -> TwinReport | None:
    if statement.twin_report is None:
        return None
    try:
        report = msgspec.json.decode(_blob(client, label, statement.twin_report), type=TwinReport)
    except UNREADABLE as error:
        raise _wrong(label, "its twin report cannot be read") from error
    tested = (report.model, report.digest, report.rollout, report.recipes.get(name))
    if tested != (label, statement.digest, statement.twin_rollout, statement.recipe):
        raise _wrong(label, "the twins tested something else")
    wrong = shortfalls(report)  # worked out here from its numbers: the control plane's word is not enough
    if wrong:
        raise _wrong(label, wrong[0])
    return report


def _code(client: Client, report: TwinReport | None, name: str) -> Component | None:
    wanted = report.recipes.get(name) if report is not None else None
    return next(
        (one for one in client.components(name=name) if one.recipe_digest == wanted and one.target is None),
        None,
    )


def _blob(client: Client, label: str, digest: str) -> bytes:
    data = client.get_blob(digest)
    if digest_of(data) != digest:
        raise _wrong(label, f"the bytes of {digest} are others")
    return data


def _wrong(label: str, why: str) -> LinesideError:
    return LinesideError("approval.not_what_it_says", subject=label, why=why)
