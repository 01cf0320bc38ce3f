"""A SoftHSM token of a test's own."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

MODULES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"),
    Path("/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"),
)


@dataclass(frozen=True)
class Token:
    """A token, the file that holds its PIN, and the URI that names a key in it."""

    module: Path
    pin_file: Path
    folder: Path

    @property
    def uri(self) -> str:
        return f"pkcs11:token=line;object=device?module-path={self.module}&pin-source={self.pin_file}"


def make_token(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    """A new token below `folder`; processes that are started from now on find it. Skips without SoftHSM."""
    module = next((path for path in MODULES if path.exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM is not installed (apt-get install softhsm2)")
    objects = folder / "tokens"
    objects.mkdir(parents=True)
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {objects}\nobjectstore.backend = file\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    pin_file = folder / "pin"
    pin_file.touch(0o600)
    pin = secrets.token_hex(8)
    pin_file.write_text(f"{pin}\n")
    command = ["softhsm2-util", "--init-token", "--free", "--label", "line", "--pin", pin, "--so-pin", pin]
    subprocess.run([*command, "--module", str(module)], check=True, capture_output=True)
    return Token(module, pin_file, objects)
