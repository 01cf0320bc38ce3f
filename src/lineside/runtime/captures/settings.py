"""What configuration says of captures: `capture`. Imports no numpy: whoever reads configuration reads this."""

from __future__ import annotations

import msgspec

MEGABYTE = 1024 * 1024


class Budgeted(msgspec.Struct, frozen=True, kw_only=True):
    """How many images at most; without any of the three, what `per_hour` of all captures leaves."""

    per_minute: float | None = None
    per_hour: float | None = None
    per_day: float | None = None


class RandomSettings(Budgeted, frozen=True, kw_only=True, tag_field="kind", tag="random"):
    """A share of all images, whatever is on them. Always the first strategy."""

    share: float = 0.05


class RequestedSettings(Budgeted, frozen=True, kw_only=True, tag_field="kind", tag="requested"):
    """What requests ask for; the count of a request is its budget, unless one is set here."""


class UncertainSettings(Budgeted, frozen=True, kw_only=True, tag_field="kind", tag="uncertain"):
    """A detection whose confidence lies in `band`, of one of `classes` if any are named."""

    band: tuple[float, float] = (0.2, 0.5)
    classes: tuple[str, ...] = ()


class NothingSettings(Budgeted, frozen=True, kw_only=True, tag_field="kind", tag="nothing"):
    """Nothing found where something is usual: where at least the share `usual` of the source's last images had
    something. With `classes`: none of these found, where one of them is always expected."""

    classes: tuple[str, ...] = ()
    usual: float = 0.9


class ClassSettings(Budgeted, frozen=True, kw_only=True, tag_field="kind", tag="class"):
    """A detection of one of `classes`, from the confidence `above` on (without: from the model's threshold on)."""

    classes: tuple[str, ...]
    above: float | None = None


class DisagreementSettings(Budgeted, frozen=True, kw_only=True, tag_field="kind", tag="shadow"):
    """The shadow disagrees; without a budget here, `shadow.per_hour`."""


class DriftSettings(Budgeted, frozen=True, kw_only=True, tag_field="kind", tag="drift"):
    """The device's own last window is far from the model's baseline."""


class IntervalSettings(Budgeted, frozen=True, kw_only=True, tag_field="kind", tag="interval"):
    """The next image after `seconds`, of each source: what a line without a model begins with."""

    seconds: float = 60.0


StrategySettings = (
    RandomSettings
    | RequestedSettings
    | UncertainSettings
    | NothingSettings
    | ClassSettings
    | DisagreementSettings
    | DriftSettings
    | IntervalSettings
)


class SimilarSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Images that nearly look like one that was kept in the last `hours` are not kept again: no part of the picture
    (one of 16 by 16) is more than `levels` of 255 away, after the light was evened out. `most` are remembered."""

    levels: float = 4.0
    hours: float = 24.0
    most: int = 1000


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The folder of captures that wait for the agent: at most `files`, `mb` megabytes, and `share` of the room that
    the disk would have without them. When it is full, every `keep_every`th of each strategy stays; requested ones
    always do. `keep_every` 1 thins nothing: what comes is refused."""

    files: int = 1000
    mb: float = 512.0
    share: float = 0.5
    keep_every: int = 2


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the picture as shares of its width and height, from the top left: a rectangle `[x, y, width, height]`
    or a `polygon` of `[x, y]` points; of the sources named, or of all."""

    rectangle: tuple[float, float, float, float] | None = None
    polygon: tuple[tuple[float, float], ...] = ()
    sources: tuple[str, ...] = ()


class BlurSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to an image before it is stored. `command`: reads an image file on standard input and writes it
    again, blurred, to standard output. `hook`: an entry point of the group `lineside.blurs`, called with an image
    file's bytes and the source's name, which returns an image file's bytes."""

    zones: tuple[Zone, ...] = ()
    command: tuple[str, ...] = ()
    hook: str = ""
    seconds: float = 5.0  # that a command may take


class CaptureSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`random`: share of all images to keep; `uncertain`: keep images with a detection whose confidence lies in this
    band; `per_hour`: how many at most, a quarter of them reserved for the random sample.

    Without `strategies` an image is kept while its source drifts, when nothing is found where something is usual, and
    when the model is `uncertain`. `strategies` takes the place of these three: they are asked in this order, the first
    that wants an image and has budget left keeps it. The random sample is asked before all of them, and so are requests
    that are not listed; the shadow, unless it is listed, comes last.
    """

    uncertain: tuple[float, float] | None = (0.2, 0.5)
    random: float = 0.05
    per_hour: float = 200.0
    strategies: tuple[StrategySettings, ...] | None = None
    similar: SimilarSettings | None = SimilarSettings()
    store: StoreSettings = StoreSettings()
    sealed: bool = False
    blur: BlurSettings | None = None

    def __post_init__(self) -> None:
        kinds = [type(one) for one in self.strategies or ()]
        if RandomSettings in kinds[1:]:
            raise ValueError("the random sample is asked first: no strategy stands before it")
        for zone in self.blur.zones if self.blur else ():
            if (zone.rectangle is None) == (not zone.polygon):
                raise ValueError("a zone is a rectangle or a polygon")
