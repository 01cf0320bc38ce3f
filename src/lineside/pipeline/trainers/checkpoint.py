"""Checkpoints: what a training needs to go on, and what it leaves. A file is whole or absent."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from lineside.pipeline.files import write_whole

UNREADABLE = (OSError, RuntimeError, EOFError, KeyError, ValueError, TypeError, pickle.UnpicklingError)
"""What `torch.load` raises on a file that is no checkpoint."""


def save(target: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values; the file before stays until this one is on the disk."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(target, buffer.getvalue())


def load(file: Path) -> dict[str, Any]:
    """Read tensors and plain values, never code. Raises one of `UNREADABLE`."""
    content = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}")
    return content


def load_if_of(file: Path, fingerprint: str) -> dict[str, Any] | None:
    """The checkpoint when it is there and belongs to that very job."""
    if not file.exists():
        return None
    try:
        content = load(file)
    except UNREADABLE:
        return None  # nobody's: the training starts over and replaces it
    return content if content.get("fingerprint") == fingerprint else None
