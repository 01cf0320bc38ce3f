"""Starting weights from a file: an ONNX model with its batch norms folded away, or a torch state dictionary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from lineside.contract.errors import LinesideError
from lineside.pipeline.trainers import checkpoint

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"  # how files by torch.save begin


class Folded(NamedTuple):
    """A convolution as a file has it, the batch norm after it folded in."""

    node: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None


class Convolution(NamedTuple):
    """A convolution of the network and the batch norm after it, if any."""

    name: str
    conv: nn.Conv2d
    norm: nn.BatchNorm2d | None


def initialize(net: nn.Module, file: Path, pictures: Tensor, predictors: tuple[str, ...]) -> str:
    """Give `net` the weights of `file`; a sentence that names every tensor it kept its own of.

    `pictures` [B, 3, H, W] are training pictures, to measure what batch norms do. Tensors whose names begin with one of
    `predictors` may differ in shape. Errors: training.init_unreadable, training.init_mismatch.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        raise LinesideError("training.init_unreadable", file=file.name, why=error.strerror) from error
    if head == _ZIP or head[:1] == _PICKLE:
        return _from_state(net, file, predictors)
    return _from_onnx(net, file, pictures, predictors)


def _from_onnx(net: nn.Module, file: Path, pictures: Tensor, predictors: tuple[str, ...]) -> str:
    own = list(dict.fromkeys(_in_execution_order(net, pictures[:1])))
    kept: list[str] = []
    taken: list[tuple[Convolution, Folded]] = []
    for mine, theirs in zip(own, _matching(file, own), strict=True):
        if tuple(mine.conv.weight.shape) == theirs.weight.shape:
            taken.append((mine, theirs))
        elif mine.name.startswith(predictors):
            kept += [f"{mine.name}.{name}" for name, _ in mine.conv.named_parameters()]
        else:
            shapes = f"{list(theirs.weight.shape)} there, {list(mine.conv.weight.shape)} here"
            raise _mismatch(file, f"the convolution {mine.name} is {shapes}")
    for mine, theirs in taken:
        _take(mine, theirs)
    measured = _measure_norms(net, taken, pictures)
    summary = _summary(len(taken), len(own), "convolutions", kept)
    return f"{summary}; {measured} batch norms measured on {len(pictures)} pictures"


def _matching(file: Path, own: Sequence[Convolution]) -> list[Folded]:
    """The file's convolutions in the order of ours: by name in a file of our own export, whose nodes were reordered,
    else as they come, which is how a network is run."""
    folded = _folded(file)
    by_module = {module_of(one.node): one for one in folded}
    if all(mine.name in by_module for mine in own):
        return [by_module[mine.name] for mine in own]
    if len(folded) != len(own):
        raise _mismatch(file, f"it has {len(folded)} convolutions, the network {len(own)}")
    return folded


def module_of(node: str) -> str:
    """The module an exported convolution comes from, or "": torch names the node of `net.a.0.b` `/net/a/a.0/b/Conv`,
    and numbers those of a module that runs again."""
    first, *middle, last = node.strip("/").split("/") if node.count("/") > 2 else ("", "")
    if first != "net" or last != "Conv":
        return ""
    return ".".join(part.removeprefix(f"{before}.") for before, part in pairwise(["", *middle]))


def _folded(file: Path) -> list[Folded]:
    try:
        graph = onnx.load(file).graph
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    except (DecodeError, OSError, ValueError, TypeError) as error:
        raise LinesideError(
            "training.init_unreadable", file=file.name, why=str(error) or "it is no ONNX file"
        ) from error
    found = []
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        tensors = [constants[name] for name in node.input[1:] if name in constants]
        if len(tensors) < len(node.input) - 1 or any(tensor.dtype != np.float32 for tensor in tensors):
            raise _mismatch(file, f"the weights of {node.name} are no float32 constants (is it an INT8 file?)")
        found.append(Folded(node.name, tensors[0], tensors[1] if len(tensors) > 1 else None))
    return found


