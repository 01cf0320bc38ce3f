"""Requests made from the OpenAPI documents, valid and not, sent as every kind of caller: never a 5xx, and no answer
that the documents do not describe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lineside.contract.people import PERMISSIONS, Role
from lineside.server.app import devices_described
from lineside.server.testing import FakeClock
from lineside.server.testing_device import TestDevice, make_token
from tests.eventually import PATIENCE
from tests.server.access.people import House, house

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 6
"""Requests an operation and caller; each caller is sent the same ones, but for those who are refused at the door: it
does not look at what they bring (`test_every_route` knows whom it lets in), and they are sent the first one only."""
REFUSED = {"auth.login_needed", "auth.credential_refused", "auth.forbidden"}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A control plane with every room and real accounts."""
    with house(tmp_path_factory.mktemp("plant"), FakeClock(), full=True) as opened:
        yield opened


def failures(document: dict[str, Any], url: str, callers: dict[str, dict[str, str]]) -> dict[str, str]:
    """What is wrong with which operation, for whom; the first of each."""
    document = {name: part for name, part in document.items() if name != "security"}  # the callers say who they are
    operations = [result.ok() for result in schemathesis.openapi.from_dict(document).get_all_operations()]
    operations.sort(key=lambda operation: "logout" in operation.label)  # the last, for then they are strangers
    wrong = {operation.label: _wrong(operation, url, callers) for operation in operations}
    return {label: found[0] for label, found in wrong.items() if found}


def _wrong(operation: schemathesis.APIOperation, url: str, callers: dict[str, dict[str, str]]) -> list[str]:
    found: list[str] = []
    welcome = dict(callers)
    cases = operation.as_strategy(GenerationMode.POSITIVE) | operation.as_strategy(GenerationMode.NEGATIVE)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def ask(case: schemathesis.Case) -> None:
        for name, headers in tuple(welcome.items()):
            try:
                answer = case.call_and_validate(base_url=url, headers=headers, checks=CHECKS, timeout=PATIENCE)
            except (Failure, FailureGroup) as error:
                words = error.exceptions if isinstance(error, FailureGroup) else (error,)
                found.append(f"as {name}: {' / '.join(str(one) for one in words)}")
            else:
                if answer.status_code in (401, 403) and answer.json()["error"]["code"] in REFUSED:
                    del welcome[name]

    ask()
    return found


def test_people_api_as_every_role(plant: House) -> None:
    def holder(role: Role) -> dict[str, str]:
        plant.person(role.value, role)
        return {"Authorization": f"Bearer {plant.token(role.value, *PERMISSIONS[role])}"}

    callers = {role.value: holder(role) for role in Role}
    callers |= {"nobody": {}, "worker": {"Authorization": "Bearer worker"}, "local": {"Authorization": "Bearer local"}}
    document = plant.up.apps.people.openapi_schema.to_schema()
    assert not failures(document, plant.up.people_url, callers)


def test_devices_api_as_every_state(plant: House) -> None:
    callers: dict[str, dict[str, str]] = {"nobody": {}, "a person": {"Authorization": "Bearer local"}}
    for name in ("accepted", "quarantined", "revoked"):
        token = make_token(plant.up, headers={"Authorization": "Bearer local"})
        device = TestDevice.join(plant.up, name, token=token)
        callers[name] = {"Authorization": f"Bearer {device.token()}"}
    for name, verb in (("quarantined", "quarantine"), ("revoked", "revoke")):
        plant.local().post(f"/api/v1/devices/{name}/{verb}", json={"why": "a test"}).raise_for_status()
    document = devices_described(plant.up.core).openapi_schema.to_schema()
    assert not failures(document, plant.up.device_url, callers)
