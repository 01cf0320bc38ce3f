"""Targets that are documents: recipe, desired document, report, result, deployment, selector, bundle document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from tests.agent.components import artifact, recipe

from benchmarks.fuzz.target import Target, Undocumented, expect
from lineside.agent.link.error import LinkError
from lineside.agent.link.https import decode
from lineside.agent.updating.installed import EMPTY
from lineside.agent.updating.plan import Current, plan
from lineside.cli.deployments import read_document
from lineside.contract.bundle import Bundle, BundleArtifact, read_bundle
from lineside.contract.deployment import ConfigurationUpdate, DeploymentDocument
from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.check import check
from lineside.contract.recipes.reader import read_recipe
from lineside.contract.result import Detection, Result
from lineside.contract.selector import parse
from lineside.server.deployments.model import check_policies, content_of, group_of
from lineside.server.deployments.planning import plan_of
from lineside.server.telemetry.model import read as read_result

DIGEST = "sha256:" + "ab" * 32
_PLATFORM = {"os": "linux", "architecture": "amd64"}
_YAML = b"""\
RecipeFormatVersion: '2020-01-25'
ComponentName: com.example.app
ComponentVersion: 1.2.3
ComponentDependencies: {aws.greengrass.TokenExchangeService: {VersionRequirement: '>=1.0.0 <2.0.0'}}
ComponentConfiguration:
  DefaultConfiguration: &default
    rate: 5
    accessControl: {aws.greengrass.ipc.pubsub: {'a:1': {operations: ['*'], resources: ['x/#']}}}
Manifests:
  - Platform: {os: linux, architecture: /amd64|arm/}
    Lifecycle:
      Setenv: {RATE: '{configuration:/rate}'}
      Install: {Script: 'true', Timeout: 30, RequiresPrivilege: false, Skipif: onpath true}
      Run: |
        echo {configuration:/rate}
"""
_PLAN = {
    "waves": [{"count": 1, "name": "canary"}, {"percent": 10}, {"percent": 100}],
    "rate": {"perMinute": 100, "factor": 2, "every": 50, "of": "succeeded", "most": 1000},
    "startAt": "2026-12-01T20:00:00Z",
    "windows": [{"start": "22:00", "end": "04:00", "days": ["mon", "tue"]}],
    "timeZone": "Europe/Berlin",
    "gates": [{"kind": "failed", "limit": 0.05, "minReported": 20, "wave": 1}, {"kind": "latency_p95", "limit": 80}],
    "offline": {"action": "proceed", "percent": 60},
    "soakSeconds": 600,
    "deadlineSeconds": 86400,
}
_JOB = {
    "jobExecutionsRolloutConfig": {
        "exponentialRate": {
            "baseRatePerMinute": 10,
            "incrementFactor": 1.5,
            "rateIncreaseCriteria": {"numberOfNotifiedThings": 100},
        },
        "maximumPerMinute": 500,
    },
    "abortConfig": {
        "criteriaList": [
            {"action": "CANCEL", "failureType": "ALL", "minNumberOfExecutedThings": 20, "thresholdPercentage": 5}
        ]
    },
    "timeoutConfig": {"inProgressTimeoutInMinutes": 30},
}


def _lifecycle() -> dict[str, Any]:
    files = [artifact("app.zip", DIGEST, Unarchive="ZIP", Permission={"Read": "OWNER", "Execute": "NONE"})]
    run = {"Script": "exec app", "Setenv": {"A": "{configuration:/a}"}, "Timeout": 5}
    return recipe(artifacts=files, configuration={"a": {"b": [1]}}, dependencies={"other": "^1.0.0"}, Run=run)


def _recipe(data: bytes) -> None:
    findings = check(data)
    codes = {finding.code for finding in findings}
    if not all(code.startswith("recipe.") for code in codes):
        raise Undocumented(f"the check finds {codes}")
    for local in (False, True):
        try:
            read_recipe(data, _PLATFORM, local=local)
        except LinesideError as error:
            expect(error, "recipe.")


def _desired(data: bytes) -> None:
    try:
        document = decode(data, Desired, "desired")
        plan(Current(good=EMPTY, previous=EMPTY), document)
        msgspec.json.encode(document)
    except LinkError as error:
        expect(error, "link.answer")
    except LinesideError as error:
        expect(error, "recipe.", "plan.")


def _result(data: bytes) -> None:
    try:
        msgspec.json.encode(read_result("cell-1", data))
    except LinesideError as error:
        expect(error, "result.invalid")


class _Deployment:
    """A document on the command line, then what the control plane does with it before it looks anything up."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "deployment.json"

    def read(self, data: bytes) -> None:
        self._file.write_bytes(data)
        try:
            document = read_document(self._file)
            msgspec.json.decode(msgspec.json.encode(document), type=DeploymentDocument)
            check_policies(document)
            content_of(group_of(document), document.components, document, plan_of(document))
        except LinesideError as error:
            expect(error, "cli.bad_document", "deployment.", "rollout.plan_invalid")


