"""Makes the component `lineside.agent` of the agent that is installed here: `python -m lineside.agent.loader.package`.

    OUT/recipe.json       the recipe, its artifacts by digest
    OUT/artifacts/…       requirements.txt with hashes, and a wheel for lineside and each package that it needs

The wheels are made from what is installed, so the new agent is byte for byte what runs here, and nothing is downloaded.
They fit devices with this machine's architecture and this version of Python; make one component for each kind.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import msgspec

import lineside
from lineside.agent.platforms import this_platform
from lineside.agent.updating.supplied import AGENT
from lineside.contract.ids import greengrass_digest

_ALSO = ("pip",)  # makes the environments of components; without it, the one that comes with Python must do
_NOT_KEPT = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "RECORD.jws")
_MOMENT = (2020, 1, 1, 0, 0, 0)  # of every file, so that the same content is the same wheel


def write_component(
    out: Path,
    version: str = lineside.__version__,
    changes: Mapping[str, bytes] | None = None,
    packages: Iterable[str] | None = None,
) -> Path:
    """Write recipe and artifacts below `out`; the recipe's path.

    `changes`: files of the package to put in place; `packages`: what to bring beside it, if not all that it needs.
    """
    artifacts = out / "artifacts"
    artifacts.mkdir(parents=True, exist_ok=True)
    wheels = [_write_lineside(artifacts, version, changes or {})]
    wheels += [_write_installed(artifacts, name) for name in sorted(needed() if packages is None else packages)]
    lines = [f"{name}=={own} --hash=sha256:{_hex(path)}\n" for name, own, path in wheels]
    (artifacts / "requirements.txt").write_text("".join(lines))
    recipe = out / "recipe.json"
    recipe.write_bytes(msgspec.json.format(msgspec.json.encode(_recipe(version, artifacts))) + b"\n")
    return recipe


def needed() -> set[str]:
    """Names of the packages that an agent needs beside its own, as they are installed here."""
    found: set[str] = set()
    waiting = ["lineside", *_ALSO]
    while waiting:
        name = waiting.pop()
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:  # for another platform, or not wanted here
            found.discard(_normal(name))
            continue
        for requirement in requires:
            plain, _, marker = requirement.partition(";")
            other = _normal(re.split(r"[^A-Za-z0-9._-]", plain.strip(), maxsplit=1)[0])
            if "extra" not in marker and other not in found and _is_installed(other):
                found.add(other)
                waiting.append(other)
    return found | {name for name in _ALSO if _is_installed(name)}


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _recipe(version: str, artifacts: Path) -> dict[str, object]:
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": AGENT,
        "ComponentVersion": version,
        "ComponentDescription": "The agent itself.",
        "ComponentPublisher": "Lineside",
        "ComponentConfiguration": {"DefaultConfiguration": {"confirmSeconds": 300}},
        "Manifests": [
            {
                "Platform": {key: this_platform()[key] for key in ("os", "architecture")},
                "Artifacts": [_artifact(path) for path in sorted(artifacts.iterdir())],
            }
        ],
    }


def _artifact(path: Path) -> dict[str, str]:
    digest = _hex(path)
    return {
        "URI": f"lineside:sha256/{digest}/{path.name}",
        "Digest": greengrass_digest(f"sha256:{digest}"),
        "Algorithm": "SHA-256",
    }


# --- wheels -------------------------------------------------------------------------------------------------------


def _write_lineside(folder: Path, version: str, changes: Mapping[str, bytes]) -> tuple[str, str, Path]:
    """This very package, wherever it is imported from."""
    root = Path(lineside.__file__).parent
    files = {
        f"lineside/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    metadata = distribution("lineside").read_text("METADATA") or ""
    metadata = re.sub(r"^Version: .*$", f"Version: {version}", metadata, count=1, flags=re.MULTILINE)
    init = files["lineside/__init__.py"].decode()
    files["lineside/__init__.py"] = init.replace(f'"{lineside.__version__}"', f'"{version}"').encode()
    about = f"lineside-{version}.dist-info"
    files[f"{about}/METADATA"] = metadata.encode()
    files[f"{about}/entry_points.txt"] = (distribution("lineside").read_text("entry_points.txt") or "").encode()
    files[f"{about}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: lineside\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    path = folder / f"lineside-{version}-py3-none-any.whl"
    _write_wheel(path, files | dict(changes), about)
    return "lineside", version, path


def _write_installed(folder: Path, name: str) -> tuple[str, str, Path]:
    found = distribution(name)
    files = dict(_installed_files(found))
    about = next(file.split("/", 1)[0] for file in files if file.endswith(".dist-info/METADATA"))
    tags = re.findall(r"^Tag: *(\S+)-(\S+)-(\S+)$", found.read_text("WHEEL") or "", flags=re.MULTILINE)
    tag = "-".join(".".join(sorted({parts[n] for parts in tags})) for n in range(3))
    path = folder / f"{about.removesuffix('.dist-info')}-{tag or 'py3-none-any'}.whl"
    _write_wheel(path, files, about)
    return _normal(name), found.version, path


def _installed_files(found: Distribution) -> Iterator[tuple[str, bytes]]:
    """What was in the wheel that a package was installed from, but for programs below bin/."""
    for file in found.files or []:
        name = file.as_posix()
        about = ".dist-info/" in name
        if ".." in file.parts or "__pycache__" in file.parts or (about and file.name in _NOT_KEPT):
            continue
        path = Path(str(file.locate()))
        if path.is_file():
            yield name, path.read_bytes()


def _write_wheel(path: Path, files: Mapping[str, bytes], about: str) -> None:
    """A wheel with these files and their RECORD (PEP 427), the same bytes each time."""
    lines = [f"{name},sha256={_record_hash(data)},{len(data)}\n" for name, data in sorted(files.items())]
    record = f"{about}/RECORD"
    everything = dict(sorted(files.items())) | {record: "".join([*lines, f"{record},,\n"]).encode()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in everything.items():
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, data)


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _hex(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lineside.agent.loader.package", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("out", type=Path, metavar="OUT", help="an empty folder")
    options = parser.parse_args()
    recipe = write_component(options.out)
    size = sum(path.stat().st_size for path in (options.out / "artifacts").iterdir())
    sys.stdout.write(f"{AGENT} {lineside.__version__}: {recipe}, {size / 1e6:.1f} MB of artifacts beside it\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
