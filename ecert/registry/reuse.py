"""Everything about reuse 用证 that a registry's operators, departments and holders may ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from ecert._encoding import canonical_plain
from ecert.audit import AuditEntry
from ecert.audit import record as write_rows
from ecert.errors import AlreadyExists, EcertError, GrantNotValid, InputError, NotFound
from ecert.formats.dossier import sign_changes
from ecert.formats.id_token import Provider, SignedIn, check_provider
from ecert.model import Actor, Record, effective_status, is_line
from ecert.reuse import grant as granting
from ecert.reuse import objection as objecting
from ecert.reuse.checklist import Checklist
from ecert.reuse.desk import ReuseDesk, acting_agency, line_of
from ecert.reuse.fulfilment import Application, Fulfilled, draw, fulfil, refused
from ecert.reuse.grant import UseCode, Wish
from ecert.reuse.graph import Graph, draw_graph
from ecert.reuse.matter import Matter, field_names, parse_matters
from ecert.reuse.objection import Complaint
from ecert.reuse.sharing import NO_MATTER, WHOLE, Mode, below
from ecert.reuse.supervision import make_period, supervise
from ecert.store import (
    DelegationRow,
    GrantRow,
    ObjectionRow,
    Reading,
    RequestRow,
    RuleRow,
    Transaction,
    agencies,
    changes,
    foundations,
    grants,
    holders,
    matters,
    objections,
    providers,
    rules,
    trees,
)

MAX_PAGE = 100
MAX_BASIS = 500


class Reuse:
    """The reuse of certificates: matters, sharing rules, grants, dossiers, changes, supervision."""

    def __init__(self, desk: ReuseDesk) -> None:
        self.desk = desk

    # -- matters -----------------------------------------------------------------------------------

    def add_matters(self, data: bytes, *, by: Actor) -> list[tuple[Matter, bool]]:
        """Add the matters of a file 事项; each with whether it is new. Everything or nothing.

        A version that is there already in the same words is left as it is.
        Raises: MatterError, AlreadyExists for a version in other words, NotFound for its agency.
        """
        parsed = parse_matters(data, self.desk.catalogue)

        def work(tx: Transaction, now: Any) -> list[tuple[Matter, bool]]:
            listed = agencies.listed(tx)
            own = None if by.scopes is None else below(listed, acting_agency(by))
            known = {one.code for one in listed} if own is None else own
            there = matters.digests(tx)
            owners = matters.owners(tx)
            results = [(one, _is_new(one, known, there)) for one in parsed]
            if by.scopes is not None:
                _check_owners(parsed, owners)
            if fresh := [_matter_row(one, int(now.timestamp())) for one, new in results if new]:
                matters.add(tx, fresh)
            return results

        return self.desk.act(
            AuditEntry("matter.add", by),
            work,
            lambda found: {"matters": [f"{one.code}/{one.version}" for one, new in found if new]},
        )

    def matters(
        self, *, by: Actor, after: str = "", limit: int = MAX_PAGE
    ) -> tuple[list[Matter], str | None]:
        """List the newest versions of matters by code: a client's are its agency's and those above."""
        size = max(1, min(limit, MAX_PAGE))
        with self.desk.store.reading() as reading:
            agencies = None if by.agency is None else line_of(reading, by)
            found = matters.listed(reading, agencies=agencies, after=after, limit=size + 1)
        listed = [self.desk.read_matter(one) for one in found]
        return listed[:size], listed[size - 1].code if len(listed) > size else None

    def matter(self, code: str, *, by: Actor, version: int | None = None) -> Matter:
        """Give a matter, its newest version unless told. Raises: NotFound."""
        with self.desk.store.reading() as reading:
            line = None if by.agency is None else line_of(reading, by)
            matter = self.desk.matter(reading, code)
            if version is not None:
                found = matters.version(reading, code, version)
                if found is None:
                    raise NotFound(NO_MATTER)
                matter = self.desk.read_matter(found)
        if line is not None and matter.agency not in line:
            raise NotFound(NO_MATTER)
        return matter

    def graph(self, code: str, *, by: Actor, project_code: str | None = None) -> Graph:
        """Show what comes before and after a matter; for a project also how each step stands.

        States are for the registry's own operators; over HTTP no project is taken. What the
        project's holders hold beside it counts too. Raises: NotFound.
        """
        around = self.matter(code, by=by)
        with self.desk.store.reading() as reading:
            listed = self._all_matters(reading)
            records: list[Record] = []
            if project_code is not None:
                slugs = {slug for one in listed for slug in one.issues}
                records = [
                    *holders.of_project_holders(reading, project_code, slugs),
                    *holders.of_project(reading, project_code, slugs),
                ]
        if project_code is not None:
            rows = [AuditEntry("check", by, certificate=one.id) for one in records]
            self._write([AuditEntry("graph", by), *rows])
        return draw_graph(listed, around.code, self._today(records))

    def graph_of(self, record: Record, may_see: Callable[[Record], bool]) -> Graph:
        """Show what comes before and after a certificate, for a caller that was audited already.

        What it rests on directly it names itself; beyond that only what the caller may see counts.
        Raises: NotFound where no matter issues its type.
        """
        with self.desk.store.reading() as reading:
            listed = self._all_matters(reading)
            below_it, above_it = foundations.chain_of(reading, record.id)
        around = next((one for one in listed if record.slug in one.issues), None)
        if around is None:
            raise NotFound("no matter issues certificates of this type")
        named = set(record.body["rests_on"])
        others = [one for one in (*below_it, *above_it) if one.id in named or may_see(one)]
        shown = [*others, record]
        return draw_graph(listed, around.code, self._today(shown))

    def _all_matters(self, reading: Reading) -> list[Matter]:
        found = matters.listed(reading, agencies=None, after="", limit=10_000)
        return [self.desk.read_matter(one) for one in found]

    def _today(self, records: Iterable[Record]) -> list[Record]:
        """Give records with the status that they have now."""
        now = self.desk.clock().timestamp()
        return [replace(one, status=effective_status(one.status, one.exp, now)) for one in records]

    def _write(self, entries: Sequence[AuditEntry]) -> None:
        now = self.desk.clock()

        def work(tx: Transaction) -> None:
            write_rows(tx, entries, now=now, randomness=self.desk.randomness)

        self.desk.store.write(work)

    # -- sharing rules -----------------------------------------------------------------------------

    def add_rule(self, rule: RuleRow, *, by: Actor) -> RuleRow:
        """Add a sharing rule 共享规则: a type, for an agency and those below it, for one matter or all.

        Its ``id`` and times are set here. Raises: InputError, NotFound for the agency or matter.
        """

        def work(tx: Transaction, now: Any) -> RuleRow:
            self._check_rule(rule)
            if agencies.find(tx, rule.agency) is None:
                raise NotFound("this agency is not registered")
            if rule.matter is not None:
                self.desk.matter(tx, rule.matter)
            at = int(now.timestamp())
            row = replace(rule, id=self.desk.new_id(now), created_at=at, ended_at=None)
            rules.add(tx, row)
            return row

        return self.desk.act(AuditEntry("rule.add", by), work, lambda row: {"rule": row.id})

    def _check_rule(self, rule: RuleRow) -> None:
        if rule.mode not in set(Mode):
            raise InputError(f"the mode is one of {', '.join(Mode)}")
        if not is_line(rule.legal_basis, MAX_BASIS):
            raise InputError(f"a rule cites its legal basis: one line of at most {MAX_BASIS}")
        if rule.daily_quota is not None and not 0 <= rule.daily_quota <= 10**9:
            raise InputError("a quota is a number of certificates a day")
        for day in (rule.valid_from, rule.valid_to):
            if day is not None and not _is_day(day):
                raise InputError("valid_from and valid_to are dates such as 2026-12-31")
        if rule.valid_from and rule.valid_to and rule.valid_to < rule.valid_from:
            raise InputError("valid_to lies before valid_from")
        if set(rule.fields) - field_names(self.desk.catalogue, rule.slug) - {WHOLE}:
            raise InputError("the type has no such field")

    def end_rule(self, rule_id: str, *, by: Actor) -> None:
        """End a sharing rule, from now on. Raises: NotFound."""

        def work(tx: Transaction, now: Any) -> None:
            if rules.find(tx, rule_id) is None:
                raise NotFound("there is no such rule")
            rules.end(tx, rule_id, int(now.timestamp()))

        self.desk.act(AuditEntry("rule.end", by), work, lambda _done: {"rule": rule_id})

    def rules(self) -> list[RuleRow]:
        """List the sharing rules, ended ones too, oldest first."""
        with self.desk.store.reading() as reading:
            return rules.listed(reading)

    # -- identity providers --------------------------------------------------------------------------

    def put_provider(self, provider: Provider, *, by: Actor) -> Provider:
        """Believe an identity provider 身份认证平台, or change what is known of it.

        Raises: InputError.
        """

        def work(tx: Transaction, now: Any) -> Provider:
            check_provider(provider)
            settings = provider.to_json()
            providers.put(tx, provider.issuer, settings, int(now.timestamp()))
            return provider

        entry = AuditEntry("provider.put", by)
        return self.desk.act(entry, work, lambda done: {"issuer": done.issuer})

    def end_provider(self, issuer: str, *, by: Actor) -> None:
        """Believe an identity provider no longer. Raises: NotFound."""

        def work(tx: Transaction, now: Any) -> None:
            if issuer not in providers.listed(tx):
                raise NotFound("this provider is not believed")
            providers.end(tx, issuer, int(now.timestamp()))

        self.desk.act(AuditEntry("provider.end", by), work, lambda _done: {"issuer": issuer})

    def providers(self) -> list[Provider]:
        """List the identity providers that are believed."""
        with self.desk.store.reading() as reading:
            return list(granting.believed(reading).values())

    # -- grants ----------------------------------------------------------------------------------------

    def sign_in(self, id_token: str) -> SignedIn:
        """Say which holder signed in, for himself. Raises: IdTokenRefused."""
        return granting.sign_in(self.desk, id_token)

    def request_grant(self, wish: Wish, *, by: Actor) -> RequestRow:
        """Fix what a holder will be asked to agree to. Raises: NotFound, FieldNotAllowed, InputError."""
        return granting.request_grant(self.desk, wish, by)

    def asked(self, request_id: str) -> tuple[RequestRow, Matter, str]:
        """Show a holder what is asked of him: the request, its matter, and the agency's name.

        Raises: GrantNotValid.
        """
        with self.desk.store.reading() as reading:
            row = grants.request(reading, request_id) if len(request_id) <= 26 else None
            now = self.desk.clock().timestamp()
            if row is None or row.used_at is not None or now >= row.expires_at:
                raise GrantNotValid(granting.NO_REQUEST)
            agency = agencies.find(reading, row.agency)
            matter = self.desk.matter(reading, row.matter)
        return row, matter, "" if agency is None else agency.name

    def grant(self, request_id: str, id_token: str, *, by: Actor) -> GrantRow:
        """Take a holder's sign-in for a request as his agreement. Raises: GrantNotValid, IdTokenRefused."""
        return granting.grant_by_id_token(self.desk, request_id, id_token, by)

    def make_use_code(
        self, request_id: str, holder: SignedIn, *, delegation: str | None = None
    ) -> UseCode:
        """Make a one-time use code 用证码 for a request that the holder was shown. Raises: GrantNotValid."""
        by = _holder_actor("use_code")
        return granting.make_use_code(self.desk, request_id, holder, by, delegation=delegation)

    def redeem(self, request_id: str, code: str, *, by: Actor) -> GrantRow:
        """Redeem a use code at the agency that asked. Raises: GrantNotValid, UseCodeRefused."""
        return granting.grant_by_use_code(self.desk, request_id, code, by)

    def revoke_grant(
        self, grant_id: str, *, by: Actor | None = None, holder: SignedIn | None = None
    ) -> GrantRow:
        """Revoke a grant, as its holder or as the agency it was given to. Raises: GrantNotValid."""
        if (by is None) == (holder is None):
            raise InputError("a grant is revoked by its holder or by an agency")
        acting = by or _holder_actor("revoke")
        return granting.revoke_grant(self.desk, grant_id, acting, holder=holder)

    def grants(
        self,
        *,
        by: Actor | None = None,
        holder: SignedIn | None = None,
        after: str = "",
        limit: int = MAX_PAGE,
    ) -> list[GrantRow]:
        """List the grants that a holder gave, or that an agency was given."""
        own = None if holder is None else self.desk.holder_hmac(holder.code)
        agency = None if by is None else by.agency
        size = max(1, min(limit, MAX_PAGE))
        with self.desk.store.reading() as reading:
            return grants.listed(reading, holder_hmac=own, agency=agency, after=after, limit=size)

    def show_grant(self, grant_id: str, *, by: Actor) -> GrantRow:
        """Give a grant to the agency it was given to. Raises: GrantNotValid."""
        with self.desk.store.reading() as reading:
            row = grants.find(reading, grant_id) if len(grant_id) <= 26 else None
        if row is None or (by.scopes is not None and row.agency != by.agency):
            self._write([AuditEntry("grant.read", by, GrantNotValid.code)])
            raise GrantNotValid("there is no such grant")
        return row

    def delegate(
        self, holder: SignedIn, agent_code: str, *, until: date, matters: Iterable[str] = ()
    ) -> DelegationRow:
        """Let an agent act for a holder 委托, in some matters or all, until a day. Raises: InputError."""
        by = _holder_actor("delegate")
        listed = list(matters)
        return granting.delegate(self.desk, holder, agent_code, matters=listed, until=until, by=by)

    def end_delegation(self, delegation_id: str, holder: SignedIn) -> None:
        """End a delegation that one gave or was given. Raises: GrantNotValid."""
        granting.end_delegation(self.desk, delegation_id, holder, _holder_actor("delegate"))

    def delegations(self, holder: SignedIn) -> list[dict[str, Any]]:
        """List the delegations that a holder gave or was given."""
        own = self.desk.holder_hmac(holder.code)
        with self.desk.store.reading() as reading:
            rows = grants.delegations(reading, own)
        return [granting.delegation_json(row, own) for row in rows]

    # -- checklists and dossiers -------------------------------------------------------------------------

    def draw(
        self, application: Application, by: Actor
    ) -> tuple[Checklist | None, list[AuditEntry], EcertError | None]:
        """Draw up a checklist without writing its audit rows; the caller must write them first."""
        try:
            checklist, entries = draw(self.desk, application, by)
        except EcertError as error:
            return None, [refused(self.desk, "checklist", application, by, error)], error
        return checklist, entries, None

    def fulfil(self, application: Application, *, by: Actor) -> Fulfilled:
        """Answer an application with a dossier; a refusal is audited. Raises: as ``reuse.fulfil``."""
        try:
            return fulfil(self.desk, application, by)
        except EcertError as error:
            self._write([refused(self.desk, "dossier", application, by, error)])
            raise

    # -- since then ----------------------------------------------------------------------------------------

    def changes(
        self, client: str, *, after: int = -1, limit: int = MAX_PAGE
    ) -> list[dict[str, Any]]:
        """List what was done since to certificates that a client was given, in the order of the log."""
        return self.changes_since(client, after=after, limit=limit)[0]

    def changes_since(
        self, client: str, *, after: int, limit: int
    ) -> tuple[list[dict[str, Any]], int]:
        """List changes, and give the cursor up to which there are no others."""
        size = max(1, min(limit, 1000))
        with self.desk.store.snapshot() as reading:
            found = changes.since(reading, client, after, size)
            head = trees.head(reading).size - 1
        return found, found[-1]["index"] if len(found) == size else max(after, head)

    def signed_changes(self, client: str, items: Sequence[Mapping[str, Any]]) -> str:
        """Sign changes for a client's webhook."""
        key, now = self.desk.registry_key(), int(self.desk.clock().timestamp())
        return sign_changes(self.desk.base, client, items, key, now=now)

    def uses(
        self, holder: SignedIn, *, before: int | None = None, limit: int = MAX_PAGE
    ) -> list[dict[str, Any]]:
        """List who was shown a holder's certificates, for which matter, newest first."""
        size = max(1, min(limit, MAX_PAGE))
        with self.desk.store.reading() as reading:
            return changes.uses(reading, self.desk.holder_hmac(holder.code), before, size)

    def held(self, holder: SignedIn) -> list[Record]:
        """List the certificates that a holder has, newest first."""
        slugs = [kind.slug for kind in self.desk.catalogue]
        with self.desk.store.reading() as reading:
            found = holders.held(reading, self.desk.holder_hmac(holder.code), slugs)
        return self._today(found)

    def object(
        self, complaint: Complaint, *, by: Actor | None = None, holder: SignedIn | None = None
    ) -> ObjectionRow:
        """Report an error in a certificate 异议. Raises: NotFound, InputError."""
        acting = by or _holder_actor("objection")
        return objecting.raise_objection(self.desk, complaint, acting, holder=holder)

    def objections(
        self,
        *,
        by: Actor | None = None,
        holder: SignedIn | None = None,
        state: str | None = None,
        after: str = "",
        limit: int = MAX_PAGE,
    ) -> list[ObjectionRow]:
        """List the objections that an agency has to answer or raised, or that a holder raised."""
        own = None if holder is None else self.desk.holder_hmac(holder.code)
        size = max(1, min(limit, MAX_PAGE))
        with self.desk.store.reading() as reading:
            return objections.listed(
                reading,
                agency=None if by is None else by.agency,
                holder_hmac=own,
                state=state,
                after=after,
                limit=size,
            )

    # -- supervision ---------------------------------------------------------------------------------------

    def supervise(self, since: date | None = None, until: date | None = None) -> dict[str, Any]:
        """Count papers not brought, refusals, promises kept and unusual reading. Raises: InputError."""
        return supervise(self.desk, make_period(since, until, self.desk.clock()))


def _holder_actor(purpose: str) -> Actor:
    return Actor("holder", purpose=purpose)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_new(matter: Matter, known: Iterable[str], there: Mapping[tuple[str, int], bytes]) -> bool:
    if matter.agency not in known:
        raise NotFound(f"{matter.code}: its agency is not registered, or not yours")
    digest = there.get((matter.code, matter.version))
    if digest is not None and digest != matter.digest:
        raise AlreadyExists(
            f"{matter.code}: version {matter.version} is there in other words; add a version"
        )
    return digest is None


def _check_owners(matters: Iterable[Matter], owners: Mapping[str, str]) -> None:
    """Keep a code with the agency whose matter it is; only the operator moves one."""
    for one in matters:
        if owners.get(one.code, one.agency) != one.agency:
            raise AlreadyExists(f"{one.code} is another agency's matter")


def _matter_row(matter: Matter, at: int) -> dict[str, Any]:
    return {
        "code": matter.code,
        "version": matter.version,
        "agency": matter.agency,
        "definition": canonical_plain(matter.to_json()),
        "digest": matter.digest,
        "created_at": at,
    }
