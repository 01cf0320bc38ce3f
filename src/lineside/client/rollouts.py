"""Operations of people's API about rollouts."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.rollout import DeviceProgress, Rollout, RolloutDevicePage, RolloutPage


class Rollouts(Calls):
    """How deployments reach their devices."""

    def rollouts(self, *, before: str | None = None, group: str | None = None, limit: int = 100) -> RolloutPage:
        """Rollouts, newest first, without their history: to one group or to all; `before` is `next` of the page
        before. At most 200 at once."""
        query = {"before": before, "group": group, "limit": limit}
        return self.connection.call("GET", "/rollouts", RolloutPage, query=query)

    def rollout(self, rollout: str) -> Rollout:
        """One rollout: how many devices stand where, its gates, what it waits for, and its history."""
        return self.connection.call("GET", path("rollouts", rollout), Rollout)

    def rollout_devices(
        self,
        rollout: str,
        *,
        progress: DeviceProgress | None = None,
        wave: int | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> RolloutDevicePage:
        """A page of its devices, by wave and name; `wave` counts from 1, `after` is the `next` of the page before."""
        said = progress.value if progress is not None else None
        query = {"progress": said, "wave": wave, "after": after, "limit": limit}
        return self.connection.call("GET", path("rollouts", rollout, "devices"), RolloutDevicePage, query=query)

    def pause_rollout(self, rollout: str) -> Rollout:
        """Tell no further device until it goes on."""
        return self.connection.call("POST", path("rollouts", rollout, "pause"), Rollout)

    def resume_rollout(self, rollout: str) -> Rollout:
        """Let a paused rollout go on."""
        return self.connection.call("POST", path("rollouts", rollout, "resume"), Rollout)

    def abort_rollout(self, rollout: str) -> Rollout:
        """Stop a rollout where it is."""
        return self.connection.call("POST", path("rollouts", rollout, "abort"), Rollout)

    def roll_back_rollout(self, rollout: str) -> Rollout:
        """Send every device that was told back to what worked before."""
        return self.connection.call("POST", path("rollouts", rollout, "rollback"), Rollout)

    def retry_rollout(self, rollout: str) -> Rollout:
        """Let every failed device try again."""
        return self.connection.call("POST", path("rollouts", rollout, "retry"), Rollout)
