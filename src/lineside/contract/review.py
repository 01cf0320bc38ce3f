"""Reviews: what people say about uploaded captures, and what becomes of that.

waiting ──answer──► reviewed
   │  └─ where two are asked ─► second ──they agree──► reviewed
   │                              └─────they do not──► disputed ──a third answer──► reviewed
   └─ unsure ──► unsure (set aside)
"""

from __future__ import annotations

import enum

import msgspec

from lineside.contract.capture import CaptureRecord
from lineside.contract.dataset import Box, Counted, DatasetVersion


class ReviewState(enum.Enum):
    """Where a capture stands."""

    WAITING = "waiting"
    SECOND = "second"  # one person has answered; another one shall
    DISPUTED = "disputed"  # two people disagree: a third settles it
    UNSURE = "unsure"  # somebody did not know; set aside
    REVIEWED = "reviewed"
    UNREADABLE = "unreadable"  # no picture that can be shown


class AnswerKind(enum.Enum):
    """What a person said about a capture."""

    ACCEPT = "accept"  # the model's boxes are right
    CORRECT = "correct"  # these boxes are
    NOTHING = "nothing"  # nothing is there
    UNSURE = "unsure"
    SKIP = "skip"  # later: it goes to the end of the queue


class ReviewBox(msgspec.Struct, frozen=True, kw_only=True):
    """A box a person gives: class and rectangle in pixels of the upright image, from the top left."""

    label: str
    x: float
    y: float
    width: float
    height: float


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says about one capture. `boxes` belong to `correct` alone. `seconds` is how long they looked."""

    capture: str
    kind: AnswerKind
    boxes: tuple[ReviewBox, ...] = ()
    seconds: float = 0.0


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that was given; `tool` is where the boxes were drawn: the page, the command line, a label file."""

    person: str
    at: str
    kind: AnswerKind
    boxes: tuple[Box, ...] = ()
    tool: str = ""


class ReviewItem(msgspec.Struct, frozen=True, kw_only=True):
    """A capture in review. `width` and `height` in pixels of the upright image; `predicted` are the model's boxes with
    their provenance; `alike` names the first of its near-duplicates, itself where there is none before it."""

    record: CaptureRecord
    state: ReviewState
    width: int
    height: int
    alike: str
    predicted: tuple[Box, ...] = ()
    labels: tuple[Box, ...] | None = None  # what was agreed on; None while nothing is
    reviewed_at: str | None = None
    by: tuple[str, ...] = ()  # whose answers that is
    dataset: str | None = None  # the version that took it
    lease_until: str | None = None  # the caller's own
    answers: tuple[Said, ...] = ()  # only where one capture is asked for


class ReviewPage(msgspec.Struct, frozen=True, kw_only=True):
    """Captures in review, the ones to be answered next first. `after` leads to the next page; None at the end."""

    items: tuple[ReviewItem, ...]
    after: str | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Captures leased to the caller: nobody else is given them until `until`. `classes` are what can be drawn."""

    items: tuple[ReviewItem, ...]
    until: str
    classes: tuple[str, ...] = ()


class NextRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for captures to review, newest first; what the caller has leased already comes first."""

    count: int = 10
    strategy: str | None = None
    device: str | None = None
    model: str | None = None


class ReviewPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How captures are reviewed. `people`: how many must answer; `agree_iou`: by how much of their union two people's
    boxes of one class must overlap to be the same (0..1)."""

    people: int = 1
    agree_iou: float = 0.7
    lease_minutes: int = 15
    classes: tuple[str, ...] = ()  # beside those that models know


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """What one person answered on one day (UTC). `seconds` they looked at pictures, as their tool says."""

    person: str
    day: str
    answers: dict[str, int]  # by kind
    seconds: float = 0.0


class ReviewStats(msgspec.Struct, frozen=True, kw_only=True):
    """How many captures stand where, and who answered how many on the last days; newest day first."""

    states: dict[str, int]
    throughput: tuple[Throughput, ...] = ()
    last_hour: dict[str, int] = {}  # answers by person


class MakeDataset(msgspec.Struct, frozen=True, kw_only=True):
    """Make the next version of a dataset of what was reviewed since. Of the new pictures, near-duplicates together,
    `field_share` (0..1) goes to the recent-field test set first."""

    name: str
    field_share: float = 0.2
    model: str | None = None  # only captures of this model


class MadeDataset(msgspec.Struct, frozen=True, kw_only=True):
    """What became of reviewed captures. `version` is None where no image could be taken."""

    version: DatasetVersion | None
    created: bool
    added: int = 0  # captures that are new in the dataset
    changed: int = 0  # images whose labels were reviewed anew
    field: DatasetVersion | None = None
    field_added: int = 0
    left_out: dict[str, int] = {}


class ReviewRule(msgspec.Struct, frozen=True, kw_only=True):
    """Make the next version of a dataset whenever `reviewed` captures wait for it."""

    name: str  # of the dataset
    reviewed: int = 200
    field_share: float = 0.2
    model: str | None = None
    problem: str = ""  # why it could not, last time


class ReviewExport(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for captures as files that another tool labels; the caller has them leased for `hours`."""

    format: str = "coco"
    count: int = 100
    hours: int = 24
    strategy: str | None = None
    device: str | None = None
    model: str | None = None


class LabelsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Label files of another tool, as blobs by path. Images need not be among them: the captures they name are here."""

    files: dict[str, str]
    format: str | None = None  # coco, labelstudio, sagemaker, … where it cannot be told


class LabelsReport(msgspec.Struct, frozen=True, kw_only=True):
    """What label files came to: captures answered, those that were answered before, and what was counted."""

    answered: int
    passed_over: int = 0
    warnings: tuple[Counted, ...] = ()
