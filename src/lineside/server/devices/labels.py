"""Labels and facts of devices, a row each, so that devices are selected by SQL.

A key is either a fact, which devices alone say, or a label: a person's, else what the device's own configuration
suggests. A person's label hides the suggestion, which is kept and comes back when the label is taken away.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, ForeignKey, Index, String, delete, insert, literal, null, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.errors import LinesideError
from lineside.contract.facts import is_fact
from lineside.contract.group import Label
from lineside.contract.selector import KEY, Operator, Requirement, Selector, number_of
from lineside.server.database import Base
from lineside.server.devices.store import DeviceRow

LONGEST, MOST = 255, 64
"""Letters of a value, labels of a device."""
AT_ONCE = 500
"""Names in one statement: SQLite allows some thousand parameters."""


class Origin(enum.Enum):
    """Who says it."""

    FACT = "fact"
    DEVICE = "device"
    PERSON = "person"


class LabelRow(Base):
    """A label or a fact of a device; `number` is its value as comparisons see it."""

    __tablename__ = "device_labels"
    __table_args__ = (Index("ix_device_labels_key_value", "key", "value"),)

    device: Mapped[str] = mapped_column(ForeignKey("devices.name", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(63), primary_key=True)
    value: Mapped[str] = mapped_column(String(LONGEST))
    number: Mapped[float | None]
    origin: Mapped[str] = mapped_column(String(16))
    suggested: Mapped[str | None] = mapped_column(String(LONGEST), default=None)  # by the device's configuration


def check_label(key: str, value: str = "") -> None:
    """Raises `label.invalid`, `label.is_fact`."""
    if KEY.fullmatch(key) is None:
        raise LinesideError("label.invalid", key=repr(key[:80]), why="its key has other characters, or too many")
    if is_fact(key):
        raise LinesideError("label.is_fact", key=key)
    if len(value) > LONGEST or not value.isprintable():
        raise LinesideError("label.invalid", key=key, why="its value has other characters, or too many")


def selected(selector: Selector) -> ColumnElement[bool]:
    """The selector as a condition on `DeviceRow`; the same devices as `Selector.matches` on their attributes."""
    condition: ColumnElement[bool] = literal(True)
    for number, requirement in enumerate(selector.requirements):
        condition = condition & _holds(requirement) if number else _holds(requirement)
    return condition


def _holds(requirement: Requirement) -> ColumnElement[bool]:
    having = select(LabelRow.device).where(LabelRow.key == requirement.key)
    match requirement.operator:
        case Operator.EQUALS | Operator.IN:
            return DeviceRow.name.in_(having.where(LabelRow.value.in_(requirement.values)))
        case Operator.DIFFERS | Operator.NOT_IN:
            return DeviceRow.name.not_in(having.where(LabelRow.value.in_(requirement.values)))
        case Operator.HAS:
            return DeviceRow.name.in_(having)
        case Operator.HAS_NOT:
            return DeviceRow.name.not_in(having)
        case compares:
            return DeviceRow.name.in_(having.where(LabelRow.number.op(compares.value)(requirement.number)))


def attributes_of(session: Session, devices: Sequence[str]) -> dict[str, dict[str, str]]:
    """Labels and facts of these devices, as selectors see them."""
    found: dict[str, dict[str, str]] = {device: {} for device in devices}
    for start in range(0, len(devices), AT_ONCE):
        named = LabelRow.device.in_(devices[start : start + AT_ONCE])
        for row in session.execute(select(LabelRow.device, LabelRow.key, LabelRow.value).where(named)):
            found[row.device][row.key] = row.value
    return found


def labels_of(session: Session, devices: Sequence[str]) -> dict[str, tuple[Label, ...]]:
    """Labels of these devices without their facts, by key."""
    found: dict[str, tuple[Label, ...]] = {}
    labels = select(LabelRow).where(LabelRow.device.in_(devices), LabelRow.origin != Origin.FACT.value)
    for row in session.scalars(labels.order_by(LabelRow.key)):
        label = Label(key=row.key, value=row.value, person=row.origin == Origin.PERSON.value)
        found[row.device] = (*found.get(row.device, ()), label)
    return found


def set_labels(session: Session, devices: Sequence[str], labels: Mapping[str, str]) -> None:
    """Label these devices, as a person. Raises `label.invalid`, `label.is_fact`."""
    for key, value in labels.items():
        check_label(key, value)
        values = {"value": value, "number": number_of(key, value), "origin": Origin.PERSON.value}
        for start in range(0, len(devices), AT_ONCE):
            some = devices[start : start + AT_ONCE]
            has = LabelRow.device.in_(some), LabelRow.key == key
            session.execute(update(LabelRow).where(*has).values(values), execution_options=_BLIND)
            lacking = DeviceRow.name.in_(some), DeviceRow.name.not_in(select(LabelRow.device).where(*has))
            row = [literal(one) if one is not None else null() for one in (key, *values.values())]
            new = select(DeviceRow.name, *row).where(*lacking)
            session.execute(insert(LabelRow).from_select(["device", "key", *values], new, include_defaults=False))
    session.expire_all()


def remove_labels(session: Session, devices: Sequence[str], keys: Sequence[str]) -> None:
    """Take a person's labels away from these devices; what the devices' own configuration says there holds again."""
    for start in range(0, len(devices), AT_ONCE):
        some = devices[start : start + AT_ONCE]
        persons = LabelRow.device.in_(some), LabelRow.key.in_(keys), LabelRow.origin == Origin.PERSON.value
        session.execute(delete(LabelRow).where(*persons, LabelRow.suggested.is_(None)), execution_options=_BLIND)
        pairs = session.execute(select(LabelRow.key, LabelRow.suggested).where(*persons).distinct()).all()
        for key, value in pairs:
            assert value is not None  # the others are gone
            values = {"value": value, "number": number_of(key, value), "origin": Origin.DEVICE.value}
            these = (*persons, LabelRow.key == key, LabelRow.suggested == value)
            session.execute(update(LabelRow).where(*these).values(values), execution_options=_BLIND)
    session.expire_all()


_BLIND = {"synchronize_session": False}


def rewrite(session: Session, device: str, facts: Mapping[str, str], suggested: Mapping[str, str]) -> dict[str, str]:
    """Make these the device's facts, and these its own suggestions of labels; what it is selected by now."""
    rows = {row.key: row for row in session.scalars(select(LabelRow).where(LabelRow.device == device))}
    for key, row in rows.items():
        if key not in facts and key not in suggested and row.origin != Origin.PERSON.value:
            session.delete(row)
        elif row.origin == Origin.PERSON.value:
            row.suggested = suggested.get(key)
    said = [(key, value, Origin.DEVICE) for key, value in suggested.items()]
    said += [(key, value, Origin.FACT) for key, value in facts.items()]
    for key, value, origin in said:
        there = rows.get(key)
        if there is None:
            there = LabelRow(device=device, key=key)
            session.add(there)
            rows[key] = there
        elif there.origin == Origin.PERSON.value or there.value == value:
            continue
        there.value, there.number, there.origin = value, number_of(key, value), origin.value
        there.suggested = value if origin is Origin.DEVICE else None
    session.flush()
    return {key: row.value for key, row in rows.items() if row in session}
