"""Fulfilment 用证: for a matter and an applicant, the fewest facts that answer, and proof of having asked.

One straight line: access → checklist → presentations → one transaction → dossier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from ecert._encoding import b64url, canonical_plain, sha256
from ecert.audit import DONE, AuditEntry
from ecert.audit import record as write_rows
from ecert.errors import (
    EcertError,
    IdempotencyMismatch,
    InputError,
    NotFound,
    QuotaExceeded,
    StoreBusy,
)
from ecert.formats import credential
from ecert.formats.dossier import (
    Dossier,
    Given,
    holder_commitment,
    presentation_digest,
    sign_dossier,
)
from ecert.formats.receipt import SALT_BYTES
from ecert.keys import SigningKey
from ecert.model import (
    DEFAULT_ZONE,
    Actor,
    Record,
    Status,
    civil_date,
    effective_status,
    is_line,
)
from ecert.reuse.checklist import Checklist, Holdings, Item, draw_up
from ecert.reuse.desk import ReuseDesk, acting_agency, line_of
from ecert.reuse.grant import check_grant
from ecert.reuse.matter import Form, Matter, Owner
from ecert.reuse.sharing import NO_MATTER, WHOLE, Access, Asked, Permissions, permit
from ecert.store import (
    DossierRow,
    GrantRow,
    Reading,
    Transaction,
    certificates,
    dossiers,
    holders,
    matters,
    quotas,
    rules,
)

MAX_TEXT = 200
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Application:
    """What somebody applies for 申请: the matter, the case, and for whom.

    At least one of ``holder_code``, ``project_code`` and ``grant`` says for whom. ``fields`` asks
    for fewer fields than the matter needs. ``accepted_on`` and ``due_on`` let supervisors see
    whether the case keeps its promise.
    """

    matter: str
    case_number: str
    holder_code: str | None = None
    project_code: str | None = None
    case: str | None = None
    grant: str | None = None
    fields: Asked | None = None
    accepted_on: date | None = None
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class Presented:
    """One certificate of a dossier: its credential with only the needed fields disclosed."""

    item: Item
    credential: str
    fields: tuple[str, ...]

    @property
    def record(self) -> Record:
        """The certificate."""
        assert self.item.record is not None  # noqa: S101 - only what was met is presented
        return self.item.record


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """A dossier as it was handed over; ``salt`` opens the statement's commitment to the holder."""

    row: DossierRow
    checklist: Checklist
    presented: tuple[Presented, ...]

    def to_json(self, receipts: Mapping[str, str]) -> dict[str, Any]:
        """Give the dossier as JSON, with the receipt of each certificate."""
        return {
            "id": self.row.id,
            "revision": self.row.revision,
            "case_number": self.row.case_number,
            "statement": self.row.token,
            "salt": b64url(self.row.salt),
            "checklist": self.checklist.to_json(),
            "presentations": [
                {
                    "material": one.item.material.code,
                    "certificate": one.record.id,
                    "status": one.record.status.value,
                    "credential": one.credential,
                    "receipt": receipts.get(one.record.id),
                }
                for one in self.presented
            ],
        }


@dataclass(frozen=True, slots=True)
class _Admitted:
    """An application that may be answered: for whom, and what may be used."""

    matter: Matter
    permissions: Permissions
    holder_hmac: bytes | None
    by: Actor


# -- the checklist -----------------------------------------------------------------------------------


def draw(
    desk: ReuseDesk, application: Application, by: Actor
) -> tuple[Checklist, list[AuditEntry]]:
    """Draw up a checklist without writing its audit rows yet; the caller must write them first.

    Raises: NotFound, GrantNotValid, ConsentOfAnother, FieldNotAllowed, InputError.
    """
    _check(application)
    with desk.store.reading() as reading:
        now = desk.clock()
        admitted = _admit(desk, reading, application, by, now)
        checklist = _draw(reading, application, admitted, now)
    return checklist, [
        AuditEntry("checklist", admitted.by, details=_about(application, admitted)),
        *(
            AuditEntry("check", admitted.by, DONE, item.record.id, _line(application, item))
            for item in checklist.items
            if item.record is not None
        ),
    ]