def _in_execution_order(net: nn.Module, picture: Tensor) -> list[Convolution]:
    """The network's convolutions as one forward pass meets them, each with the batch norm that follows; one that is run
    several times is met several times."""
    names = {module: name for name, module in net.named_modules()}
    met: list[nn.Module] = []
    watched = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)]
    handles = [module.register_forward_pre_hook(lambda module, _: met.append(module)) for module in watched]
    training = net.training
    with torch.no_grad():
        net.eval()(picture)
    net.train(training)
    for handle in handles:
        handle.remove()
    found = []
    for module, following in zip(met, [*met[1:], None], strict=True):
        if isinstance(module, nn.Conv2d):
            norm = following if isinstance(following, nn.BatchNorm2d) else None
            found.append(Convolution(names[module], module, norm))
    return found


@torch.no_grad()
def _take(mine: Convolution, theirs: Folded) -> None:
    """Weights as they are; the batch norm passes everything on for now, plus the folded bias."""
    mine.conv.weight.copy_(torch.from_numpy(theirs.weight.copy()))
    bias = torch.zeros(len(theirs.weight)) if theirs.bias is None else torch.from_numpy(theirs.bias.copy())
    if mine.norm is not None:
        mine.norm.bias.copy_(bias)
    elif mine.conv.bias is not None:
        mine.conv.bias.copy_(bias)


def _measure_norms(net: nn.Module, taken: Sequence[tuple[Convolution, Folded]], pictures: Tensor) -> int:
    """Recover batch norms: mean and variance from one pass, then scale and bias so that together they only add the
    folded bias. The network then equals the file, and has statistics to train from."""
    norms = [mine.norm for mine, _ in taken if mine.norm is not None]
    training = net.training
    with torch.no_grad(), _measuring(norms):
        net.eval()(pictures)
    net.train(training)
    return len(norms)


@contextmanager
def _measuring(norms: Sequence[nn.BatchNorm2d]) -> Iterator[None]:
    measured: set[nn.BatchNorm2d] = set()  # a norm may be run several times; its first time is enough

    def measure(norm: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        if norm in measured:
            return
        measured.add(norm)
        variance, mean = torch.var_mean(inputs[0], (0, 2, 3), correction=0)
        running_mean, running_variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
        running_mean.copy_(mean)
        running_variance.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean)

    handles = [norm.register_forward_pre_hook(measure) for norm in norms]
    yield
    for handle in handles:
        handle.remove()


def _from_state(net: nn.Module, file: Path, predictors: tuple[str, ...]) -> str:
    try:
        content = checkpoint.load(file)
    except checkpoint.UNREADABLE as error:
        raise LinesideError("training.init_unreadable", file=file.name, why=str(error).splitlines()[0]) from error
    inner = next(
        (content[key] for key in ("net", "model", "state_dict") if isinstance(content.get(key), dict)), content
    )
    own = net.state_dict()
    fitting = {
        name: value for name, value in inner.items() if isinstance(value, Tensor) and _fits(own.get(name), value)
    }
    kept = [name for name in own if name not in fitting]
    wrong = [name for name in kept if not name.startswith(predictors)]
    if wrong:
        raise _mismatch(file, f"it has no fitting {', '.join(wrong[:5])}" + (" and more" if len(wrong) > 5 else ""))
    net.load_state_dict({**own, **fitting})
    return _summary(len(fitting), len(own), "tensors", kept)


def _fits(mine: Tensor | None, theirs: Tensor) -> bool:
    return mine is not None and mine.shape == theirs.shape


def _summary(taken: int, total: int, what: str, kept: Sequence[str]) -> str:
    rest = f"new: {', '.join(kept)}" if kept else "none is new"
    return f"{taken} of {total} {what} are from the starting weights; {rest}"


def _mismatch(file: Path, why: str) -> LinesideError:
    return LinesideError("training.init_mismatch", file=file.name, why=why)
