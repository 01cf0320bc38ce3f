"""Tensors of the Open Inference Protocol v2: names of types, values in JSON, and the binary tensor extension."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineside.contract.reading import UNREADABLE
from lineside.runtime.api.server import Refused

BYTES = "BYTES"
TYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in TYPES.items()}
_OF_ENGINES = {"float": "FP32", "double": "FP64", "float16": "FP16", "bool": "BOOL"}
_MOST_ELEMENTS = 1 << 28
_MOST_STRINGS = 64
_SIZE_BYTES = 4

Value = NDArray[Any] | list[bytes]


class Tensor(NamedTuple):
    """A tensor; the value of BYTES is a list, of everything else an array of `shape`."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    value: Value

    @classmethod
    def of(cls, name: str, value: NDArray[Any]) -> Tensor:
        """An array; of a type that the protocol does not know, as FP32."""
        known = _NAMES.get(value.dtype)
        return cls(name, known or "FP32", value.shape, value if known else value.astype("<f4"))

    @classmethod
    def of_strings(cls, name: str, values: Sequence[bytes]) -> Tensor:
        return cls(name, BYTES, (len(values),), list(values))


def datatype_of(element: str) -> str:
    """The protocol's name for an element type of an engine: "float32", "uint8", "tensor(int64)"."""
    word = element.removeprefix("tensor(").removesuffix(")")
    word = _OF_ENGINES.get(word, word)
    if word in TYPES:
        return word
    return word.upper().replace("FLOAT", "FP")


def count_of(name: str, shape: Sequence[int]) -> int:
    """How many elements. Raises `Refused` for what is no shape."""
    if len(shape) > 8 or any(size < 0 for size in shape):
        raise Refused(400, f"input '{name[:80]}' has no shape that can be")
    count = math.prod(shape)
    if count > _MOST_ELEMENTS:
        raise Refused(400, f"input '{name[:80]}' has too many elements")
    return count


def from_binary(name: str, datatype: str, shape: tuple[int, ...], data: memoryview) -> Value:
    """What follows the JSON of a request. Raises `Refused` unless it is exactly what type and shape say."""
    count = count_of(name, shape)
    if datatype == BYTES:
        return _strings(name, count, data)
    expected = count * _type(name, datatype).itemsize
    if len(data) != expected:
        raise Refused(400, f"input '{name[:80]}' has {len(data)} bytes, and {expected} by its type and shape")
    return np.frombuffer(data, _type(name, datatype)).reshape(shape)


def from_json(name: str, datatype: str, shape: tuple[int, ...], data: bytes | msgspec.Raw) -> Value:
    """The `data` of an input: elements in row-major order, nested or flat."""
    count = count_of(name, shape)
    try:
        values = _flat(msgspec.json.decode(data))
        if len(values) != count:
            raise Refused(400, f"input '{name[:80]}' has {len(values)} elements, and {count} by its shape")
        if datatype == BYTES:
            return [text.encode() for text in msgspec.convert(values, list[str])]
        dtype = _type(name, datatype)
        kind: Any = {"b": list[bool], "f": list[float]}.get(dtype.kind, list[int])
        with np.errstate(over="ignore"):
            return np.array(msgspec.convert(values, kind), dtype).reshape(shape)
    except (*UNREADABLE, ValueError, OverflowError) as error:
        raise Refused(400, f"the data of input '{name[:80]}' cannot be read as {datatype[:20]}: {error}") from error


def to_binary(tensor: Tensor) -> bytes | memoryview:
    """An output's bytes behind the JSON of an answer."""
    if isinstance(tensor.value, list):
        return b"".join(len(one).to_bytes(_SIZE_BYTES, "little") + one for one in tensor.value)
    array = np.ascontiguousarray(tensor.value)
    return array.data.cast("B") if array.size else b""


def to_json(tensor: Tensor) -> list[Any]:
    """An output's `data`: flat, in row-major order."""
    if isinstance(tensor.value, list):
        return [one.decode("utf-8", "replace") for one in tensor.value]
    found: list[Any] = tensor.value.ravel().tolist()
    return found


def _type(name: str, datatype: str) -> np.dtype[Any]:
    if datatype not in TYPES:
        raise Refused(400, f"input '{name[:80]}' has the unknown datatype '{datatype[:20]}'")
    return TYPES[datatype]


def _strings(name: str, count: int, data: memoryview) -> list[bytes]:
    if count > _MOST_STRINGS:
        raise Refused(400, f"input '{name[:80]}' has at most {_MOST_STRINGS} elements")
    found, at = [], 0
    for _ in range(count):
        start = at + _SIZE_BYTES
        at = start + int.from_bytes(data[at:start], "little")
        if start > len(data) or at > len(data):
            raise Refused(400, f"input '{name[:80]}' ends before its last element does")
        found.append(bytes(data[start:at]))
    if at != len(data):
        raise Refused(400, f"input '{name[:80]}' has bytes behind its last element")
    return found


def _flat(values: Any) -> list[Any]:
    if not isinstance(values, list):
        raise ValueError("it is no array")
    found: list[Any] = values
    while found and all(isinstance(one, list) for one in found):
        found = list(chain.from_iterable(found))
    return found
