"""Offline bundles: everything a device needs in one signed file, as the agent reads it."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature
from tuf.api.metadata import Metadata, Root

from lineside.agent.local.bundle_file import BundleFile
from lineside.client import Client
from lineside.client.own_component import add_component
from lineside.contract.bundle import (
    SIGNATURES,
    BundleSignatures,
    artifact_path,
    metadata_path,
    signed_bytes,
    target_path,
)
from lineside.contract.deployment import (
    ComponentSpec,
    ConfigurationUpdate,
    DeploymentDocument,
    DeploymentPolicies,
    UpdatePolicy,
)
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.testing import Running, running, until
from lineside.server.testing_device import TestDevice

RECIPE = """
RecipeFormatVersion: "2020-01-25"
ComponentName: {name}
ComponentVersion: 1.0.0
ComponentDependencies: {needs}
Manifests:
  - Lifecycle: {{Run: "true"}}
    Artifacts: [{{URI: s3://BUCKET_NAME/main.py}}, {{URI: s3://BUCKET_NAME/{name}.py}}]
"""
MAIN = b"pass\n" * 400_000  # larger than one piece of a stream


@pytest.fixture
def lineside(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "root", soak_seconds=0.0) as up:
        yield up


@pytest.fixture
def client(lineside: Running, tmp_path: Path) -> Client:
    """A control plane with two components, one of which needs the other."""
    client = Client(lineside.people_url)
    for name, needs in (("base", "{}"), ("app", "{base: {VersionRequirement: ^1.0.0}}")):
        (tmp_path / "recipe.yaml").write_text(RECIPE.format(name=name, needs=needs))
        (tmp_path / "main.py").write_bytes(MAIN)
        (tmp_path / f"{name}.py").write_text(name)
        add_component(client, tmp_path / "recipe.yaml")
    return client


@pytest.fixture
def device(lineside: Running, client: Client) -> TestDevice:
    """A device of the group `line`, which should run `app`, what it needs, and a component of the agent's own."""
    device = TestDevice.join(lineside, "cell-1", group="line")
    components = {
        "app": ComponentSpec(component_version="1.0.0", configuration_update=ConfigurationUpdate(merge={"a": 1})),
        "aws.greengrass.Cli": ComponentSpec(component_version="2.15.0"),
    }
    policies = DeploymentPolicies(component_update_policy=UpdatePolicy(timeout_in_seconds=7))
    client.deploy(DeploymentDocument(group_name="line", components=components, deployment_policies=policies))

    def told() -> bool:
        for loop in lineside.apps.loops:
            loop.step()
        return bool(device.get("/desired").json()["revision"])

    until(told)
    return device


def test_a_bundle_for_a_device_holds_all_that_it_would_be_sent(client, device, tmp_path):
    file = client.bundle(tmp_path / "out" / "cell-1.zip", device="cell-1")
    bundle = BundleFile(file)
    content, document = bundle.document()
    bundle.check_complete(content)
    assert msgspec.json.encode(content.desired) == device.get("/desired").content
    assert [one.name for one in content.desired.components] == ["app", "aws.greengrass.Cli", "base"]
    assert (content.name, content.group) == ("cell-1-r1", None)
    assert sorted(one.name for one in content.artifacts) == ["app.py", "base.py", "main.py"]  # shared ones once
    with bundle.content(artifact_path(digest_of(MAIN)), 0) as (size, pieces):
        assert (size, b"".join(pieces)) == (len(MAIN), MAIN)
    for component in content.desired.components:
        if component.target.startswith("apps/"):
            recipe = bundle.small(target_path(component.target))
            assert recipe is not None
            assert digest_of(recipe) == component.recipe_digest
    assert bundle.small(metadata_path("timestamp.json")) == device.get("/tuf/timestamp.json").content
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        assert document == archive.read("bundle.json")
    assert {"tuf/1.root.json", "tuf/timestamp.json"} < set(names)
    assert len([name for name in names if name.startswith("tuf/")]) == 7
    bundle.close()


def test_it_is_signed_with_the_key_that_the_devices_root_gives_the_timestamp(client, device, tmp_path):
    with zipfile.ZipFile(client.bundle(tmp_path / "b.zip", device="cell-1")) as archive:
        document, signed = archive.read("bundle.json"), archive.read(SIGNATURES)
    root = Metadata[Root].from_bytes(device.joined.tuf_root.encode())
    (signature,) = msgspec.json.decode(signed, type=BundleSignatures).signatures
    assert signature.keyid in root.signed.roles["timestamp"].keyids
    key = root.signed.keys[signature.keyid]
    key.verify_signature(Signature(signature.keyid, signature.sig), signed_bytes(document))
    with pytest.raises(UnverifiedSignatureError):
        key.verify_signature(Signature(signature.keyid, signature.sig), signed_bytes(document + b" "))


def test_a_bundle_for_a_group_is_for_no_revision_and_carries_the_policies(client, device, tmp_path):
    with contextlib.closing(BundleFile(client.bundle(tmp_path / "b.zip", group="line"))) as bundle:
        content, _ = bundle.document()
    assert (content.group, content.desired.device, content.desired.revision) == ("line", "", 0)
    assert [one.name for one in content.desired.components] == ["app", "aws.greengrass.Cli", "base"]
    assert content.desired.update_policy.timeout_in_seconds == 7
    assert content.name == "line-deployment-1"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "request.invalid"),
        ("?device=cell-1&group=line", 400, "request.invalid"),
        ("?device=nobody", 404, "request.not_found"),
        ("?group=nobody", 409, "bundle.nothing"),
    ],
)
def test_what_cannot_be_carried_is_refused(lineside, query, status, code):
    answer = httpx.get(f"{lineside.people_url}/api/v1/bundles{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_device_that_should_run_nothing_gets_no_bundle_and_leaves_no_file(lineside, client, tmp_path):
    TestDevice.join(lineside, "cell-2", group="spare")
    with pytest.raises(LinesideError, match=r"bundle\.nothing"):
        client.bundle(tmp_path / "out" / "b.zip", device="cell-2")
    assert list((tmp_path / "out").iterdir()) == []
