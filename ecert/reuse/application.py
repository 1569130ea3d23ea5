"""An application 申请: for a matter and an applicant, who may have what, and what the registry holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ecert.errors import InputError
from ecert.ledger.acting import Desk
from ecert.ledger.register import without_competence
from ecert.ledger.standing import standing
from ecert.ledger.successors import read_successors
from ecert.ledger.trail import DONE, AuditEntry
from ecert.model import (
    DEFAULT_ZONE,
    Actor,
    Application,
    Record,
    civil_date,
    is_line,
)
from ecert.reuse.asking import Asking, asking_for, of_today
from ecert.reuse.checklist import Checklist, Holdings, Item, draw_up
from ecert.reuse.grant import check_grant
from ecert.reuse.matter import MAX_CODE, Matter, Owner, find_matter
from ecert.reuse.sharing import Access, Permission, Permissions, permit
from ecert.store import (
    GrantRow,
    Reading,
    holders,
    matters,
    rules,
)

MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Admitted:
    """An application that may be answered: for whom, and what may be used."""

    asking: Asking
    permissions: Permissions
    holder_hmac: bytes | None
    by: Actor

    @property
    def matter(self) -> Matter:
        """The matter that is applied for."""
        return self.asking.matter


def draw(desk: Desk, application: Application, by: Actor) -> tuple[Checklist, list[AuditEntry]]:
    """Draw up a checklist without writing its audit rows yet; the caller must write them first.

    Raises: NotFound, GrantNotValid, ConsentOfAnother, FieldNotAllowed, InputError.
    """
    check_application(application)
    with desk.store.reading() as reading:
        now = desk.clock()
        admitted = admit(desk, reading, application, by, now)
        checklist = draw_checklist(reading, application, admitted, now)
    return checklist, [
        AuditEntry("checklist", admitted.by, details=about(application, admitted)),
        *(
            AuditEntry(
                "check", admitted.by, DONE, item.record.id, line_about(application, admitted, item)
            )
            for item in checklist.items
            if item.record is not None
        ),
    ]


def entry_of(desk: Desk, action: str, application: Application, by: Actor) -> AuditEntry:
    """Begin the trail's row of an application: it names the matter if there is one, never a holder.

    What is no matter's code might be a holder's, and stays out.
    """
    with desk.store.reading() as reading:
        is_matter = matters.newest(reading, application.matter[:MAX_CODE]) is not None
    return AuditEntry(action, replace(by, matter=application.matter) if is_matter else by)


def check_application(application: Application) -> None:
    """Check what can be said of an application by itself. Raises: InputError."""
    for name in ("holder_code", "project_code", "situation"):
        value = getattr(application, name)
        if value is not None and not is_line(value, 64):
            raise InputError(f"{name} is one line of at most 64 characters")
    if not is_line(application.case_number, MAX_TEXT):
        raise InputError(f"case_number is one line of at most {MAX_TEXT} characters")
    accepted, due = application.accepted_on, application.due_on
    if accepted is not None and due is not None and due < accepted:
        raise InputError("a case is due no sooner than it was accepted")
    if not (application.holder_code or application.project_code or application.grant):
        raise InputError("say for whom: a holder_code, a project_code or a grant")


def admit(
    desk: Desk, reading: Reading, application: Application, by: Actor, now: datetime
) -> Admitted:
    """Decide who may have what before anything of the applicant is looked up."""
    asking = asking_for(reading, application.matter, by, now)
    matter, line = asking.matter, asking.line
    if application.situation is not None and application.situation not in matter.situations:
        raise InputError("the matter has no such situation")
    code = application.holder_code
    holder_hmac = None if code is None else desk.secrets.hide(code)
    grant = _grant(reading, application, asking, holder_hmac=holder_hmac, now=now)
    access = Access(rules.listed(reading, line), line, grant, civil_date(now, DEFAULT_ZONE))
    permissions = permit(matter, access, application.fields)
    acting = replace(by, matter=matter.code, purpose=by.purpose or matter.name["zh"])
    granted = holder_hmac if grant is None else grant.holder_hmac
    return Admitted(asking, permissions, granted, acting)


def _grant(
    reading: Reading,
    application: Application,
    asking: Asking,
    *,
    holder_hmac: bytes | None,
    now: datetime,
) -> GrantRow | None:
    if application.grant is None:
        return None
    return check_grant(
        reading,
        application.grant,
        asking=asking,
        situation=application.situation,
        holder_hmac=holder_hmac,
        now=now,
    )


def draw_checklist(
    reading: Reading, application: Application, admitted: Admitted, now: datetime
) -> Checklist:
    """Draw up the checklist of what was admitted, from what the registry holds."""
    return draw_up(
        admitted.matter,
        situation=application.situation,
        project_code=application.project_code,
        holdings=_holdings(reading, application, admitted, now),
        permissions=admitted.permissions,
        now=now,
    )


def _holdings(
    reading: Reading, application: Application, admitted: Admitted, now: datetime
) -> Holdings:
    """Look up what may be looked at, and nothing else."""
    allowed = {slug for _, slug in admitted.permissions}
    of_holder: list[Record] = []
    of_project: list[Record] = []
    if admitted.holder_hmac is not None:
        of_holder = holders.held(reading, admitted.holder_hmac, allowed)
    if application.project_code is not None:
        of_project = holders.of_project(reading, application.project_code, allowed)
    elif any(one.owner is Owner.PROJECT for one in admitted.matter.materials):
        of_project = of_holder  # no project was named: the holder's own projects
    found = [*of_holder, *of_project]
    return Holdings(
        standing(reading, of_holder, now),
        standing(reading, of_project, now),
        _of_granter(reading, admitted.holder_hmac, found),
        without_competence(reading, found),
    )


def _of_granter(
    reading: Reading, holder_hmac: bytes | None, records: Sequence[Record]
) -> frozenset[str]:
    if holder_hmac is None:
        return frozenset()
    return holders.held_among(reading, holder_hmac, [record.id for record in records])


@dataclass(frozen=True, slots=True)
class OwnQuestion:
    """What a holder asks before he applies: a matter, a situation, and one of his projects."""

    matter: str
    situation: str | None = None
    project_code: str | None = None


def draw_own(
    reading: Reading, question: OwnQuestion, holder_hmac: bytes, now: datetime
) -> Checklist:
    """Draw up a matter's checklist for a holder himself: from what he holds, and nothing else.

    Raises: NotFound, InputError.
    """
    matter = of_today(find_matter(reading, question.matter), read_successors(reading, now))
    if question.situation is not None and question.situation not in matter.situations:
        raise InputError("the matter has no such situation")
    held = standing(reading, holders.held(reading, holder_hmac, matter.slugs), now)
    project = question.project_code
    of_project = [one for one in held if project in {None, one.body["project_code"]}]
    own = {
        (material.code, option.slug): Permission(option.fields, None, None)
        for material in matter.materials
        for option in material.options
    }
    return draw_up(
        matter,
        situation=question.situation,
        project_code=project,
        holdings=Holdings(held, of_project, frozenset(), without_competence(reading, held)),
        permissions=own,
        now=now,
    )


def about(application: Application, admitted: Admitted) -> dict[str, Any]:
    """Say what the trail keeps of an application."""
    about: dict[str, Any] = {"case_number": application.case_number, **received(admitted)}
    if application.situation is not None:
        about["situation"] = application.situation
    if application.grant is not None:
        about["grant"] = application.grant
    if admitted.holder_hmac is not None:
        about["holder_hmac"] = admitted.holder_hmac.hex()
    return about


def received(admitted: Admitted) -> dict[str, str]:
    """Say for whom a window received; its own agency stands in the row."""
    asking = admitted.asking
    return {} if asking.received_by is None else {"received_for": asking.agency}


def line_about(application: Application, admitted: Admitted, item: Item) -> dict[str, Any]:
    """Say what the trail keeps of one line of a checklist."""
    basis = {} if item.permission is None else item.permission.to_json()
    return {
        **received(admitted),
        "case_number": application.case_number,
        "material": item.material.code,
        "basis": basis,
    }