def refused(
    desk: ReuseDesk, action: str, application: Application, by: Actor, error: EcertError
) -> AuditEntry:
    """Write down a refusal: it names the matter if there is one, never a holder.

    What is no matter's code might be a holder's, and stays out.
    """
    with desk.store.reading() as reading:
        is_matter = matters.newest(reading, application.matter[:64]) is not None
    acting = replace(by, matter=application.matter) if is_matter else by
    return AuditEntry(action, acting, error.code)


def _check(application: Application) -> None:
    for name in ("holder_code", "project_code", "case"):
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


def _admit(
    desk: ReuseDesk, reading: Reading, application: Application, by: Actor, now: datetime
) -> _Admitted:
    """Decide who may have what before anything of the applicant is looked up."""
    line = line_of(reading, by)
    matter = desk.matter(reading, application.matter)
    if matter.agency not in line:
        raise NotFound(NO_MATTER)
    if application.case is not None and application.case not in matter.cases:
        raise InputError("the matter has no such case")
    code = application.holder_code
    holder_hmac = None if code is None else desk.holder_hmac(code)
    grant = _grant(reading, application, by, matter=matter, holder_hmac=holder_hmac, now=now)
    access = Access(rules.listed(reading, line), line, grant, civil_date(now, DEFAULT_ZONE))
    permissions = permit(matter, access, application.fields)
    acting = replace(by, matter=matter.code, purpose=by.purpose or matter.name["zh"])
    granted = holder_hmac if grant is None else grant.holder_hmac
    return _Admitted(matter, permissions, granted, acting)


def _grant(
    reading: Reading,
    application: Application,
    by: Actor,
    *,
    matter: Matter,
    holder_hmac: bytes | None,
    now: datetime,
) -> GrantRow | None:
    if application.grant is None:
        return None
    return check_grant(
        reading,
        application.grant,
        by=by,
        matter=matter,
        case=application.case,
        holder_hmac=holder_hmac,
        now=now,
    )


def _draw(
    reading: Reading, application: Application, admitted: _Admitted, now: datetime
) -> Checklist:
    return draw_up(
        admitted.matter,
        case=application.case,
        project_code=application.project_code,
        holdings=_holdings(reading, application, admitted, now),
        permissions=admitted.permissions,
        now=now,
    )


