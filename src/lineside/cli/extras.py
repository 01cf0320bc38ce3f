"""Which extra of the distribution a command needs, looked for before anything is started."""

from __future__ import annotations

import importlib.util

from lineside.contract.errors import LinesideError

_PARTS = {
    "mlflow": ("mlflow",),
    "server": ("litestar", "uvicorn", "sqlalchemy", "obstore", "amqtt"),
    "all": (
        "litestar",
        "uvicorn",
        "sqlalchemy",
        "obstore",
        "amqtt",
        "onnxruntime",
        "numpy",
        "PIL",
        "torch",
        "dbos",
        "onnx",
    ),
}


def need_extra(extra: str) -> None:
    """Raises `start.extra_missing` when a part of the extra is not installed."""
    if any(importlib.util.find_spec(part) is None for part in _PARTS[extra]):
        raise LinesideError("start.extra_missing", extra=extra)
