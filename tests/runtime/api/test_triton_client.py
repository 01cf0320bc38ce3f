"""Triton's own Python client, unmodified, against the local API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from lineside.contract.result import Result
from lineside.runtime.decode import Picture
from lineside.runtime.models.library import Library
from lineside.runtime.preprocess import Preprocessor
from tests.runtime.api.conftest import House, opened
from tests.runtime.conftest import BRIGHT, SIDE, encoded, squares

PNG = encoded(squares((8, 16)))


@pytest.fixture
def client(house: House) -> Iterator[InferenceServerClient]:
    made = InferenceServerClient(house.url)
    yield made
    made.close()


def picture_input(data: bytes = PNG) -> InferInput:
    given = InferInput("image", [1], "BYTES")
    given.set_data_from_numpy(np.array([data], dtype=np.object_))
    return given


def tensor_input(*, binary: bool = True) -> tuple[InferInput, np.ndarray]:
    filled, _ = Preprocessor(BRIGHT)(Picture.of(squares((8, 16))))
    tensor = np.array(filled)
    given = InferInput("images", list(tensor.shape), "FP32")
    given.set_data_from_numpy(tensor, binary_data=binary)
    return given, tensor


def test_health_and_metadata(client: InferenceServerClient, house: House) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("bright")
    assert client.is_model_ready("bright", "3")
    assert not client.is_model_ready("bright", "4")
    assert not client.is_model_ready("spare")
    assert client.get_server_metadata()["extensions"][0] == "binary_tensor_data"
    known = client.get_model_metadata("bright")
    assert known["versions"] == ["3"]
    assert {"name": "images", "datatype": "FP32", "shape": [1, 3, SIDE, SIDE]} in known["inputs"]
    assert {"name": "image", "datatype": "BYTES", "shape": [1]} in known["inputs"]
    assert client.get_model_config("bright")["input"][0]["data_type"] == "TYPE_FP32"
    house.models.unload("bright")
    assert not client.is_server_ready()


def test_a_picture_is_answered_with_what_the_model_finds(client: InferenceServerClient, house: House) -> None:
    """One JSON text for people and the same as tensors for programs, in pixels of the picture."""
    answer = client.infer("bright", [picture_input()])
    (found,) = house.models.slot("bright").model.detect(PNG)
    (told,) = json.loads(answer.as_numpy("detections")[0])
    assert told["class"] == "bright"
    assert told["confidence"] == found.confidence
    assert answer.as_numpy("detection_boxes").tolist() == [[8.0, 16.0, 8.0, 8.0]]
    assert answer.as_numpy("detection_labels").tolist() == [b"bright"]
    assert answer.as_numpy("detection_classes").tolist() == [0]
    assert answer.get_response()["model_version"] == "3"
    assert answer.get_response()["parameters"]["width"] == SIDE


def test_a_picture_without_anything_has_tensors_without_rows(client: InferenceServerClient) -> None:
    answer = client.infer("bright", [picture_input(encoded(squares()))])
    assert answer.as_numpy("detections").tolist() == [b"[]"]
    assert answer.as_numpy("detection_boxes").shape == (0, 4)


@pytest.mark.parametrize("binary_in", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("binary_out", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
def test_a_raw_tensor_is_answered_with_the_models_own_outputs(
    client: InferenceServerClient, house: House, binary_in: bool, binary_out: bool, packing: str | None
) -> None:
    """To the last bit, whichever way it travels."""
    given, tensor = tensor_input(binary=binary_in)
    answer = client.infer(
        "bright",
        [given],
        outputs=[InferRequestedOutput("output", binary_data=binary_out)],
        request_id="seven",
        model_version="3",
        request_compression_algorithm=packing,
        response_compression_algorithm=packing,
    )
    (expected,) = house.models.slot("bright").model.run(tensor)
    np.testing.assert_array_equal(answer.as_numpy("output"), expected)
    assert answer.get_response()["id"] == "seven"


def test_models_are_listed_loaded_and_unloaded(client: InferenceServerClient) -> None:
    def states() -> dict[str, str]:
        return {one["name"]: one["state"] for one in client.get_model_repository_index()}

    assert states() == {"bright": "READY", "spare": "UNAVAILABLE"}
    client.load_model("spare")
    assert states() == {"bright": "READY", "spare": "READY"}
    assert client.infer("spare", [picture_input()]).as_numpy("detection_boxes").shape == (1, 4)
    client.unload_model("spare")
    assert states() == {"bright": "READY", "spare": "UNAVAILABLE"}


def test_errors_are_worded_as_the_protocol_wants(client: InferenceServerClient, house: House) -> None:
    house.models.routed = frozenset({"bright"})
    wrong = InferInput("images", [1, 3, 8, 8], "FP32")
    wrong.set_data_from_numpy(np.zeros((1, 3, 8, 8), np.float32))
    stranger = InferInput("other", [1], "FP32")
    stranger.set_data_from_numpy(np.zeros(1, np.float32))
    for act, status, words in (
        (lambda: client.infer("nobody", [picture_input()]), "404", "unknown model: 'nobody'"),
        (lambda: client.infer("bright", [picture_input()], model_version="9"), "404", "version 9"),
        (lambda: client.infer("bright", [wrong]), "400", r"FP32 \[1, 3, 64, 64\]"),
        (lambda: client.infer("bright", [stranger]), "400", "unexpected inference input 'other'"),
        (
            lambda: client.infer("bright", [picture_input()], outputs=[InferRequestedOutput("output")]),
            "400",
            "unexpected inference output 'output'",
        ),
        (lambda: client.infer("bright", [picture_input(b"no picture")]), "400", "not a JPEG"),
        (lambda: client.infer("bright", [picture_input(PNG[: len(PNG) // 2])]), "422", "damaged"),
        (lambda: client.load_model("nobody"), "404", "no model of this device"),
        (lambda: client.load_model("spare", config="{}"), "400", "cannot be given"),
        (lambda: client.unload_model("bright"), "409", "cannot be unloaded"),
        (lambda: client.get_inference_statistics("bright"), "404", "there is no GET"),
    ):
        with pytest.raises(InferenceServerException, match=words) as caught:
            act()
        assert caught.value.status() == status


def test_many_clients_at_once_get_their_own_answers(house: House) -> None:
    def ask(column: int) -> list[list[float]]:
        with InferenceServerClient(house.url) as client:
            found = []
            for row in range(6):
                given = picture_input(encoded(squares((8 * column, 8 * row))))
                answer: InferResult = client.infer("bright", [given])
                found.append(answer.as_numpy("detection_boxes")[0, :2].tolist())
            return found

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))) == [[[8.0 * x, 8.0 * y] for y in range(6)] for x in range(6)]


def test_a_picture_is_decided_by_the_line_where_a_source_takes_requests(models: Library) -> None:
    """Its answer is the recorded result, with its number."""

    def ask(name: str, data: bytes) -> Result:
        assert (name, data) == ("bright", PNG)
        found = models.slot(name).model.detect(data)
        return Result(
            device="d", model=name, version=3, digest="", image="asked", captured_at="", sequence=41, width=SIDE,
            height=SIDE, latency_ms=1.5, detections=tuple(found),
        )  # fmt: skip

    house = opened(models, ask=ask)
    try:
        with InferenceServerClient(house.url) as client:
            answer = client.infer("bright", [picture_input()])
    finally:
        house.server.stop()
    assert answer.get_response()["parameters"]["sequence"] == 41
    assert answer.as_numpy("detection_boxes").shape == (1, 4)
