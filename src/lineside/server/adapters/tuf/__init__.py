"""The TUF repository that devices believe (TUF specification 1.0, python-tuf's metadata API)."""

from lineside.server.adapters.tuf.repository import NewTarget, Repository

__all__ = ["NewTarget", "Repository"]