def _holdings(
    reading: Reading, application: Application, admitted: _Admitted, now: datetime
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
    seconds = now.timestamp()
    return Holdings(
        [_today(record, seconds) for record in of_holder],
        [_today(record, seconds) for record in of_project],
        _of_granter(reading, admitted.holder_hmac, [*of_holder, *of_project]),
    )


def _of_granter(
    reading: Reading, holder_hmac: bytes | None, records: Sequence[Record]
) -> frozenset[str]:
    if holder_hmac is None:
        return frozenset()
    return holders.held_among(reading, holder_hmac, [record.id for record in records])


def _today(record: Record, now: float) -> Record:
    status = effective_status(record.status, record.exp, now)
    return record if status is record.status else replace(record, status=status)


def _about(application: Application, admitted: _Admitted) -> dict[str, Any]:
    about: dict[str, Any] = {"case_number": application.case_number}
    if application.case is not None:
        about["case"] = application.case
    if application.grant is not None:
        about["grant"] = application.grant
    if admitted.holder_hmac is not None:
        about["holder_hmac"] = admitted.holder_hmac.hex()
    return about


def _line(application: Application, item: Item) -> dict[str, Any]:
    basis = {} if item.permission is None else item.permission.to_json()
    return {
        "case_number": application.case_number,
        "material": item.material.code,
        "basis": basis,
    }


# -- the dossier -------------------------------------------------------------------------------------


def fulfil(desk: ReuseDesk, application: Application, by: Actor) -> Fulfilled:
    """Answer an application: only the fields that are needed, a signed statement, and the trail.

    Asked again for the same case, access and status are checked afresh; if nothing changed it is
    the same dossier, otherwise its next revision. Everything is durable when this returns.
    Raises: NotFound, GrantNotValid, ConsentOfAnother, FieldNotAllowed, QuotaExceeded,
    IdempotencyMismatch when the case number was used for another applicant, InputError.
    """
    _check(application)
    key = desk.registry_key()  # before the transaction: an older home makes it only now
    for _ in range(_ATTEMPTS):
        now = desk.clock()
        with desk.store.reading() as reading:
            admitted = _admit(desk, reading, application, by, now)
            checklist = _draw(reading, application, admitted, now)
        presented = _present(checklist)
        draft = _Draft(
            desk=desk,
            key=key,
            application=application,
            admitted=admitted,
            checklist=checklist,
            presented=presented,
            given=_given(presented),
            now=now,
        )
        row = desk.store.write(draft.commit)
        if row is not None:
            return Fulfilled(row, checklist, presented)
    raise StoreBusy("the certificates kept changing; nothing was given, ask again")


def wants_copy(item: Item) -> bool:
    """Tell whether a material wants an annotated copy, and a rule opens all that its face shows."""
    permission = item.permission
    is_whole = (
        permission is not None
        and permission.grant is None
        and permission.rule is not None
        and WHOLE in permission.rule.fields
    )
    return item.material.form is Form.COPY and is_whole


def _present(checklist: Checklist) -> tuple[Presented, ...]:
    return tuple(
        Presented(
            item, *credential.present_available(item.record.credential, item.permission.fields)
        )
        for item in checklist.met
        if item.record is not None and item.permission is not None
    )


def _given(presented: Sequence[Presented]) -> tuple[Given, ...]:
    return tuple(
        Given(
            material=one.item.material.code,
            certificate=one.record.id,
            credential_digest=b64url(one.record.digest),
            fields=one.fields,
            presentation=presentation_digest(one.credential),
            basis=one.item.permission.to_json() if one.item.permission else {},
        )
        for one in presented
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A dossier on its way into the store."""

    desk: ReuseDesk
    key: SigningKey
    application: Application
    admitted: _Admitted
    checklist: Checklist
    presented: tuple[Presented, ...]
    given: tuple[Given, ...]
    now: datetime

    def commit(self, tx: Transaction) -> DossierRow | None:
        """Write the dossier and its audit rows; None when something changed since it was drawn."""
        if not self.still_holds(tx):
            return None
        self.use_quotas(tx)
        previous = dossiers.lock(tx, self.client, self.application.matter, self.number)
        row = self.row(previous)
        if row is not previous:
            dossiers.put(tx, row, self.items(), is_new=previous is None)
        rows = [self.audit_row(row), *(self.use(row, one) for one in self.presented)]
        write_rows(tx, rows, now=self.now, randomness=self.desk.randomness)
        return row

    def still_holds(self, tx: Transaction) -> bool:
        """Look again, under the lock: grant, rules and statuses must be what they were."""
        locked = certificates.lock_statuses(tx, [one.record.id for one in self.presented])
        now = self.now.timestamp()
        for one in self.presented:
            _, status, exp = locked.get(one.record.id, ("", Status.WITHDRAWN, None))
            if effective_status(status, exp, now) is not Status.VALID:
                return False
        again = _admit(self.desk, tx, self.application, self.admitted.by, self.now)
        return again.permissions == self.admitted.permissions

    def use_quotas(self, tx: Transaction) -> None:
        """Count what is given against the quotas of rules and client. Raises: QuotaExceeded."""
        day = civil_date(self.now, DEFAULT_ZONE).isoformat()
        rules = [one.item.permission.rule for one in self.presented if one.item.permission]
        limited = {one.id: one for one in rules if one is not None and one.daily_quota is not None}
        wanted = [
            (f"rule:{rule_id}", rules.count(rule), rule.daily_quota)
            for rule_id, rule in sorted(limited.items())
        ]
        client = self.admitted.by.client or ""
        wanted.append((f"client:{client}", len(rules), self.desk.client_quota(client)))
        for scope, count, most in wanted:
            if most is not None and not quotas.use(tx, scope, day, count, most):
                raise QuotaExceeded("the quota of this day is used up")

    @property
    def client(self) -> str:
        """Under whose name the case number counts."""
        return self.admitted.by.client or f"agency:{self.admitted.by.agency}"

    @property
    def number(self) -> str:
        return self.application.case_number

    def row(self, previous: DossierRow | None) -> DossierRow:
        """Make the dossier's row; the previous one, if what was given is the same.

        Raises: IdempotencyMismatch.
        """
        asked, outcome = self.asked(), self.outcome()
        if previous is not None and previous.asked != asked:
            raise IdempotencyMismatch("this case number was used for another application")
        if previous is not None and previous.outcome == outcome:
            return previous
        salt = self.desk.randomness(SALT_BYTES)
        identifier = self.desk.new_id(self.now) if previous is None else previous.id
        revision = 1 if previous is None else previous.revision + 1
        application = self.application
        return DossierRow(
            id=identifier,
            client=self.client,
            agency=acting_agency(self.admitted.by),
            matter=self.admitted.matter.code,
            version=self.admitted.matter.version,
            case_number=self.number,
            asked=asked,
            outcome=outcome,
            holder_hmac=self.admitted.holder_hmac,
            project_code=application.project_code,
            token=self.sign(identifier, revision, salt),
            salt=salt,
            revision=revision,
            accepted_on=None if application.accepted_on is None else str(application.accepted_on),
            due_on=None if application.due_on is None else str(application.due_on),
            created_at=int(self.now.timestamp()) if previous is None else previous.created_at,
        )

    def asked(self) -> bytes:
        """Name by a digest for whom and what was asked; grant and days may be others next time."""
        application, holder = self.application, self.admitted.holder_hmac
        fields = application.fields
        return sha256(
            canonical_plain(
                {
                    "holder": None if holder is None else holder.hex(),
                    "project": application.project_code,
                    "case": application.case,
                    "fields": None if fields is None else {k: sorted(v) for k, v in fields.items()},
                }
            )
        )

    def outcome(self) -> bytes:
        """Name by a digest what was given."""
        given = [one.to_json() for one in self.given]
        version = self.admitted.matter.version
        return sha256(
            canonical_plain({"given": given, "states": self.states(), "version": version})
        )

    def states(self) -> dict[str, str]:
        return {item.material.code: item.state.value for item in self.checklist.items}

    def sign(self, identifier: str, revision: int, salt: bytes) -> str:
        by, application = self.admitted.by, self.application
        code = application.holder_code or self.granter()
        dossier = Dossier(
            id=identifier,
            revision=revision,
            made_at=int(self.now.timestamp()),
            agency=acting_agency(by),
            client=by.client,
            operator=by.operator,
            matter=self.admitted.matter.code,
            matter_version=self.admitted.matter.version,
            case_number=application.case_number,
            case=application.case,
            holder=None if code is None else holder_commitment(salt, code),
            project_code=application.project_code,
            states=self.states(),
            given=self.given,
        )
        return sign_dossier(dossier, self.key, base=self.desk.base)

    def granter(self) -> str | None:
        """Find the code of whoever gave the grant, in what he holds: the grant knows an HMAC only."""
        hmac = self.admitted.holder_hmac
        codes = (holder["code"] for one in self.presented for holder in one.record.body["holders"])
        return next((code for code in codes if self.desk.holder_hmac(code) == hmac), None)

    def items(self) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "material": one.item.material.code,
                "slug": one.record.slug,
                "certificate": one.record.id,
            }
            for one in self.presented
        ]

    def audit_row(self, row: DossierRow) -> AuditEntry:
        statement = b64url(sha256(row.token.encode("ascii")))
        details = {
            **_about(self.application, self.admitted),
            "dossier": row.id,
            "revision": row.revision,
            "statement": statement,
            "given": len(self.presented),
        }
        return AuditEntry("dossier", self.admitted.by, details=details)

    def use(self, row: DossierRow, one: Presented) -> AuditEntry:
        details = {
            **_line(self.application, one.item),
            "dossier": row.id,
            "fields": list(one.fields),
        }
        return AuditEntry("use", self.admitted.by, DONE, one.record.id, details)
