"""Known vulnerabilities of the pinned dependencies, by pip-audit: `python tools/advisories.py`.

Exit 1 when there is one. Where the advisory service cannot be reached (no network, or a package index that has no
advisories) one line says that nothing was looked up, and the exit code is 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_SECONDS = 120
_AUDIT = (
    *(sys.executable, "-m", "pip_audit", "--requirement", "constraints.txt", "--no-deps", "--disable-pip"),
    *("--format", "json", "--progress-spinner", "off", "--timeout", "10"),
)


def main() -> int:
    try:
        done = subprocess.run(_AUDIT, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS, check=False)
        found = json.loads(done.stdout.splitlines()[-1])["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, IndexError, KeyError):
        return _say("advisories: not looked up, the advisory service cannot be reached")
    asked = [one for one in found if "skip_reason" not in one]
    if len(asked) < len(found) / 2:
        return _say(f"advisories: not looked up, the service knows {len(asked)} of {len(found)} packages")
    bad = [one for one in asked if one["vulns"]]
    for one in bad:
        _say(f"{one['name']} {one['version']}: {', '.join(each['id'] for each in one['vulns'])}")
    _say(f"advisories: {len(bad)} of {len(asked)} packages have one; {len(found) - len(asked)} are not known there")
    return 1 if bad else 0


def _say(line: str) -> int:
    sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
