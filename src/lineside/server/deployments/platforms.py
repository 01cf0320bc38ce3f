"""Whether a component is for the platform of a device: its recipe has a manifest that fits. Pure."""

from __future__ import annotations

from typing import NamedTuple

from lineside.contract.errors import LinesideError
from lineside.contract.recipes.reader import read_recipe


class Platform(NamedTuple):
    """What a device says it is, in the words of recipes; empty where it has not said."""

    os: str
    architecture: str

    def __str__(self) -> str:
        return f"{self.os} {self.architecture}"

    @property
    def known(self) -> bool:
        return bool(self.os and self.architecture)


def fits(recipe: bytes, platform: Platform) -> bool:
    """Whether a recipe has a manifest for a platform. One that is not known is let through: the device will tell."""
    if not platform.known:
        return True
    try:
        read_recipe(recipe, platform._asdict())
    except LinesideError as error:
        if error.code != "recipe.no_platform":
            raise
        return False
    return True
