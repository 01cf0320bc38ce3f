"""Over real ports: what a device downloads verifies with python-tuf's client, and people see and move rollouts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater

from lineside.contract.component import Component, ComponentPage
from lineside.contract.deployment import Deployment, DeploymentPage
from lineside.contract.desired import Desired
from lineside.contract.ids import digest_of
from lineside.contract.model import ModelState, RegisterModel
from lineside.contract.reported import ComponentState, Phase, ReportedComponent
from lineside.contract.rollout import Rollout, RolloutPage, RolloutState
from lineside.contract.trust import ApprovalStatement
from lineside.server.access.room import room as access
from lineside.server.clock import SystemClock
from lineside.server.components.room import room as components
from lineside.server.components.service import Components
from lineside.server.components.testing import model_version, release
from lineside.server.datasets.room import room as datasets
from lineside.server.deployments.room import room as deployments
from lineside.server.devices.room import room as devices
from lineside.server.loops.room import room as loops
from lineside.server.models.room import room as models
from lineside.server.rollouts.room import room as rollouts
from lineside.server.runs.room import room as runs
from lineside.server.testing import Running, running
from lineside.server.testing_device import TestDevice
from lineside.server.twins.testing import answer_twins

ROOMS = (access, devices, datasets, runs, models, components, deployments, rollouts, loops)


class DeviceFetcher(FetcherInterface):
    """Fetches as a device does, with its access token."""

    def __init__(self, device: TestDevice) -> None:
        self._device = device

    def _fetch(self, url: str) -> Iterator[bytes]:
        answer = self._device.get(url.removeprefix("http://server/device/v1"))
        if answer.status_code != 200:
            raise DownloadHTTPError(url, answer.status_code)
        return iter([answer.content])


@pytest.fixture
def lineside(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "root", SystemClock(), ROOMS) as up:
        yield up


@pytest.fixture
def released(lineside: Running) -> tuple[Component, Component]:
    """A released model and its code."""
    service = Components(lineside.core)
    with lineside.core.database.write() as session:
        model = model_version(lineside.core.objects, state=ModelState.APPROVED)
        service.stage(session, service.package(session, model))
        return release(service, session, model)


def tick(lineside: Running) -> None:
    for loop in lineside.apps.loops:
        loop.step()


def call(lineside: Running, method: str, path: str, **more) -> httpx.Response:
    return httpx.request(method, f"{lineside.people_url}/api/v1{path}", **more)


def deploy(lineside: Running, group: str = "line") -> Deployment:
    document = {
        "targetArn": f"arn:aws:iot:eu-central-1:1:thinggroup/{group}",
        "components": {
            "tags.model": {"componentVersion": "1.0.0"},
            "tags.inference": {"componentVersion": "0.1.0"},
        },
    }
    answer = call(lineside, "POST", "/deployments", json=document)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=Deployment)


def test_a_device_downloads_what_it_should_run_and_believes_it(lineside, released, tmp_path):
    device = TestDevice.join(lineside, "cam-1", group="line")
    deploy(lineside)
    tick(lineside)
    desired = msgspec.json.decode(device.get("/desired").content, type=Desired)
    (tmp_path / "metadata").mkdir()
    updater = Updater(
        str(tmp_path / "metadata"),
        "http://server/device/v1/tuf/",
        target_dir=str(tmp_path / "targets"),
        target_base_url="http://server/device/v1/targets/",
        fetcher=DeviceFetcher(device),
        bootstrap=device.joined.tuf_root.encode(),
    )
    for wanted in desired.components:
        target = updater.get_targetinfo(wanted.target)
        assert target is not None
        recipe = Path(updater.download_target(target)).read_bytes()
        assert digest_of(recipe) == wanted.recipe_digest
        assert msgspec.json.decode(recipe)["ComponentName"] == wanted.name
        assert device.get(f"/targets/{wanted.target}").content == recipe


def test_artifacts_come_whole_or_in_parts_to_those_who_should_run_them(lineside, released):
    device = TestDevice.join(lineside, "cam-1", group="line")
    digest = released[0].artifacts[0].digest
    refused = device.get(f"/artifacts/{digest}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "artifact.not_desired")
    assert httpx.get(f"{lineside.device_url}/device/v1/artifacts/{digest}").status_code == 401
    deploy(lineside)
    tick(lineside)
    whole = device.get(f"/artifacts/{digest}")
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    assert digest_of(whole.content) == digest
    part = device.get(f"/artifacts/{digest}", headers={"Range": "bytes=4-10"})
    assert (part.status_code, part.content) == (206, whole.content[4:11])
    assert part.headers["content-range"] == f"bytes 4-10/{len(whole.content)}"


@pytest.mark.parametrize("path", ["/tuf/root.json", "/tuf/..%2Fkeys", "/targets/models/x.json", "/targets/x"])
def test_what_is_not_there_is_not_found(lineside, path):
    device = TestDevice.join(lineside, "cam-1", group="line")
    assert device.get(path).status_code == 404


def test_people_deploy_watch_and_abort(lineside, released):
    device = TestDevice.join(lineside, "cam-1", group="line")
    made = deploy(lineside)
    assert deploy(lineside) == made
    tick(lineside)
    _report_healthy(device)
    tick(lineside)
    shown = msgspec.json.decode(call(lineside, "GET", f"/rollouts/{made.rollout}").content, type=Rollout)
    assert shown.state is RolloutState.SUCCEEDED
    listed = msgspec.json.decode(call(lineside, "GET", "/rollouts").content, type=RolloutPage)
    assert listed == RolloutPage(rollouts=(msgspec.structs.replace(shown, history=()),), total=1)
    assert msgspec.json.decode(call(lineside, "GET", "/deployments").content, type=DeploymentPage).deployments == (
        made,
    )
    assert msgspec.json.decode(call(lineside, "GET", f"/deployments/{made.id}").content, type=Deployment) == made
    aborted = call(lineside, "POST", f"/rollouts/{made.rollout}/abort")
    assert (aborted.status_code, aborted.json()["error"]["code"]) == (409, "state.illegal_move")
    listed = msgspec.json.decode(call(lineside, "GET", "/components").content, type=ComponentPage).components
    assert {one.name: one.target for one in listed} == {
        "tags.model": "models/tags.model-1.0.0.json",
        "tags.inference": "apps/tags.inference-0.1.0.json",
    }


def _report_healthy(device: TestDevice) -> None:
    desired = msgspec.json.decode(device.get("/desired").content, type=Desired)
    ran = tuple(
        ReportedComponent(
            name=one.name, version=one.version, recipe_digest=one.recipe_digest, state=ComponentState.RUNNING
        )
        for one in desired.components
    )
    device.report(revision=desired.revision, phase=Phase.HEALTHY, running=ran)


def test_a_model_goes_over_its_twin_and_a_persons_approval_to_being_signed(lineside):
    twin = TestDevice.join(lineside, "twin-1", twin=True)
    made = model_version(lineside.core.objects)
    body = RegisterModel(
        name=made.name,
        signature=made.signature,
        variants=made.variants,
        gates=(),
        lineage=made.lineage,
        golden=made.golden,
    )
    assert call(lineside, "POST", "/models", content=msgspec.json.encode(body)).status_code == 200
    for _ in range(4):  # installed, measured, rolled back, installed again
        tick(lineside)
        tick(lineside)
        _report_healthy(twin)
        answer_twins(lineside.core)
    tick(lineside)
    tick(lineside)
    assert call(lineside, "GET", "/models/tags/1").json()["state"] == "awaiting_approval"
    approved = call(lineside, "POST", "/models/tags/1/approve", json={"by": "ana"})
    assert (approved.status_code, approved.json()["state"]) == (200, "approved")
    signed = Components(lineside.core).repository.find("models/tags.model-1.0.0.json")
    assert signed is not None
    assert ApprovalStatement.from_custom(signed.custom).twin_rollout == "rollout-1"


def test_refusals_travel_with_their_codes(lineside):
    for document, status, code in [
        ({"components": {}}, 400, "deployment.no_group"),
        ({"components": {}, "groupName": "nowhere"}, 404, "deployment.unknown_group"),
        ({"components": 7}, 400, "request.invalid"),
    ]:
        answer = call(lineside, "POST", "/deployments", json=document)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert call(lineside, "GET", "/rollouts/rollout-1").status_code == 404
    assert call(lineside, "GET", "/deployments/x").status_code == 404
