"""Verify anything presented, offline, against a trust file: the second straight line (design §4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from ecert._encoding import Clock, b64url, instant, parse_rfc3339, rfc3339, utc_now
from ecert.catalogue import Catalogue, CertificateType, load_catalogue
from ecert.errors import EcertError, IdentifierError, InputError, SignatureError
from ecert.formats._jws import verify_jws
from ecert.formats.annotation import EVENT
from ecert.formats.credential import UnverifiedCredential, check_fields
from ecert.formats.receipt import Receipt, verify_receipt
from ecert.formats.seal import EXP, IAT, NBF, RECIPIENT, STATUS, SUB, UnverifiedSeal, verify_seal
from ecert.formats.statement import Statement, parse_statement
from ecert.formats.status_list import (
    ENDED,
    SUPERSEDED,
    SUSPENDED,
    VALID,
    Detail,
    SignedDetails,
    SignedList,
    verify_details,
    verify_list,
)
from ecert.ids import Identifier, parse_identifier, parse_tail
from ecert.keys import Trust, TrustedRegistry, VerifiedKey
from ecert.model import (
    TRANSITIONS,
    Status,
    Validity,
    certificate_json,
    civil_date,
    end_of_day,
)
from ecert.verification.presented import Presented, read_presented
from ecert.verification.report import STEPS, Outcome, Report, Step, decide

if TYPE_CHECKING:
    from ecert.pdf.read import UnverifiedDocument
    from ecert.verification.document import OpenedDocument

CLOCK_SKEW_SECONDS = 300
_REST_OF_A_DAY = timedelta(days=1)  # a date means the end of that day, so today lies ahead
_MAX_CACHED_LISTS = 64
_SIGNED = frozenset({"signature_good", "key_compromised", "signed_later", "document_updated"})
_GRAVITY = (Outcome.FAILED, Outcome.NOT_CHECKED, Outcome.PASSED)
_VALUE_CODES = {ENDED: "ended", SUSPENDED: "suspended", SUPERSEDED: "superseded"}


class StatusSource(Protocol):
    """Where fresh status comes from: HTTP, a file, or one's own store."""

    def status_token(self, uri: str) -> str | None:
        """Give the signed list or details at an address; None when it cannot be had."""


@dataclass(frozen=True, slots=True)
class _Signed:
    """What the later steps need, the same for a credential and for a seal."""

    registry: TrustedRegistry
    identifier: str
    issuer: str
    iat: int
    nbf: int
    exp: int | None
    status_uri: str
    status_index: int


