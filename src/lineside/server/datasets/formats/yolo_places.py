"""Where things are in a YOLO folder: which label file is which image's, and on which side `data.yaml` puts an image.

`labels/` stands in place of `images/` (`images/train/a.jpg`, `labels/train/a.txt`; `train/images/a.jpg`,
`train/labels/a.txt`), or below it (`images/labels/a.txt`). Paths in `data.yaml` are those of the machine it was written
on: absolute, with a drive, with backslashes, climbing. What counts is how they end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from lineside.contract.dataset import Split
from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats.folder import DRIVE, Folder
from lineside.server.datasets.formats.reader import SIDES, side_of

IMAGES, LABELS = "images", "labels"


def is_in(path: str, part: str) -> bool:
    """Whether one of a path's folders is called so, in whatever case."""
    return part in map(str.casefold, path.split("/")[:-1])


def stem_of(path: str, part: str, *called: str) -> str:
    """A path without extension, its last folder `part` called otherwise, or left out."""
    *parents, name = path.split("/")
    folded = [one.casefold() for one in parents]
    at = len(folded) - 1 - folded[::-1].index(part)
    return "/".join([*parents[:at], *called, *parents[at + 1 :], PurePosixPath(name).stem])


def matched(folder: Folder, warnings: Warnings) -> tuple[dict[str, str], dict[str, str]]:
    """Label files and images, each by the image's path without extension. Raises
    `dataset.name_ambiguous` for two images of one label file."""
    candidates: dict[str, list[str]] = defaultdict(list)
    for path in folder.files:
        if is_in(path, IMAGES) and not _is_label(path):
            candidates[stem_of(path, IMAGES, IMAGES)].append(path)
    labels: dict[str, str] = {}
    for path in label_files(folder):
        stem = stem_of(path, LABELS, IMAGES)
        if stem not in candidates and is_in(path, IMAGES):
            below = stem_of(stem_of(path, LABELS) + ".txt", IMAGES, IMAGES)
            stem = below if below in candidates else stem
        if labels.setdefault(stem, path) != path:
            warnings.add("dataset.other_labels", path)
    return labels, _pictures(folder, candidates, labels)


def label_files(folder: Folder) -> list[str]:
    """The text files below a folder `labels`."""
    return [path for path in folder.named(".txt") if _is_label(path)]


def sides_of(folder: Folder, home: str, description: Mapping[str, Any], images: Iterable[str]) -> dict[str, Split]:
    """The sides of images: by a list that `data.yaml` names (`train: train.txt`), by a folder that it names (`train:
    ../train/images`), else by what their own folders are called."""
    images = list(images)
    bases = [home, f"{home}/{plain(description.get('path'))}"]
    listed: dict[str, Split] = {}
    claimed: dict[str, set[Split]] = defaultdict(set)
    folders = _ending({str(parent) for path in images for parent in PurePosixPath(path).parents})
    for key, side in SIDES.items():
        written = description.get(key)
        for name in map(plain, written if isinstance(written, list) else [written]):
            if name.casefold().endswith(".txt"):
                listed |= dict.fromkeys(_lines(folder, bases, name), side)
            elif name:
                claimed[_folder(folders, bases, name)].add(side)
    given = {path: found.pop() for path, found in claimed.items() if len(found) == 1}
    found = {path: listed.get(path) or _claimed(path, given) or _called(path) for path in images}
    return {path: side for path, side in found.items() if side is not None}


def _is_label(path: str) -> bool:
    return path.casefold().endswith(".txt") and is_in(path, LABELS)


def _pictures(folder: Folder, candidates: Mapping[str, list[str]], labels: Mapping[str, str]) -> dict[str, str]:
    pictures: dict[str, str] = {}
    for stem, paths in candidates.items():
        if len(paths) > 1 or stem not in labels:
            paths = [path for path in paths if folder.is_picture(path)]
        if len(paths) > 1:
            label = labels.get(stem, "its label")
            raise LinesideError("dataset.name_ambiguous", file=label, name=stem, first=paths[0], second=paths[1])
        if paths:
            pictures[stem] = paths[0]
    return pictures


def plain(written: Any) -> str:
    """A path with slashes, without a drive and without climbing; nothing for what is no path."""
    if not isinstance(written, str):
        return ""
    path = DRIVE.sub("", written.replace("\\", "/"))
    return "/".join(part for part in path.split("/") if part not in ("", ".", ".."))


def _tails(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[at:]) for at in range(len(parts)))


def _ending(folders: Iterable[str]) -> dict[str, list[str]]:
    """Folders by every end of their path."""
    found: dict[str, list[str]] = defaultdict(list)
    for folder in folders:
        for tail in _tails(folder):
            found[tail].append(folder)
    return found


def _folder(folders: Mapping[str, list[str]], bases: Iterable[str], name: str) -> str:
    """The folder that is meant: from where `data.yaml` lies, else the only one whose path ends so; "" where none is."""
    for base in bases:
        place = plain(f"{base}/{name}")
        if place in folders.get(place, ()):
            return place
    found = next((folders[tail] for tail in _tails(name) if tail in folders), [])
    return found[0] if len(found) == 1 else ""


def _lines(folder: Folder, bases: Iterable[str], name: str) -> Iterator[str]:
    """The images that a list of images names."""
    file = folder.first(plain(f"{base}/{name}") for base in bases) or only(folder, name)
    if file is None:
        return
    bases = [file.rpartition("/")[0], *bases]
    for _, line in folder.lines(file):
        names = [plain(one) for one in (line.strip("\r\n"), line.strip())]
        places = (f"{base}/{name}" for name in names if name for base in bases)
        found = folder.first(map(plain, places)) or only(folder, names[-1])
        if found is not None:
            yield found


def only(folder: Folder, name: str) -> str | None:
    """The only file whose path ends in most of the same parts; None where there is none, or several."""
    found = next(filter(None, map(folder.ending, _tails(name))), [])
    return found[0] if len(found) == 1 else None


def _claimed(path: str, given: Mapping[str, Split]) -> Split | None:
    """The side of the innermost folder that has one."""
    return next((given[str(one)] for one in PurePosixPath(path).parents if str(one) in given), None)


def _called(path: str) -> Split | None:
    """`images/train/a.jpg` and `train/images/a.jpg` both say train."""
    sides = [side for part in PurePosixPath(path).parts[:-1] if (side := side_of(part))]
    return sides[-1] if sides else None
