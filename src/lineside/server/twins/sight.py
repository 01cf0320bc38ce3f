"""A twin test as the state machine sees it: by the rollouts of its deployments, devices' reports and answers. Reads
only."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.approval import NEEDED_CHECKS, TwinOutcome, twin_shortfalls
from lineside.contract.inquiry import InquiryAnswer
from lineside.contract.reported import Report
from lineside.contract.rollout import RolloutState
from lineside.contract.twin import TWINS, TestResult, TwinAnswer, TwinCheck, TwinState
from lineside.server.clock import parse_rfc3339
from lineside.server.components.recipes import inference_component
from lineside.server.devices.inquiries import Inquiries
from lineside.server.devices.store import DeviceRow, devices_in
from lineside.server.rollouts import store as rollouts
from lineside.server.services import Core
from lineside.server.twins import judging, model
from lineside.server.twins.content import Content
from lineside.server.twins.store import TwinTestRow

_BY_DIGEST = {TwinState.ROLLING_BACK: "rolled back", TwinState.REINSTALLING: "reinstalled"}
_SO_FAR = {
    TwinState.MEASURING: NEEDED_CHECKS[:-2],
    TwinState.ROLLING_BACK: NEEDED_CHECKS[:-1],
    TwinState.REINSTALLING: NEEDED_CHECKS,
}


class Sight:
    """Looks at twin tests."""

    def __init__(self, core: Core, inquiries: Inquiries, content: Content) -> None:
        self._core, self._inquiries, self._content = core, inquiries, content

    def look(self, session: Session, row: TwinTestRow) -> model.View:
        """What is true now."""
        twins = self._twins(session, row)
        took = (self._core.clock.now() - parse_rfc3339(row.entered_at)).total_seconds()
        limit = self._core.settings.twin_stage_seconds
        state, why = self._rollout(session, row)
        measuring = row.state is TwinState.MEASURING
        answers = {twin: self._answer(session, row, twin) for twin in twins} if measuring else {}
        unanswered = tuple(twin for twin, answer in answers.items() if answer is None or not answer.done)
        return model.View(
            state=row.state,
            twins=twins,
            rollout=state,
            rollout_why=why,
            soak_left=max(0.0, self._core.settings.twin_soak_seconds - took),
            unasked=tuple(twin for twin in twins if measuring and _is_lost(answers[twin])),
            unanswered=unanswered,
            wrong=() if unanswered or not twins else self._wrong(session, row, state),
            overdue=limit if took > limit else 0.0,
        )

    def outcomes(self, session: Session, row: TwinTestRow) -> dict[str, TwinOutcome]:
        """What is known of each twin when the stage under way ends."""
        return {twin: self._outcome(session, row, twin) for twin in self._twins(session, row)}

    def outputs(self, session: Session, row: TwinTestRow) -> list[str]:
        """What the tests printed."""
        answers = (self._answer(session, row, twin) for twin in self._twins(session, row))
        return [test.output for answer in answers if answer is not None for test in _tests(answer)]

    def restarts(self, session: Session, row: TwinTestRow) -> dict[str, int]:
        """How often each twin's components have been started again so far."""
        reports = ((twin, self._report(session, twin)) for twin in self._twins(session, row))
        return {twin: sum(one.restarts for one in report.running) for twin, report in reports if report is not None}

    def _twins(self, session: Session, row: TwinTestRow) -> tuple[str, ...]:
        there = set(devices_in(session, TWINS))
        return tuple(twin for twin in row.twins if twin in there)

    def _rollout(self, session: Session, row: TwinTestRow) -> tuple[RolloutState | None, str]:
        found = rollouts.rollout(session, row.rollout) if row.rollout else None
        if found is None:
            return None, ""
        errors = [
            f"{one.device}: {one.error.message}" for one in rollouts.devices_of(session, found.number) if one.error
        ]
        why = f"{found.id} is {found.state.value.replace('_', ' ')}"
        return found.state, "; ".join((why, *errors[:3]))

    def _answer(self, session: Session, row: TwinTestRow, twin: str) -> InquiryAnswer | None:
        asked = row.asked.get(twin)
        return None if asked is None else self._inquiries.answer_within(session, twin, asked)

    def _wrong(self, session: Session, row: TwinTestRow, state: RolloutState | None) -> tuple[str, ...]:
        needed = _SO_FAR.get(row.state)
        if needed is None or (row.state in _BY_DIGEST and state is not RolloutState.SUCCEEDED):
            return ()
        outcomes = self.outcomes(session, row).values()
        return tuple(words for outcome in outcomes for words in twin_shortfalls(outcome, needed))

    def _outcome(self, session: Session, row: TwinTestRow, twin: str) -> TwinOutcome:
        known = row.outcomes.get(twin) or TwinOutcome(device=twin, progress="installing")
        if row.state in (TwinState.PREPARING, TwinState.INSTALLING):
            return self._installed(session, row, known)
        if row.state is TwinState.MEASURING:
            answer = self._answer(session, row, twin)
            return known if answer is None else self._measured(row, known, answer)
        if row.state in _BY_DIGEST:
            return self._compared(session, row, known)
        return known

    def _installed(self, session: Session, row: TwinTestRow, known: TwinOutcome) -> TwinOutcome:
        found = rollouts.rollout(session, row.rollout) if row.rollout else None
        members = {one.device: one for one in rollouts.devices_of(session, found.number)} if found else {}
        member = members.get(known.device)
        if member is None:
            return known
        error = member.error.code if member.error else ""
        return msgspec.structs.replace(known, progress=member.progress.value, error=error)

    def _measured(self, row: TwinTestRow, known: TwinOutcome, answer: InquiryAnswer) -> TwinOutcome:
        tests, said = judging.newest(_tests(answer)), _measurement(answer)
        error = next((part.error.code for part in answer.parts if part.error is not None), "")
        if said is None:
            return msgspec.structs.replace(known, error=error or "inquiry.no_answer")
        inference = inference_component(row.model.rpartition(":")[0])
        profile = judging.profile_in(said.facts)
        return msgspec.structs.replace(
            known,
            profile=profile.name if profile is not None else "",
            limits=str(said.facts.get("limits", ""))[:200],
            checks=judging.checks_of(said, tests, inference, row.restarts.get(known.device, 0)),
            tests=tuple(judging.run_of(test) for test in tests),
        )

    def _compared(self, session: Session, row: TwinTestRow, known: TwinOutcome) -> TwinOutcome:
        back = row.state is TwinState.ROLLING_BACK
        wanted = self._content.digests(session, row.before if back else row.wanted)
        gone: Mapping[str, object] = row.wanted if back else row.before
        check = judging.digests_check(
            _BY_DIGEST[row.state], wanted, gone.keys() - wanted.keys(), self._report(session, known.device)
        )
        others: tuple[TwinCheck, ...] = tuple(one for one in known.checks if one.name != check.name)
        return msgspec.structs.replace(known, checks=(*others, check))

    def _report(self, session: Session, twin: str) -> Report | None:
        row = session.get(DeviceRow, twin)
        return None if row is None else row.report


def _tests(answer: InquiryAnswer) -> list[TestResult]:
    return [part.test for part in answer.parts if part.test is not None]


def _measurement(answer: InquiryAnswer) -> TwinAnswer | None:
    return next((part.measured for part in reversed(answer.parts) if part.measured is not None), None)


def _is_lost(answer: InquiryAnswer | None) -> bool:
    return answer is None or (answer.expired and not answer.done)
