"""Whatever is asked, every call is answered once, by its model or by an error of AWS's model; the bus goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from awsiot.greengrasscoreipc import model as m
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.agent.bus import client as ours
from lineside.agent.bus.client import BusError, Client
from tests.agent.bus.harness import House

ERRORS = {name for name, one in vars(m).items() if isinstance(one, type) and issubclass(one, m.GreengrassCoreIPCError)}
KEYS = sorted(set(re.findall(r"payload\['(\w+)'\]", Path(m.__file__).read_text())))
TEXTS = st.sampled_from(["", "app", "nobody", "a/b", "a/#", "0", "1", "RUNNING", "accessControl", "\ud800", "x" * 2000])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=4),
    max_leaves=8,
)
REQUESTS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("fuzz") / "root").running() as found:
        yield found


def _operations(house: House) -> list[str]:
    return sorted(house.bus._server._protocol._operations)


@settings(max_examples=300)
@given(data=st.data())
def test_every_odd_request_is_answered(house: House, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(_operations(house)))
    request: Any = data.draw(REQUESTS)
    variables = house.environment()
    with Client(variables[ours.PATH_VARIABLE], variables["SVCUID"]) as client:
        error: BusError | None = None
        try:
            json.dumps(client.call(operation, request))
        except BusError as refused:
            error = refused
        assert error is None or error.name in ERRORS
        assert error is None or "failed:" not in error.message  # that would be a mistake of ours
        assert client.call("GetConfiguration", {"componentName": "other", "keyPath": ["other"]})["value"]


@pytest.mark.parametrize("odd", ["\ud800", float("nan"), float("inf")])
def test_what_json_does_not_have_is_refused_and_the_connection_goes_on(house: House, odd: Any) -> None:
    client = house.client()
    with pytest.raises(BusError, match="InvalidArgumentsError"):
        client.call("PublishToTopic", {"topic": "a", "publishMessage": {"jsonMessage": {"message": {"odd": odd}}}})
    assert client.call("GetConfiguration")["componentName"] == "app"
