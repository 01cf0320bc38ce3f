"""Rules: what detections must come to for somebody to act. Pure: no clock, no disk, no network."""

from __future__ import annotations

from lineside.runtime.rules.judging import Rules
from lineside.runtime.rules.settings import RuleSettings

__all__ = ["RuleSettings", "Rules"]
