"""Devices that are deployed on by hand: real agent processes, the commands as people type them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lineside.agent.main import main
from tests.agent.agents import AgentProcess
from tests.eventually import eventually

APP = """
import json, os, signal, sys
configuration = json.load(open(os.environ["LINESIDE_CONFIG"]))
print("version VERSION says", configuration.get("word"), flush=True)
signal.pause()
"""


def write_app(folder: Path, version: str, code: str = APP, probe: str = "true") -> Path:
    """A Python component `app` as an author has it: a YAML recipe that names its file only, and the file.

    Its `probe` is what tells a slow start from a bad one, however long Python takes to start here.
    """
    files = folder / "artifacts"
    files.mkdir(parents=True, exist_ok=True)
    (files / "app.py").write_text(code.replace("VERSION", version))
    recipe = folder / f"app-{version}.yaml"
    recipe.write_text(f"""
RecipeFormatVersion: 2020-01-25
ComponentName: app
ComponentVersion: {version}
ComponentConfiguration:
  DefaultConfiguration: {{word: hello}}
Manifests:
  - Platform: {{os: linux}}
    Lifecycle:
      Run: exec "$LINESIDE_PYTHON" {{artifacts:path}}/app.py
      Probe: {probe}
    Artifacts:
      - URI: s3://BUCKET/app/app.py
""")
    return recipe


class Device:
    """One agent and the commands on its root."""

    def __init__(self, agent: AgentProcess, capsys: pytest.CaptureFixture[str]) -> None:
        self.agent = agent
        self._capsys = capsys

    def command(self, *words: object, code: int = 0) -> Any:
        """Type a command with --json; what it printed."""
        assert main([*map(str, words), "--root", str(self.agent.paths.root), "--json"]) == code
        return json.loads(self._capsys.readouterr().out)

    def deploy(self, folder: Path, version: str, *more: object, code: int = 0, wait: float = 20) -> Any:
        """Deploy a version of `app` and wait for its end."""
        recipe = write_app(folder, version)
        files = folder / "artifacts"
        return self.command("deploy", "--recipe", recipe, "--artifacts", files, "--wait", wait, *more, code=code)

    def said(self, text: str) -> bool:
        """Whether the component has printed this; waits for it."""
        log = self.agent.paths.log("app")
        return bool(eventually(lambda: log.exists() and text in log.read_text()))

    def versions(self) -> dict[str, str]:
        """Components of the good set by name."""
        return {item.name: item.version for item in self.agent.status().components}
