"""Small wheels for tests, built by hand (PEP 427), and recipes that bring them."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from typing import NamedTuple

from lineside.contract.ids import digest_of
from tests.agent.components import artifact, recipe


class Wheel(NamedTuple):
    """A wheel's file name and bytes."""

    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        """In hexadecimal, as requirements.txt has it."""
        return hashlib.sha256(self.data).hexdigest()


def wheel(
    name: str = "tiny",
    version: str = "1.0",
    tag: str = "py3-none-any",
    *,
    source: str = "def main() -> None:\n    print('tiny speaks')\n",
    script: str | None = None,
) -> Wheel:
    """A wheel with one module; `script` is a command that calls its `main`."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    if script is not None:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{script} = {name}:main\n"
    record = "".join(f"{path},sha256={_hash(text)},{len(text.encode())}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for path, text in files.items():
            target.writestr(zipfile.ZipInfo(path), text)
    return Wheel(f"{name}-{version}-{tag}.whl", buffer.getvalue())


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def requirements(*wheels: Wheel) -> bytes:
    """What pip-compile --generate-hashes would write."""
    lines = []
    for one in wheels:
        name, version, *_ = one.name.split("-")
        lines.append(f"{name}=={version} \\\n    --hash=sha256:{one.sha256}\n    # via somebody\n")
    return "".join(lines).encode()


def files_of(*wheels: Wheel, text: bytes | None = None) -> dict[str, bytes]:
    """The artifacts of a component with these wheels, by name."""
    return {"requirements.txt": requirements(*wheels) if text is None else text} | {w.name: w.data for w in wheels}


def recipe_with(files: dict[str, bytes], version: str = "1.0.0", **lifecycle: object) -> dict[str, object]:
    """A recipe of `app` with these artifacts."""
    return recipe(
        version=version, artifacts=[artifact(name, digest_of(data)) for name, data in files.items()], **lifecycle
    )
