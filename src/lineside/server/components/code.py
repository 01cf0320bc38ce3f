"""The code that runs on devices, as one ZIP: the same sources give the same bytes on every machine."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from pathlib import Path

_PARTS = ("__init__.py", "contract/**/*.py", "runtime/**/*.py")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def installed_sources() -> Path:
    """The folder of the installed `lineside` package, found without importing what is in it."""
    spec = importlib.util.find_spec("lineside")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("lineside is not installed as a package")
    return Path(next(iter(spec.submodule_search_locations)))


def inference_zip(sources: Path) -> bytes:
    """The contract and the runtime below `lineside/`. Stored, not deflated: zlib's bytes differ between machines."""
    files = sorted({path for part in _PARTS for path in sources.glob(part)})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(f"lineside/{file.relative_to(sources).as_posix()}", _EPOCH)
            entry.external_attr, entry.create_system = 0o100644 << 16, 3
            archive.writestr(entry, file.read_bytes())
    return packed.getvalue()
