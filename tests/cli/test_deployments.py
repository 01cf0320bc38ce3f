"""Deployment documents: from a file, or made from a model's name."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import msgspec
import pytest

from lineside.cli.deployments import read_document
from lineside.cli.options import ModelRef
from lineside.cli.release import release_document
from lineside.contract.bundle import Bundle
from lineside.contract.deployment import ComponentSpec, ResourceLimits, RunWith, UpdatePolicy
from lineside.contract.desired import Desired
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from tests.cli import values
from tests.cli.conftest import Command
from tests.cli.control_plane import CannedControlPlane

GREENGRASS = {
    "targetArn": "arn:aws:iot:eu-west-1:1:thinggroup/line-1",
    "components": {
        "metal-tags.model": {
            "componentVersion": "1.0.0",
            "configurationUpdate": {"merge": {"threads": 2}, "reset": ["/capture"]},
        }
    },
    "deploymentPolicies": {"failureHandlingPolicy": "DO_NOTHING"},
}
YAML = """
groupName: line-1
components:
  metal-tags.model: {componentVersion: 1.0.0}
"""


def test_a_greengrass_document_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    file.write_bytes(msgspec.json.encode(GREENGRASS))
    document = read_document(file)
    assert document.target_arn == GREENGRASS["targetArn"]
    assert document.components["metal-tags.model"].configuration_update.merge == {"threads": 2}
    assert document.deployment_policies.failure_handling_policy == "DO_NOTHING"


def test_yaml_will_do(tmp_path: Path, lineside: Command, plane: CannedControlPlane) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text(YAML)
    assert lineside("deployments", "create", str(file), "--json").status == 0
    assert plane.asked[-1].body["groupName"] == "line-1"
    assert plane.asked[-1].body["components"]["metal-tags.model"]["componentVersion"] == "1.0.0"


@pytest.mark.parametrize("text", ["components: [", "components: 3", "[]", "groupName: line-1"])
def test_what_is_no_document_is_refused_with_the_reason(tmp_path: Path, text: str) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text(text)
    with pytest.raises(LinesideError) as refusal:
        read_document(file)
    assert refusal.value.code == "cli.bad_document"


def test_a_model_comes_with_the_newest_inference_component_signed_for_devices() -> None:
    document = release_document(values.COMPONENTS, "line-1", ModelRef("metal-tags", 1), {"threads": 1})
    versions = {name: spec.component_version for name, spec in document.components.items()}
    assert versions == {"metal-tags.model": "1.0.0", "metal-tags.inference": "0.1.1"}
    assert document.components["metal-tags.inference"].configuration_update.merge == {"threads": 1}


def test_a_model_that_is_not_signed_cannot_be_deployed(lineside: Command) -> None:
    with pytest.raises(LinesideError, match="not signed"):
        release_document(values.COMPONENTS, "line-1", ModelRef("metal-tags", 2))
    done = lineside("deployments", "create", "--group", "line-1", "--model", "metal-tags:2")
    assert (done.status, done.err.splitlines()[1]) == (1, "Next: Approve it: lineside models approve metal-tags:2")


def test_a_model_is_deployed_by_name(lineside: Command, plane: CannedControlPlane) -> None:
    assert lineside("deployments", "create", "--group", "line-1", "--model", "metal-tags:1").status == 0
    assert plane.asked[-1].body["groupName"] == "line-1"


def bundled() -> bytes:
    desired = Desired(device="tag-station-1", revision=3, components=values.device("tag-station-1").wanted)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        content = Bundle(name="tag-station-1-r3", created_at=values.AT, desired=desired)
        archive.writestr(zipfile.ZipInfo("bundle.json"), msgspec.json.encode(content))
    return packed.getvalue()


def test_a_bundle_is_written_and_says_what_to_do_with_it(
    tmp_path: Path, lineside: Command, plane: CannedControlPlane
) -> None:
    plane.answers["GET /bundles"] = bundled()
    file = tmp_path / "stick" / "b.zip"
    done = lineside("deployments", "bundle", "tag-station-1", "-o", str(file))
    assert done.status == 0, done.err
    assert plane.asked[-1].query == {"device": "tag-station-1"}
    assert file.read_bytes() == bundled()
    assert "metal-tags.model 2.0.0" in done.out
    assert "lineside agent import b.zip" in done.out
    machine = lineside("deployments", "bundle", "--group", "demo-line", "-o", str(file), "--json")
    assert msgspec.json.decode(machine.out)["digest"] == digest_of(bundled())
    assert plane.asked[-1].query == {"group": "demo-line"}


def test_a_bundle_is_for_a_device_or_a_group_and_needs_a_place(tmp_path: Path, lineside: Command) -> None:
    file = str(tmp_path / "b.zip")
    assert lineside("deployments", "bundle", "-o", file).status == 2
    assert lineside("deployments", "bundle", "a", "--group", "b", "-o", file).status == 2
    (tmp_path / "plain").write_text("")
    refused = lineside("deployments", "bundle", "a", "-o", str(tmp_path / "plain" / "b.zip"))
    assert refused.status == 1
    assert "cannot be written" in refused.err


def test_a_deployment_shows_its_policies_and_who_its_components_run_as(
    lineside: Command, plane: CannedControlPlane
) -> None:
    limits = ResourceLimits(memory=65536, cpus=1.5)
    spec = ComponentSpec(component_version="1.0.0", run_with=RunWith(posix_user="ann", system_resource_limits=limits))
    plane.answers["GET /deployments/dep-1"] = msgspec.structs.replace(
        values.DEPLOYMENT, components={"app": spec}, update_policy=UpdatePolicy(timeout_in_seconds=120)
    )
    shown = lineside("deployments", "show", "dep-1").out
    assert "app as ann, 64 MiB memory, 1.5 CPUs" in shown
    assert "may put it off for 120 s" in shown
    assert "30 s" in shown
