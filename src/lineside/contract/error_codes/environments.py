"""What can be wrong with a component's own Python dependencies."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "environment.requirement",
        Kind.REFUSED,
        "requirements.txt of {name} holds a line that is no exact version with a hash: {line}",
        "Write it with pip-compile --generate-hashes; options, URLs and other files have no place in it.",
    ),
    Problem(
        "environment.not_pinned",
        Kind.REFUSED,
        "requirements.txt of {name} has no SHA-256 hash for {requirement}.",
        "Write it with pip-compile --generate-hashes.",
    ),
    Problem(
        "environment.hash_mismatch",
        Kind.CORRUPT,
        "requirements.txt of {name} allows other files for {requirement} than the component brings ({wheels}).",
        "Ship the wheels that requirements.txt was written for, or write it again.",
    ),
    Problem(
        "environment.no_wheel",
        Kind.REFUSED,
        "{name} needs {requirement}, and none of its wheels is for this device: {wheels}.",
        "Add a wheel for the device's platform and Python to the component: pip download --only-binary=:all: "
        "--platform PLATFORM",
    ),
    Problem(
        "environment.no_pip",
        Kind.UNAVAILABLE,
        "{python} has no pip to install a component's wheels with.",
        "Install pip for the agent's Python, e.g. {python} -m ensurepip, or the system's python3-venv package.",
    ),
    Problem(
        "environment.failed",
        Kind.CORRUPT,
        "The Python environment of {name} {version} cannot be made: {why}.",
        "Try it by hand: pip install --no-index --no-deps --require-hashes --find-links WHEELS -r requirements.txt",
    ),
)
