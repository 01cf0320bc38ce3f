"""Inference requests and answers: JSON, behind which the bytes of tensors may follow; packed with gzip or deflate."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from lineside.contract.reading import UNREADABLE
from lineside.runtime.api.server import Refused, Request, Response
from lineside.runtime.api.tensors import Tensor, from_binary, from_json, to_binary, to_json

HEADER_LENGTH = "inference-header-content-length"
MAX_JSON = 8 << 20
"""Bytes of JSON in a request: numbers as text take many times their size once they are read."""

_PACKED_FROM = 1024  # bytes of an answer
_PIECE = 1 << 20
_WINDOW = {"gzip": 31, "deflate": 15}
_NEVER = re.compile(r"q=0(\.0*)?")


class _Input(msgspec.Struct):
    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: dict[str, Any] = {}
    data: msgspec.Raw = msgspec.Raw()


class _Output(msgspec.Struct):
    name: str
    parameters: dict[str, Any] = {}


class _Body(msgspec.Struct):
    inputs: tuple[_Input, ...]
    outputs: tuple[_Output, ...] = ()
    id: str = ""
    parameters: dict[str, Any] = {}


class Inference(NamedTuple):
    """An inference request; `outputs` are names and whether each is wanted as binary, empty for all."""

    id: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[tuple[str, bool], ...]
    binary: bool  # what outputs are that nothing else is said of
    parameters: Mapping[str, Any]


_decoder = msgspec.json.Decoder(_Body)


def unpacked(request: Request, limit: int) -> bytes:
    """The body, at most `limit` bytes of it. Raises `Refused`."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return request.body
    if encoding not in _WINDOW:
        raise Refused(415, f"the content-encoding '{encoding[:40]}' is not known: gzip and deflate are")
    unpacker = zlib.decompressobj(_WINDOW[encoding])
    pieces, size, rest = [], 0, request.body
    try:
        while rest and not unpacker.eof:
            pieces.append(unpacker.decompress(rest, min(_PIECE, limit + 1)))
            rest, size = unpacker.unconsumed_tail, size + len(pieces[-1])
            request.hold(len(pieces[-1]))
            if size > limit:
                raise Refused(413, f"a request has at most {limit} bytes once it is unpacked")
    except zlib.error as error:
        raise Refused(400, f"the body is no {encoding}: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        raise Refused(400, f"the body is not one whole {encoding} stream")
    return b"".join(pieces)


def read(request: Request, limit: int) -> Inference:
    """A request's tensors. Raises `Refused` for all that is not exactly one."""
    body = unpacked(request, limit)
    length = _json_length(request.headers.get(HEADER_LENGTH), len(body))
    if length > MAX_JSON:
        raise Refused(413, f"JSON has at most {MAX_JSON} bytes: send tensors as binary data")
    try:
        asked = _decoder.decode(body[:length])
    except UNREADABLE as error:
        raise Refused(400, f"failed to parse the request JSON: {error}") from error
    inputs, at = [], length
    behind = memoryview(body)
    for one in asked.inputs:
        size = _binary_size(one)
        if size is None:
            if not one.data:
                raise Refused(400, f"input '{one.name[:80]}' has no data")
            value = from_json(one.name, one.datatype, one.shape, one.data)
        else:
            if one.data or size > len(body) - at:
                raise Refused(400, f"input '{one.name[:80]}' says it has {size} binary bytes, and has not")
            value = from_binary(one.name, one.datatype, one.shape, behind[at : at + size])
            at += size
        inputs.append(Tensor(one.name, one.datatype, one.shape, value))
    if at != len(body):
        raise Refused(400, f"{len(body) - at} bytes follow the last input")
    binary = asked.parameters.get("binary_data_output") is True
    outputs = tuple((one.name, _wanted_binary(one, binary)) for one in asked.outputs)
    return Inference(asked.id, tuple(inputs), outputs, binary, asked.parameters)


def written(
    request: Request, asked: Inference, model: str, version: str, outputs: Sequence[Tensor], facts: Mapping[str, Any]
) -> Response:
    """An answer with the outputs that were asked for, `facts` as its parameters."""
    known = {one.name: one for one in outputs}
    wanted = asked.outputs or tuple((one.name, asked.binary) for one in outputs)
    described, pieces = [], []
    for name, binary in wanted:
        tensor = known[name]
        shown: dict[str, Any] = {"name": name, "datatype": tensor.datatype, "shape": tensor.shape}
        if binary:
            pieces.append(to_binary(tensor))
            shown["parameters"] = {"binary_data_size": len(pieces[-1])}
        else:
            shown["data"] = to_json(tensor)
        described.append(shown)
    head = {"model_name": model, "model_version": version} | ({"id": asked.id} if asked.id else {})
    text = msgspec.json.encode(head | {"parameters": facts, "outputs": described})
    headers = {"content-type": "application/octet-stream" if pieces else "application/json"}
    if pieces:
        headers[HEADER_LENGTH] = str(len(text))
    return packed(request, Response(200, (text, *pieces), headers))


def packed(request: Request, response: Response) -> Response:
    """The same answer, packed if the caller takes that and it is worth it."""
    encoding = _accepted(request.headers.get("accept-encoding", ""))
    if encoding is None or sum(len(piece) for piece in response.body) < _PACKED_FROM:
        return response
    packer = zlib.compressobj(1, zlib.DEFLATED, _WINDOW[encoding])
    body = b"".join([*(packer.compress(piece) for piece in response.body), packer.flush()])
    return Response(response.status, (body,), {**response.headers, "content-encoding": encoding})


def _accepted(header: str) -> str | None:
    for part in header.lower().split(","):
        name, _, weight = (word.strip() for word in part.partition(";"))
        if name in _WINDOW and not _NEVER.fullmatch(weight):
            return name
    return None


def _json_length(header: str | None, size: int) -> int:
    if header is None:
        return size
    if not (header.isascii() and header.isdigit() and len(header) < 12) or int(header) > size:
        raise Refused(400, f"the header {HEADER_LENGTH} says {header[:20]}, and the body has {size} bytes")
    return int(header)


def _binary_size(one: _Input) -> int | None:
    if any(key.startswith("shared_memory") for key in one.parameters):
        raise Refused(400, "shared memory is not supported: send the data of tensors")
    size = one.parameters.get("binary_data_size")
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise Refused(400, f"input '{one.name[:80]}' has no size that can be")
    return size


def _wanted_binary(one: _Output, default: bool) -> bool:
    if "classification" in one.parameters or "shared_memory_region" in one.parameters:
        raise Refused(400, "outputs are given as data: neither classification nor shared memory is supported")
    wanted = one.parameters.get("binary_data", default)
    return wanted is True