class Verifier:
    """Verifies what is presented to it, keeping checked chains and status lists between calls.

    ``status`` None verifies offline. It needs no database.
    """

    def __init__(
        self,
        trust: Trust,
        *,
        status: StatusSource | None = None,
        catalogue: Catalogue | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._trust = trust
        self._status = status
        self._catalogue = load_catalogue() if catalogue is None else catalogue
        self._clock = clock
        self._lists: dict[str, SignedList | SignedDetails] = {}

    def verify(
        self,
        presented: bytes | str,
        *,
        at: datetime | date | None = None,
        receipt: str | None = None,
    ) -> Report:
        """Verify a document, a credential, a seal, a picture of one, a receipt or a bundle.

        ``at`` asks about another moment; a date means the end of that day in Asia/Shanghai.
        ``receipt`` may accompany a credential. Never raises for bad input: the report says it.
        """
        now = self._clock()
        moment = now if at is None else _moment(at)
        shown = read_presented(presented, receipt)
        run = _Run(self, shown, now=now, moment=moment, is_past=at is not None and moment < now)
        return run.report()

    def token(self, uri: str, shown: Presented) -> str | None:
        """Find a status token: what the bundle brought is offline evidence, else the source."""
        found = self._fetched(uri)
        return shown.lists.get(uri) if found is None else found

    def _fetched(self, uri: str) -> str | None:
        if self._status is None:
            return None
        try:
            return self._status.status_token(uri)
        except Exception:  # noqa: BLE001 - somebody else's code: if it fails, nothing was checked
            return None

    @property
    def is_online(self) -> bool:
        """Tell whether there is a source of fresh status."""
        return self._status is not None

    def checked_list(self, token: str, uri: str, registry: TrustedRegistry) -> SignedList:
        """Check a status list once and remember the result by its text."""
        found = self._lists.get(token)
        if not isinstance(found, SignedList) or found.uri != uri:
            found = verify_list(token, uri=uri, registry=registry)
            self._remember(token, found)
        return found

    def checked_details(self, token: str, uri: str, registry: TrustedRegistry) -> SignedDetails:
        """Check a details token once and remember the result by its text."""
        found = self._lists.get(token)
        if not isinstance(found, SignedDetails) or found.uri != uri:
            found = verify_details(token, uri=uri, registry=registry)
            self._remember(token, found)
        return found

    def _remember(self, token: str, found: SignedList | SignedDetails) -> None:
        if len(self._lists) >= _MAX_CACHED_LISTS:
            self._lists.clear()
        self._lists[token] = found

    @property
    def trust(self) -> Trust:
        """Whom this verifier believes."""
        return self._trust

    @property
    def catalogue(self) -> Catalogue:
        """The certificate types this verifier knows."""
        return self._catalogue


def _moment(at: datetime | date) -> datetime:
    if not isinstance(at, datetime):
        return end_of_day(at)
    if at.tzinfo is None:
        raise InputError("an instant needs a time zone")
    return at


def parse_moment(text: str) -> datetime | date:
    """Read the moment that is asked about: an instant (RFC 3339), or a date. Raises: InputError."""
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-01") else parse_rfc3339(text)
    except (ValueError, InputError) as error:
        raise InputError("at is a date such as 2026-03-01, or an RFC 3339 instant") from error


def verify(
    presented: bytes | str,
    trust: Trust,
    *,
    at: datetime | date | None = None,
    receipt: str | None = None,
    status: StatusSource | None = None,
    catalogue: Catalogue | None = None,
    clock: Clock = utc_now,
) -> Report:
    """Verify whatever is presented against a trust file, and say how each step went.

    Raises: InputError only for an ``at`` without a time zone. See :class:`Verifier`.
    """
    verifier = Verifier(trust, status=status, catalogue=catalogue, clock=clock)
    return verifier.verify(presented, at=at, receipt=receipt)


class _Run:
    """One verification: the numbered steps in order, each adding its line to the report."""

    def __init__(
        self,
        verifier: Verifier,
        shown: Presented,
        *,
        now: datetime,
        moment: datetime,
        is_past: bool,
    ) -> None:
        self.verifier, self.shown = verifier, shown
        self.now, self.moment, self.is_past = now, moment, is_past
        self.codes: dict[str, tuple[str, datetime | None]] = {}
        self.kind: CertificateType | None = None
        self.status: str | None = None
        self.successor: str | None = None
        self.since: int | None = None
        self.log_index: int | None = None
        self.logged_at: int | None = None
        self.opened: OpenedDocument | None = None

    def note(self, step: str, code: str, evidence: int | None = None) -> None:
        self.codes[step] = code, None if evidence is None else instant(evidence)

    def report(self) -> Report:
        """Run the steps of design §4 in order and draw the verdict."""
        self.note("read", self.shown.code)  # 1 read
        if self.shown.document is not None:
            self.open_document(self.shown.document)
        signed = self.find_registry()
        if signed is not None:
            self.check_log(signed)  # 5 log: before the signature, for a compromised key needs it
            if self.check_signature(signed):  # 2 signature
                self.check_type(signed)  # 3 type
                self.check_time(signed)  # 4 time
                self.check_status(signed)  # 6 status
                self.check_agreement()  # 7 agreement
        elif self.shown.code == "read_receipt":
            self.check_receipt_alone()
        if self.shown.document is None:
            self.note("agreement", "agreement_none")
        return self.conclude(signed)

    def conclude(self, signed: _Signed | None) -> Report:
        rest = ("not_reached", None)
        steps = tuple(Step(name, *self.codes.get(name, rest)) for name in STEPS)
        requires_log = signed is not None and signed.registry.require_log
        is_document = self.shown.document is not None
        is_known = self.codes.get("signature", ("",))[0] in _SIGNED
        return Report(
            verdict=decide(steps, is_document=is_document, requires_log=requires_log),
            certificate=self.shown_certificate(signed) if signed and is_known else None,
            status=self.status,
            at=self.moment,
            checked_at=self.now,
            steps=steps,
        )

    # -- 1 read: which registry, which agency ------------------------------------------------

    def open_document(self, document: UnverifiedDocument) -> None:
        """Open a document if a trusted agency signed it; else say what stops it."""
        from ecert.verification.document import (  # noqa: PLC0415 - slow to load, many never need it
            OpenedDocument,
            open_document,
        )

        found = open_document(document, self.shown, self.verifier.trust)
        if isinstance(found, OpenedDocument):
            self.opened, self.shown = found, found.shown
        else:
            self.note(*found)

    def find_registry(self) -> _Signed | None:
        if (credential := self.shown.credential) is not None:
            return self.of_credential(credential)
        if (seal := self.shown.seal) is not None:
            return self.of_seal(seal)
        return None

    def of_credential(self, credential: UnverifiedCredential) -> _Signed | None:
        registry = self.verifier.trust.find(credential.base)
        if registry is None:
            self.note("signature", "registry_unknown")
            return None
        return _Signed(
            registry,
            credential.certificate.id,
            credential.certificate.issuer_code,
            credential.iat,
            credential.nbf,
            credential.exp,
            credential.status.uri,
            credential.status.index,
        )

    def of_seal(self, seal: UnverifiedSeal) -> _Signed | None:
        status = seal.claims[STATUS]["status_list"]
        registry = self.verifier.trust.of_address(status["uri"])
        try:
            identifier = parse_tail(seal.claims[SUB])
        except IdentifierError:
            self.note("read", "unreadable")
            return None
        if registry is None:
            self.note("signature", "registry_unknown")
            return None
        if seal.origin is not None and seal.origin != registry.base_url:
            self.note("read", "seal_host_mismatch")
        claims = seal.claims
        return _Signed(
            registry,
            str(identifier),
            identifier.issuer_code,
            claims[IAT],
            claims[NBF],
            claims.get(EXP),
            status["uri"],
            status["idx"],
        )

    # -- 2 signature -------------------------------------------------------------------------

    def check_signature(self, signed: _Signed) -> bool:
        agency = signed.registry.agencies.get(signed.issuer)
        if agency is None:
            self.note("signature", "agency_unknown")
            return False
        if self.shown.credential is None and not agency.certificates:
            self.note("signature", "no_certificates")
            return False
        try:
            key = self.signing_key(signed)
        except EcertError:
            self.note("signature", "signature_bad")
            return False
        code = self.judge_key(signed, key)
        if self.opened is not None:
            codes = [code, *self.judge_document(self.opened)]
            code = min(codes, key=lambda one: _GRAVITY.index(Step("signature", one).outcome))
        self.note("signature", code, signed.iat)
        return code in _SIGNED

    def signing_key(self, signed: _Signed) -> VerifiedKey:
        if (credential := self.shown.credential) is not None:
            chain = credential.jws.header.chain
            key = signed.registry.agency_key(signed.issuer, chain, signed.iat)
            verify_jws(credential.jws, key.key)
            return key
        assert self.shown.seal is not None  # noqa: S101 - one of the two was read
        return _key_of_seal(self.shown.seal, signed)

    def judge_key(self, signed: _Signed, key: VerifiedKey) -> str:
        """Retired: good if signed before. Compromised: good only with a proof from before."""
        latest = max(signed.iat, self.logged_at or 0)  # iat is the signer's word, the log's is not
        code = self.judge_moment(signed.registry, key, signed.iat, latest)
        if code != "key_compromised" or self.log_index is None:
            return code
        compromise = signed.registry.compromised[key.kid]
        return "signature_good" if self.log_index < compromise.log_size else "key_compromised_after"

    def judge_moment(
        self, registry: TrustedRegistry, key: VerifiedKey, at: int, latest: int
    ) -> str:
        """Judge a key that signed at a moment, and was used by ``latest`` at the latest."""
        retired = registry.retired.get(key.kid)
        if retired is not None and latest >= int(retired.timestamp()):
            return "key_retired"
        if at > self.now.timestamp() + CLOCK_SKEW_SECONDS:
            return "signed_later"
        return "key_compromised" if key.kid in registry.compromised else "signature_good"

    def judge_document(self, opened: OpenedDocument) -> list[str]:
        """Judge what was signed besides the credential: the file, and the record of a copy."""
        document, copy = opened.signed, self.shown.copy
        codes = ["document_updated"] if document.rest else []
        at = document.claimed_at  # nothing but the signer vouches for it
        codes.append(self.judge_moment(opened.registry, opened.key, at, at))
        if copy is not None:
            try:
                key = opened.copy_key(copy)
            except EcertError:
                return ["copy_bad"]
            at = copy.copy.made_at
            codes.append(self.judge_moment(opened.registry, key, at, at))
        return codes

    # -- 3 type ------------------------------------------------------------------------------

    def check_type(self, signed: _Signed) -> None:
        try:
            identifier = parse_identifier(signed.identifier)
        except IdentifierError:
            self.note("type", "identifier_bad")
            return
        if (credential := self.shown.credential) is not None:
            self.note("type", self.judge_type(credential, identifier))
            return
        known = [kind for kind in self.verifier.catalogue if kind.is_code(identifier.type_code)]
        self.kind = known[-1] if known else None
        self.note("type", "type_good" if known else "type_unknown")

    def judge_type(self, credential: UnverifiedCredential, identifier: Identifier) -> str:
        ref = credential.certificate.type
        if identifier.issuer_code != credential.certificate.issuer_code:
            return "identifier_bad"
        if identifier.type_code != ref.code:
            return "identifier_bad"
        kind = self.kind = self.verifier.catalogue.get(ref.slug, ref.version)
        if kind is None:
            return "type_unknown"
        if kind.integrity(credential.base) != credential.integrity:
            return "type_differs"
        if not kind.is_code(ref.code):
            return "type_bad"
        try:
            check_fields(credential.certificate, kind, is_whole=not credential.hidden)
        except InputError:
            return "type_bad"
        return "type_good"

    # -- 4 time ------------------------------------------------------------------------------

    def check_time(self, signed: _Signed) -> None:
        seconds = self.moment.timestamp()
        if self.shown.credential is not None and not self.dates_agree(signed):
            self.note("time", "dates_disagree")
        elif seconds < signed.nbf:
            self.note("time", "not_yet_valid")
        elif signed.exp is not None and seconds >= signed.exp:
            self.note_end()
        elif self.shown.copy is not None and seconds >= self.shown.copy.copy.lapses_at:
            self.note("time", "copy_lapsed")
        else:
            self.note("time", "time_good")

    def note_end(self) -> None:
        """Tell a copy that lapsed from a certificate that ended: a copy's seal ends with the copy."""
        is_copy = self.shown.credential is None and _is_copy(self.shown.seal)
        self.note("time", "copy_lapsed" if is_copy else "expired")
        if not is_copy:
            self.status = Status.EXPIRED.value

    def dates_agree(self, signed: _Signed) -> bool:
        assert self.shown.credential is not None  # noqa: S101 - the caller looked
        validity: Validity = self.shown.credential.certificate.validity
        zone = signed.registry.agencies[signed.issuer].time_zone
        try:
            return validity.seconds(zone) == (signed.nbf, signed.exp)
        except InputError:
            return False

    # -- 5 log -------------------------------------------------------------------------------

    def check_log(self, signed: _Signed) -> None:
        receipt, credential = self.shown.receipt, self.shown.credential
        if receipt is None or credential is None:
            self.note("log", "no_receipt")
            return
        kind = credential.certificate.type.slug
        jwt = credential.sd_jwt.jwt.encode("ascii")
        code = _judge_receipt(receipt, jwt, (signed.issuer, kind), signed.registry)
        if code == "log_good" and receipt.entry.get("event") != "issue":
            code = "log_bad"
        if code == "log_good":
            self.log_index, self.logged_at = receipt.index, _entry_time(receipt)
            code = self.judge_copy_receipt(signed, kind, receipt.index)
        self.note("log", code, _entry_time(receipt))

    def judge_copy_receipt(self, signed: _Signed, kind: str, index: int) -> str:
        """Of a copy, its own record must be in the log too, as a copy of this issue."""
        copy, receipt = self.shown.copy, self.shown.copy_receipt
        if copy is None:
            return "log_good"
        if receipt is None:
            return "no_receipt"
        entry, token = receipt.entry, copy.token.encode("ascii")
        if entry.get("event") != EVENT or entry.get("ref") != index:
            return "log_bad"
        return _judge_receipt(receipt, token, (signed.issuer, kind), signed.registry)

    def check_receipt_alone(self) -> None:
        """Check what a receipt says by itself: that its entry is in a trusted log."""
        receipt = self.shown.receipt
        assert receipt is not None  # noqa: S101 - read as a receipt
        self.note("signature", "no_signature")
        for step in ("type", "time", "status"):
            self.note(
                step, {"type": "type_unknown", "time": "no_time", "status": "no_status"}[step]
            )
        codes = [
            _judge_receipt(receipt, None, None, registry)
            for registry in self.verifier.trust.registries
        ]
        best = min(codes, key=("log_good", "log_bad", "log_unknown").index, default="log_unknown")
        self.note("log", best, _entry_time(receipt))

    # -- 6 status ----------------------------------------------------------------------------

    def check_status(self, signed: _Signed) -> None:
        code, evidence, detail = self.judge_status(signed)
        self.note("status", code, evidence)
        found = code.removeprefix("status_")
        if detail is not None:
            self.successor = detail.successor
            self.since = None if code == "status_good" else detail.since
        if code == "status_good":
            self.status = self.status or Status.VALID.value
        elif Step("status", code).outcome is Outcome.FAILED and code != "status_index":
            # Shown: ended > superseded > expired > suspended > valid.
            is_hidden = found == Status.SUSPENDED.value and self.status == Status.EXPIRED.value
            self.status = self.status if is_hidden else found

    def judge_status(self, signed: _Signed) -> tuple[str, int | None, Detail | None]:
        uri = signed.status_uri
        token = self.verifier.token(uri, self.shown)
        if token is None:
            return ("status_unreachable" if self.verifier.is_online else "offline"), None, None
        try:
            found = self.verifier.checked_list(token, uri, signed.registry)
        except EcertError:
            return "status_unusable", None, None
        try:
            value = found.statuses[signed.status_index]
        except InputError:
            return "status_index", found.issued_at, None
        if self.is_past and self.moment.timestamp() < found.issued_at:
            return self.judge_past(signed)
        if self.moment - self.now > _REST_OF_A_DAY:
            return "status_future", found.issued_at, None
        if self.now.timestamp() >= found.expires_at:
            return "status_stale", found.issued_at, None
        if value == VALID:
            return "status_good", found.issued_at, None
        detail = self.details(signed)
        name = _name_of(value, detail[0] if detail else None)
        return f"status_{name}", found.issued_at, detail[0] if detail else None

    def details(self, signed: _Signed) -> tuple[Detail | None, int] | None:
        """Give what the details token says of this index, and its age; None without a good token."""
        uri = signed.status_uri + "/details"
        token = self.verifier.token(uri, self.shown)
        if token is None:
            return None
        try:
            found = self.verifier.checked_details(token, uri, signed.registry)
        except EcertError:
            return None
        return found.details.get(signed.status_index), found.issued_at

    def judge_past(self, signed: _Signed) -> tuple[str, int | None, Detail | None]:
        """Judge a past moment: only signed acts prove it, and only if none of them is missing.

        The details token counts the acts. None at all, or one whose moment it names, is an
        answer by itself; more need the statements, all of them (ADR 0003).
        """
        found = self.details(signed)
        if found is None:
            return "status_history", None, None
        detail, issued_at = found
        if issued_at < self.moment.timestamp():
            return "status_history", issued_at, None
        if detail is None:
            return "status_good", issued_at, None
        if detail.changes == 1:
            is_before = self.moment.timestamp() < detail.since
            return ("status_good" if is_before else f"status_{detail.status}"), issued_at, detail
        status = self.replay(signed, detail)
        if status is None:
            return "status_history", issued_at, None
        code = "good" if status is Status.VALID else status.value
        return f"status_{code}", issued_at, detail

    def replay(self, signed: _Signed, detail: Detail) -> Status | None:
        """Find the status at the moment from statements; None unless all are there and good."""
        acts = self.statements(signed)
        if not acts or len(acts) != detail.changes or acts[-1].status is not detail.status:
            return None
        status = found = Status.VALID
        for act in acts:
            allowed, result = TRANSITIONS.get(act.operation, (frozenset(), None))
            if found not in allowed or act.status is not result:
                return None  # these acts do not follow from one another
            found = act.status
            status = found if act.at <= self.moment.timestamp() else status
        return status

    def statements(self, signed: _Signed) -> Sequence[Statement]:
        found = []
        # ES256 is malleable: one act may come under two signatures, so the signed part tells apart.
        distinct = {token.rpartition(".")[0]: token for token in self.shown.statements}
        for token in distinct.values():
            try:
                found.append(_verify_statement(token, signed, self.shown.credential))
            except EcertError:
                return ()
        return sorted(found, key=lambda act: act.at)

    # -- 7 agreement -------------------------------------------------------------------------

    def check_agreement(self) -> None:
        if self.opened is not None:
            self.note("agreement", self.opened.agreement(self.kind))

    # -- what was signed and shown -------------------------------------------------------------

    def shown_certificate(self, signed: _Signed) -> Mapping[str, Any]:
        name = self.kind.name if self.kind else None
        if (credential := self.shown.credential) is not None:
            shown = certificate_json(credential.certificate, name)
            shown["fields"] = _in_order(shown["fields"], self.kind)
            if self.shown.copy is not None:
                shown["copy"] = self.shown.copy.copy.to_json()
        else:
            assert self.shown.seal is not None  # noqa: S101 - one of the two was read
            shown = _seal_json(self.shown.seal, signed, name)
        since = None if self.since is None else rfc3339(instant(self.since))
        return {**shown, "superseded_by": self.successor, "status_since": since}


def _is_copy(seal: UnverifiedSeal | None) -> bool:
    return seal is not None and RECIPIENT in seal.claims


def _in_order(fields: Mapping[str, Any], kind: CertificateType | None) -> Mapping[str, Any]:
    """Put the fields back into the type's order: digests are sorted, so they arrive shuffled."""
    if kind is None:
        return fields
    return {name: fields[name] for name in kind.schema["properties"] if name in fields}


def _key_of_seal(seal: UnverifiedSeal, signed: _Signed) -> VerifiedKey:
    """Try the listed certificates of the agency: a seal names no key."""
    for chain in signed.registry.agencies[signed.issuer].chains():
        try:
            key = signed.registry.agency_key(signed.issuer, chain, signed.iat)
            verify_seal(seal, key.key)
        except EcertError:
            continue
        return key
    raise SignatureError("no listed certificate of the agency fits the seal")


def _judge_receipt(
    receipt: Receipt,
    signed: bytes | None,
    of: tuple[str, str] | None,
    registry: TrustedRegistry,
) -> str:
    origin = receipt.checkpoint.partition("\n")[0]
    if not any(log.vkey.startswith(origin + "+") for log in registry.logs):
        return "log_unknown"
    issuer, kind = of or (receipt.entry.get("issuer"), receipt.entry.get("type"))
    try:
        verify_receipt(
            receipt, signed=signed, issuer=str(issuer), kind=str(kind), logs=registry.logs
        )
    except EcertError:
        return "log_bad"
    return "log_good"


def _entry_time(receipt: Receipt) -> int | None:
    try:
        return int(parse_rfc3339(str(receipt.entry.get("time"))).timestamp())
    except InputError:
        return None


def _name_of(value: int, detail: Detail | None) -> str:
    if detail is not None and detail.status is not Status.VALID:
        return detail.status.value
    return _VALUE_CODES.get(value, "ended")


def _verify_statement(
    token: str, signed: _Signed, credential: UnverifiedCredential | None
) -> Statement:
    jws, issuer, statement = parse_statement(token)
    key = signed.registry.agency_key(signed.issuer, jws.header.chain, statement.at)
    verify_jws(jws, key.key)
    if issuer != f"{signed.registry.base_url}/agencies/{signed.issuer}":
        raise SignatureError("the statement is another agency's")
    digest = b64url(credential.digest) if credential else statement.credential_digest
    if statement.subject != signed.identifier or statement.credential_digest != digest:
        raise SignatureError("the statement speaks of another certificate")
    if key.kid in signed.registry.compromised:
        raise SignatureError("the statement's key is compromised")
    retired = signed.registry.retired.get(key.kid)
    if retired is not None and statement.at >= int(retired.timestamp()):
        raise SignatureError("the statement's key was retired before")
    return statement


def _seal_json(
    seal: UnverifiedSeal, signed: _Signed, name: Mapping[str, str] | None
) -> dict[str, Any]:
    claims = seal.claims
    agency = signed.registry.agencies[signed.issuer]
    zone = agency.time_zone
    end = None if signed.exp is None else instant(signed.exp) - timedelta(days=1)
    last = None if end is None else civil_date(end, zone).isoformat()
    copy = {"recipient": claims[RECIPIENT], "until": last} if _is_copy(seal) else None
    return {
        "id": signed.identifier,
        "number": claims["n"],
        "type": {"name": None if name is None else dict(name)},
        "issuer": {"code": agency.code, "name": agency.name},
        "holder_name": claims["h"],
        "project_name": claims.get("p"),
        "valid_from": civil_date(instant(signed.nbf), zone).isoformat(),
        "valid_to": last if copy is None else None,
        "created_at": rfc3339(instant(signed.iat)),
        **({"credential_digest": claims["c"].hex()} if copy is None else {"copy": copy}),
    }
