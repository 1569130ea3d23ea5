"""Fulfilment 用证: for a matter and an applicant, the fewest facts that answer, and proof of having asked.

One straight line: access → checklist → presentations → one transaction → dossier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from ecert._encoding import b64url, sha256
from ecert.errors import IdempotencyMismatch, StoreBusy
from ecert.formats.dossier import (
    Dossier,
    Given,
    asked_digest,
    holder_commitment,
    outcome_digest,
    presentation_digest,
    sign_dossier,
)
from ecert.formats.presentation import present_available
from ecert.formats.receipt import SALT_BYTES
from ecert.issuance.copies import CopyWish, PreparedCopy, check_wish, log_copies, prepare
from ecert.keys import SigningKey
from ecert.ledger.acting import Desk
from ecert.ledger.rules import WHOLE
from ecert.ledger.trail import DONE, AuditEntry
from ecert.model import (
    DEFAULT_ZONE,
    Actor,
    Application,
    Record,
    Status,
    civil_date,
    effective_status,
)
from ecert.reuse.application import (
    Admitted,
    about,
    admit,
    check_application,
    draw_checklist,
    entry_of,
    line_about,
    received,
)
from ecert.reuse.checklist import Checklist, Item
from ecert.reuse.matter import Form, Matter
from ecert.store import (
    CopyRow,
    DossierRow,
    Transaction,
    agencies,
    certificates,
    dossiers,
)

COPY_DAYS = 30
_ATTEMPTS = 3


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
    """A dossier as it was handed over; ``salt`` opens the statement's commitment to the holder.

    ``copies`` are those that materials want, by certificate; their files come after.
    """

    row: DossierRow
    checklist: Checklist
    presented: tuple[Presented, ...]
    copies: Mapping[str, CopyRow] = field(default_factory=dict)

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
                    "warnings": list(one.record.warnings),
                    "credential": one.credential,
                    "receipt": receipts.get(one.record.id),
                }
                for one in self.presented
            ],
        }


def fulfil(
    desk: Desk, application: Application, by: Actor, *, wants_copies: bool = False
) -> Fulfilled:
    """Answer an application: only the fields that are needed, a signed statement, and the trail.

    Asked again for the same case, access and status are checked afresh; if nothing changed it is
    the same dossier, otherwise its next revision. With ``wants_copies`` the annotated copies that
    materials want are recorded in the same transaction. Everything is durable when this returns.
    Raises: NotFound, GrantNotValid, ConsentOfAnother, FieldNotAllowed, QuotaExceeded, ForkGuard,
    IdempotencyMismatch when the case number was used for another applicant, InputError.
    """
    refusal = entry_of(desk, "dossier", application, by)
    for _ in range(_ATTEMPTS):
        with desk.audited(refusal):
            handover = _draw(desk, application, by, wants_copies=wants_copies)
        try:
            return handover.hand_over(refusal)
        except _ChangedMeanwhile:
            continue
    raise StoreBusy("the certificates kept changing; nothing was given, ask again")


def _draw(desk: Desk, application: Application, by: Actor, *, wants_copies: bool) -> _Handover:
    check_application(application)
    key = desk.keys.registry_key()  # before the transaction: an older home makes it only now
    now = desk.clock()
    with desk.store.reading() as reading:
        admitted = admit(desk, reading, application, by, now)
        checklist = draw_checklist(reading, application, admitted, now)
        agency = agencies.find(reading, admitted.asking.agency)
    presented = _present(checklist)
    wishes = {}
    if wants_copies and agency is not None:
        wishes = _copy_wishes(presented, admitted.matter, agency.name, now)
    return _Handover(
        desk=desk,
        key=key,
        application=application,
        admitted=admitted,
        checklist=checklist,
        presented=presented,
        given=_given(presented),
        wishes=wishes,
        now=now,
    )


def _copy_wishes(
    presented: Sequence[Presented], matter: Matter, recipient: str, now: datetime
) -> dict[str, CopyWish]:
    """Say which annotated copies 加注件 the materials want, by certificate.

    A copy shows the whole face, so there is one only where a sharing rule opens all fields.
    """
    last = civil_date(now, DEFAULT_ZONE) + timedelta(days=COPY_DAYS)
    wishes: dict[str, CopyWish] = {}
    for one in presented:
        if wants_copy(one.item):
            end = one.record.body["valid_to"]
            until = last if end is None else min(last, date.fromisoformat(end))
            wishes[one.record.id] = CopyWish(recipient, matter.name["zh"][:100], until)
            check_wish(wishes[one.record.id])
    return wishes


class _ChangedMeanwhile(Exception):
    """Access or a status changed between looking and writing: look again."""


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
        Presented(item, *present_available(item.record.credential, item.permission.fields))
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
class _Handover:
    """A dossier on its way into the store."""

    desk: Desk
    key: SigningKey
    application: Application
    admitted: Admitted
    checklist: Checklist
    presented: tuple[Presented, ...]
    given: tuple[Given, ...]
    wishes: Mapping[str, CopyWish]
    now: datetime

    def hand_over(self, refusal: AuditEntry) -> Fulfilled:
        """Write dossier, copies, quotas and trail in one transaction. Raises: as ``fulfil``."""
        prepared: list[PreparedCopy] = []
        entry = replace(refusal, by=self.admitted.by)

        def work(tx: Transaction, _now: datetime) -> Fulfilled:
            prepared.clear()
            row = self.commit(tx)
            prepared.extend(
                prepare(tx, self.desk, certificate, wish, self.now)
                for certificate, wish in sorted(self.wishes.items())
            )
            return Fulfilled(row, self.checklist, self.presented)

        def log(tx: Transaction, done: Fulfilled, _index: int) -> Fulfilled:
            copies = {one.certificate: one for one in log_copies(tx, prepared)}
            return replace(done, copies=copies)

        return self.desk.act(
            entry,
            work,
            lambda done: self.details(done.row),
            more=lambda done: self.rows(done.row),
            log=log if self.wishes else None,
        )

    def commit(self, tx: Transaction) -> DossierRow:
        """Write the dossier. Raises: _ChangedMeanwhile when something changed since it was drawn."""
        if not self.still_holds(tx):
            raise _ChangedMeanwhile
        previous = dossiers.lock(tx, self.client, self.application.matter, self.number)
        row = self.row(previous)
        if row is not previous:
            dossiers.put(tx, row, self.items(), is_new=previous is None)
        return row

    def still_holds(self, tx: Transaction) -> bool:
        """Look again, under the lock: grant, rules and statuses must be what they were."""
        locked = certificates.lock_statuses(tx, [one.record.id for one in self.presented])
        now = self.now.timestamp()
        for one in self.presented:
            _, status, exp, _ = locked.get(one.record.id, ("", Status.WITHDRAWN, None, None))
            if effective_status(status, exp, now) is not Status.VALID:
                return False
        again = admit(self.desk, tx, self.application, self.admitted.by, self.now)
        return again.permissions == self.admitted.permissions

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
        application, admitted = self.application, self.admitted
        asked = asked_digest(
            holder_hmac=admitted.holder_hmac,
            project_code=application.project_code,
            situation=application.situation,
            fields=application.fields,
        )
        outcome = outcome_digest(self.given, self.states(), admitted.matter.version)
        if previous is not None and previous.asked != asked:
            raise IdempotencyMismatch("this case number was used for another application")
        if previous is not None and previous.outcome == outcome:
            return previous
        salt = self.desk.randomness(SALT_BYTES)
        identifier = self.desk.new_id(self.now) if previous is None else previous.id
        revision = 1 if previous is None else previous.revision + 1
        return DossierRow(
            id=identifier,
            client=self.client,
            agency=admitted.asking.agency,
            matter=admitted.matter.code,
            version=admitted.matter.version,
            case_number=self.number,
            asked=asked,
            outcome=outcome,
            holder_hmac=admitted.holder_hmac,
            project_code=application.project_code,
            token=self.sign(identifier, revision, salt),
            salt=salt,
            revision=revision,
            accepted_on=None if application.accepted_on is None else str(application.accepted_on),
            due_on=None if application.due_on is None else str(application.due_on),
            created_at=int(self.now.timestamp()) if previous is None else previous.created_at,
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
            agency=self.admitted.asking.agency,
            received_by=self.admitted.asking.received_by,
            client=by.client,
            operator=by.operator,
            matter=self.admitted.matter.code,
            matter_version=self.admitted.matter.version,
            case_number=application.case_number,
            situation=application.situation,
            holder=None if code is None else holder_commitment(salt, code),
            project_code=application.project_code,
            states=self.states(),
            given=self.given,
        )
        return sign_dossier(dossier, self.key, base=self.desk.base)

    def granter(self) -> str | None:
        """Find the code of whoever gave the grant, in what he holds: the grant knows an HMAC only."""
        hmac, hide = self.admitted.holder_hmac, self.desk.secrets.hide
        codes = (holder["code"] for one in self.presented for holder in one.record.body["holders"])
        return next((code for code in codes if hide(code) == hmac), None)

    def items(self) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "material": one.item.material.code,
                "slug": one.record.slug,
                "certificate": one.record.id,
            }
            for one in self.presented
        ]

    def details(self, row: DossierRow) -> dict[str, Any]:
        """Say what the trail keeps of the dossier."""
        return {
            **about(self.application, self.admitted),
            "dossier": row.id,
            "revision": row.revision,
            "statement": b64url(sha256(row.token.encode("ascii"))),
            "given": len(self.presented),
        }

    def rows(self, row: DossierRow) -> list[AuditEntry]:
        """Give the trail's rows of each certificate, and of each copy of one."""
        by = self.admitted.by
        copied = [
            AuditEntry(
                "copy", by, DONE, certificate, {"dossier": row.id, **received(self.admitted)}
            )
            for certificate in sorted(self.wishes)
        ]
        return [*(self.use(row, one) for one in self.presented), *copied]

    def use(self, row: DossierRow, one: Presented) -> AuditEntry:
        details = {
            **line_about(self.application, self.admitted, one.item),
            "dossier": row.id,
            "fields": list(one.fields),
        }
        return AuditEntry("use", self.admitted.by, DONE, one.record.id, details)