def _selector(data: bytes) -> None:
    try:
        selector = parse(data.decode(errors="replace"))
        selector.matches({"site": "berlin", "memory_mb": "8192"})
        if parse(str(selector)) != selector:
            raise Undocumented(f"{selector} is read to something else")
    except LinesideError as error:
        expect(error, "selector.invalid")


def _bundle(data: bytes) -> None:
    try:
        read_bundle(data)
    except LinesideError as error:
        expect(error, "bundle.invalid")


def example_desired() -> Desired:
    """A document of two components."""
    change = ConfigurationUpdate(merge={"a": {"b": 1}}, reset=("/a/c",))
    components = (
        DesiredComponent(name="app", version="1.0.0", target="apps/app-1.0.0.json", recipe_digest=DIGEST),
        DesiredComponent(
            name="model.tags",
            version="3.0.0",
            target="models/model.tags-3.0.0.json",
            recipe_digest=DIGEST,
            configuration_update=change,
        ),
    )
    return Desired(device="cell-1", revision=7, components=components, deployment="d1")


def example_bundle() -> Bundle:
    """A bundle for one device."""
    files = (BundleArtifact(name="app.zip", digest=DIGEST, size=4),)
    return Bundle(name="cell-1-7", created_at="2026-01-01T00:00:00Z", desired=example_desired(), artifacts=files)


def _example_result() -> Result:
    found = Detection(label="tag", class_index=0, confidence=0.5, x=1.0, y=2.0, width=3.0, height=4.0)
    return Result(
        device="cell-1",
        model="tags",
        version=3,
        digest=DIGEST,
        image="a.jpg",
        captured_at="2026-01-01T00:00:00Z",
        sequence=1,
        width=10,
        height=10,
        latency_ms=1.5,
        detections=(found,),
    )


def targets(folder: Path) -> list[Target]:
    """`folder`: for their temporary files."""
    deployment = {
        "targetArn": "arn:aws:iot:eu-central-1:1:thinggroup/line-1",
        "components": {
            "app": {
                "componentVersion": "1.0.0",
                "configurationUpdate": {"merge": {"a": 1}, "reset": ["/b"]},
                "runWith": {"posixUser": "u:g", "systemResourceLimits": {"memory": 1024, "cpus": 0.5}},
            }
        },
        "deploymentPolicies": {"failureHandlingPolicy": "ROLLBACK"},
    }
    return [
        Target("recipe", [json.dumps(_lifecycle()).encode(), json.dumps(recipe()).encode(), _YAML], _recipe),
        Target("desired", [msgspec.json.encode(example_desired())], _desired),
        Target("result", [msgspec.json.encode(_example_result())], _result),
        Target(
            "deployment",
            [
                json.dumps(deployment).encode(),
                json.dumps(deployment | {"rollout": _PLAN}).encode(),
                json.dumps(deployment | {"iotJobConfiguration": _JOB}).encode(),
                b"groupName: line-1\ncomponents:\n  app: {componentVersion: 1.0.0}\n",
            ],
            _Deployment(folder).read,
        ),
        Target("selector", [b'site=berlin, line in (3, 4), !spare, memory_mb>=4000, name!="a b"'], _selector),
        Target("bundle-document", [msgspec.json.encode(example_bundle())], _bundle),
    ]
