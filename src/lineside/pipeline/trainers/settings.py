"""The parameters that the built-in trainers have, with their defaults and ranges."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from lineside.contract.errors import LinesideError
from lineside.pipeline.trainers.base import complete

STRIDES = (8, 16, 32)
BACKBONE = "backbone"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How to train. Rates are per step of one batch; probabilities and shares are 0..1."""

    input_width: int = 320  # pixels, a multiple of 32
    input_height: int = 320  # pixels, a multiple of 32
    epochs: int = 12
    minutes: float = 0.0  # over 0: as many epochs as fit into that time, in place of `epochs`
    patience: int = 0  # epochs without a better score on val after which training ends; 0: never early
    device: str = "auto"  # cpu, cuda, or auto: cuda where there is one
    freeze: str = ""  # "backbone": those weights stay as they are in the starting weights
    batch: int = 8
    learning_rate: float = 0.001
    weight_decay: float = 0.0005
    warmup_epochs: float = 1.0  # of linearly rising learning rate
    ema_decay: float = 0.99  # of the averaged weights, which are what is kept
    settle_epochs: int = 2  # the last ones: no mosaic, batch norms as on a device, boxes learnt by their sides too
    mosaic: float = 0.0  # probability that four pictures are put together
    scale: float = 0.2  # pictures are shown at 1 - scale .. 1 + scale of their size
    stretch: float = 0.0  # by how much wider or narrower than they are, as a logarithm
    turn: bool = False  # half of them with rows and columns exchanged
    paste: float = 0.0  # probability that objects of other pictures are put into one
    colour: float = 0.3  # share by which brightness, contrast and tint vary
    flip_horizontal: bool = True
    flip_vertical: bool = True


class DetectorSettings(Settings, frozen=True, kw_only=True):
    """Pictures varied as much as can be: few things are known to matter as much (docs/trainers.md)."""

    scale: float = 0.3
    stretch: float = 0.3
    turn: bool = True
    paste: float = 0.5


S = TypeVar("S", bound=Settings)

_AT_LEAST = {"epochs": 1, "batch": 1, "settle_epochs": 0, "input_width": 64, "input_height": 64, "patience": 0}
_POSITIVE = ("learning_rate",)
_NOT_NEGATIVE = ("weight_decay", "warmup_epochs", "minutes")
_SHARES = ("ema_decay", "mosaic", "scale", "stretch", "paste", "colour")
_CHOICES = {"device": ("auto", "cpu", "cuda"), "freeze": ("", BACKBONE)}


def settings_of(kind: type[S], parameters: dict[str, Any]) -> S:
    """Parameters as a value; errors: training.parameter_unknown, training.parameter_invalid."""
    settings = msgspec.convert(complete(msgspec.to_builtins(kind()), parameters), kind)
    for name, why in _wrong(settings):
        raise invalid(name, getattr(settings, name), why)
    return settings


def sized(kind: type[S], parameters: dict[str, Any], sizes: Iterable[str]) -> S:
    """`settings_of` a network that comes in some sizes."""
    settings = settings_of(kind, parameters)
    chosen("size", msgspec.to_builtins(settings)["size"], tuple(sizes))
    return settings


def chosen(name: str, value: str, choices: tuple[str, ...]) -> str:
    """The value if it is one of the choices; error: training.parameter_invalid."""
    if value not in choices:
        raise invalid(name, value or '""', f"it must be one of {', '.join(filter(None, choices))}")
    return value


def invalid(name: str, value: object, why: str) -> LinesideError:
    """The error `training.parameter_invalid`."""
    return LinesideError("training.parameter_invalid", name=name, value=value, why=why)


def _wrong(settings: Settings) -> list[tuple[str, str]]:
    for name, choices in _CHOICES.items():
        chosen(name, getattr(settings, name), choices)
    found = [(name, f"it must be at least {low}") for name, low in _AT_LEAST.items() if getattr(settings, name) < low]
    found += [(name, "it must be over 0") for name in _POSITIVE if not getattr(settings, name) > 0]
    found += [(name, "it must not be under 0") for name in _NOT_NEGATIVE if not getattr(settings, name) >= 0]
    found += [(name, "it must be from 0 to under 1") for name in _SHARES if not 0 <= getattr(settings, name) < 1]
    sides = ("input_width", "input_height")
    return found + [(name, "it must be a multiple of 32") for name in sides if getattr(settings, name) % STRIDES[-1]]
