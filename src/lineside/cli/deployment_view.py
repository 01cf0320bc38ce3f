"""How deployments, and what documents would come to, are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.text import Text

from lineside.cli.table import BAD, details, mark, rows, spaced, when
from lineside.contract.counted import counted
from lineside.contract.deployment import ComponentSpec, Deployment, DeploymentPage, DeploymentPreview, PreviewPart
from lineside.contract.rollout_words import plan_in_words


def table(page: DeploymentPage) -> RenderableType:
    """Deployments, one a line."""
    lines = (
        (
            deployment.id,
            deployment.group,
            "twins" if deployment.staging else "release",
            _components(deployment.components, deployment.asked),
            deployment.rollout,
            when(deployment.created_at),
        )
        for deployment in page.deployments
    )
    headings = ("id", "group", "kind", "components", "rollout", "created")
    return rows(headings, lines, "Nothing deployed. Deploy a model: lineside deployments create --group G --model N:V")


def deployment_details(deployment: Deployment) -> RenderableType:
    """One deployment with its plan."""
    return details(
        (
            ("id", deployment.id),
            ("name", deployment.name),
            ("group", deployment.group),
            ("components", _components(deployment.components, deployment.asked)),
            ("on failure", deployment.failure_policy),
            ("before stopping", _asking(deployment)),
            ("validation", f"{deployment.validation_policy.timeout_in_seconds:g} s"),
            ("run with", "; ".join(_run_with(deployment)) or None),
            *plan_in_words(deployment.plan),
            *(("note", note) for note in deployment.notes),
            ("rollout", deployment.rollout),
            ("created", when(deployment.created_at)),
            ("watch with", f"lineside rollouts watch {deployment.rollout}"),
        )
    )


def preview_details(preview: DeploymentPreview) -> RenderableType:
    """What a document would come to: waves, then what each part of the group would get."""
    head = details(
        (
            ("group", f"{preview.group}, {counted(preview.devices, 'device')}"),
            ("components", _components(preview.components, preview.asked)),
            ("there already", preview.same_as),
            *plan_in_words(preview.plan),
            *((wave.name, counted(wave.devices, "device")) for wave in preview.waves),
            *(("note", note) for note in preview.notes),
            ("refused", mark(False, preview.refused.message) if preview.refused else None),
        )
    )
    headings = ("devices", "such as", "platform", "beside", "would run")
    return spaced((head, rows(headings, _parts(preview.parts), "No device is in the group; those that join follow.")))


def _parts(parts: Iterable[PreviewPart]) -> Iterator[tuple[RenderableType | str | int | None, ...]]:
    for part in parts:
        runs = ", ".join(f"{name} {version}" for name, version in part.components.items()) or "nothing"
        outcome = Text(f"keep what they have: {part.conflict.message}", style=BAD) if part.conflict else runs
        yield part.devices, ", ".join(part.some), f"{part.os} {part.architecture}".strip(), _list(part.beside), outcome


def _list(names: Iterable[str]) -> str | None:
    return ", ".join(names) or None


def _components(components: dict[str, ComponentSpec], asked: dict[str, str]) -> str:
    def one(name: str, version: str) -> str:
        said = asked.get(name, version)
        return f"{name} {version}" + (f" (asked: {said})" if said != version else "")

    return ", ".join(one(name, spec.component_version) for name, spec in components.items())


def _asking(deployment: Deployment) -> str:
    policy = deployment.update_policy
    if policy.action == "SKIP_NOTIFY_COMPONENTS":
        return "components are not asked"
    return f"components are asked, and may put it off for {policy.timeout_in_seconds:g} s"


def _run_with(deployment: Deployment) -> Iterator[str]:
    for name, spec in deployment.components.items():
        if spec.run_with is not None:
            limits = spec.run_with.system_resource_limits
            memory = f"{limits.memory / 1024:g} MiB memory" if limits.memory else ""
            cpus = f"{limits.cpus:g} CPUs" if limits.cpus else ""
            said = (f"as {spec.run_with.posix_user}" if spec.run_with.posix_user else "", memory, cpus)
            yield f"{name} " + ", ".join(part for part in said if part)
