"""`lineside models approve`, `withdraw` and `reject`: a person's answer, signed on the person's own machine.

With `--key` what is signed is what is shown: both come from the proposal's own bytes. The key never leaves the machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Group, RenderableType

from lineside.cli.model_view import metrics_table, model_details
from lineside.cli.options import Json, Model, ModelRef, Reason, Root, RootSha, Url, Yes, which
from lineside.cli.output import Output, session
from lineside.cli.runs import draw_gates
from lineside.cli.signing import asked, reviewed, signed
from lineside.cli.table import details, rows
from lineside.cli.twin_view import draw_report
from lineside.client import Client
from lineside.client.judging import Judged, approved_files, component_of, judge, model_path
from lineside.contract.approval import TwinOutcome
from lineside.contract.ceremony import Proposal, ProposalState
from lineside.contract.errors import LinesideError
from lineside.contract.model import Decision, ModelState, ModelVersion

Key = Annotated[
    Path | None,
    typer.Option("--key", help="Your private key; it signs here and is sent nowhere. Else the control plane signs."),
]
BuilderKey = Annotated[
    Path | None,
    typer.Option("--builder-key", help="A builder's key, for the code that runs the model, if nobody signed that yet."),
]


def approve(
    model: Model,
    key: Key = None,
    builder_key: BuilderKey = None,
    root_sha256: RootSha = None,
    yes: Yes = False,
    reason: Reason = "",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Approve a model: sign its digest, metrics and twin report, so that devices may install it."""
    with session(url, root, json) as (client, out):
        meant = which(client, model)
        if key is None:
            out.show(client.approve_model(*meant, Decision(reason=reason)), model_details)
        else:
            out.show(_approve(client, out, meant, key, builder_key, root_sha256, yes, reason), model_details)


def withdraw(
    model: Model,
    reason: Reason,
    key: Key = None,
    root_sha256: RootSha = None,
    yes: Yes = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Take a model's approval back: devices that do not run it yet will not install it."""
    with session(url, root, json) as (client, out):
        meant = which(client, model)
        found = client.withdraw_model(*meant, Decision(reason=reason))
        if key is not None and found.approval is not None and found.approval.proposal:
            _sign_withdrawal(client, out, found, key, root_sha256, yes)
            found = client.model(*meant)
        out.show(found, model_details)


def reject(
    model: Model,
    reason: Reason,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Reject a model, with a reason."""
    with session(url, root, json) as (client, out):
        out.show(client.reject_model(*which(client, model), Decision(reason=reason)), model_details)


def sign_component(
    client: Client, out: Output, name: str, version: str, key: Path, root_sha256: str | None, yes: bool
) -> Proposal:
    """Sign a component's recipe with a builder's key. Raises `approval.…`, `trust.…`."""
    proposal = client.propose_component(name, version)
    if proposal.state is not ProposalState.OPEN:
        return proposal
    review = reviewed(client, out, proposal, root_sha256, yes)
    (change,) = review.changes
    component = component_of(client, name, version, change.subject, change.digest or "")
    out.say(msgspec.json.format(msgspec.json.encode(component.recipe)).decode())
    out.say(f"{name} {version}: the recipe above, {change.digest}")
    _ask(f"Sign {name} {version} for all devices", yes, f"lineside components sign {name} {version} --key FILE")
    return signed(client, review, key)


def _approve(
    client: Client,
    out: Output,
    model: ModelRef,
    key: Path,
    builder_key: Path | None,
    root_sha256: str | None,
    yes: bool,
    reason: str,
) -> ModelVersion:
    label = f"{model.name}:{model.version}"
    found = client.model(*model)
    if found.state is ModelState.APPROVED:
        return found
    proposal = client.propose_model(*model, Decision(reason=reason))
    if proposal.state is ProposalState.OPEN:
        review = reviewed(client, out, proposal, root_sha256, yes)
        (change,) = review.changes
        approved = approved_files(review.trusted.roles, model.name)
        judged = judge(client, label, change.subject, change.digest or "", change.custom, approved)
        out.progress.print(draw(judged, proposal))
        _ask(f"Sign the approval of {label}", yes, f"lineside models approve {label} --key FILE")
        signed(client, review, key)
        if judged.code is not None:
            code = judged.code
            _sign_code(client, out, code.name, code.version, key, builder_key, root_sha256, yes)
    return client.model(*model)


def _sign_code(
    client: Client,
    out: Output,
    name: str,
    version: str,
    key: Path,
    builder_key: Path | None,
    root_sha256: str | None,
    yes: bool,
) -> None:
    """Sign the code that runs the model, too, when there is a key for it; else say who must."""
    try:
        sign_component(client, out, name, version, builder_key or key, root_sha256, yes)
    except LinesideError as error:
        if builder_key is not None or error.code not in ("trust.nothing_to_sign", "trust.key_not_asked"):
            raise
        out.say(f"Builders must sign the code that runs it: lineside components sign {name} {version} --key FILE")


def _sign_withdrawal(
    client: Client, out: Output, found: ModelVersion, key: Path, root_sha256: str | None, yes: bool
) -> None:
    assert found.approval is not None
    proposal = client.proposal(str(found.approval.proposal))
    review = reviewed(client, out, proposal, root_sha256, yes)
    (change,) = review.changes
    if change.subject != model_path(found.name, found.version):
        raise LinesideError("approval.not_what_it_says", subject=found.label, why=f"it withdraws {change.subject}")
    out.say(f"Devices will no longer install {found.label}: {proposal.why}")
    _ask(f"Withdraw the approval of {found.label}", yes, f"lineside models withdraw {found.label} --key FILE")
    signed(client, review, key)


def draw(judged: Judged, proposal: Proposal) -> RenderableType:
    """What is to be signed about a model."""
    said, report = judged.statement, judged.report
    twins = ", ".join(_twin(one) for one in report.twins) if report else "none"
    signatures, needed = proposal.signed
    head = details(
        (
            ("model", said.label),
            ("digest", said.digest),
            ("recipe", said.recipe),
            ("golden set", said.golden),
            ("dataset", f"{said.dataset} {said.dataset_digest or ''}" if said.dataset else "none"),
            ("run", f"{said.run}, started by {said.started_by or 'nobody known'}" if said.run else "none"),
            ("twin test", f"{said.twin_rollout} {report.state}: {twins}" if report else "none"),
            ("twin report", said.twin_report),
            ("statement", said.content),
            ("signatures", f"{signatures} of {needed}"),
        )
    )
    by = rows(("signed already", "key"), ((one.name, one.key[:12]) for one in proposal.signatures), "")
    tested = [draw_report(report)] if report is not None and report.stages else []
    return Group(head, metrics_table(said.metrics), draw_gates(said.gates), *tested, by)


def _twin(twin: TwinOutcome) -> str:
    return f"{twin.device} {twin.progress}{f' as {twin.profile}' if twin.profile else ''}"


def _ask(question: str, yes: bool, command: str) -> None:
    if not yes and not asked(question):
        raise LinesideError("approval.not_given", command=command)
