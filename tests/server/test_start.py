"""What a start of the control plane does without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.eventually import PATIENCE

_START = """
import sys
from dataclasses import replace
from pathlib import Path
from lineside.server.ports import listen
from lineside.server.process import ControlPlane
from lineside.server.root import Root
from lineside.server.settings import Settings

path = Path(sys.argv[1])
settings = replace(Settings(), port=0, device_port=0, mqtt_port=0, worker="off")
root = Root(path)
ControlPlane(path, settings, listen(path, settings, {}))
print(*sorted(set(sys.argv[2:]) & sys.modules.keys()))
"""
_LATER = ("alembic", "croniter", "markdown_it", "numpy", "PIL", "pydantic", "sqlalchemy.dialects.postgresql")
"""What is imported when it is used first; the control plane of a fleet without pictures may never do so."""


def test_neither_a_first_start_nor_a_second_one_imports_what_it_has_no_use_for(tmp_path: Path) -> None:
    """Alembic has nothing to migrate, no value is pydantic's, no picture was looked at: a sixth of a second each."""
    for _ in range(2):
        program = [sys.executable, "-c", _START, str(tmp_path / "root"), *_LATER]
        done = subprocess.run(program, capture_output=True, text=True, timeout=PATIENCE, check=True)
        assert done.stdout == "\n"
