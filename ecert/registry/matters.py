"""Matters 事项: what people apply for, and which materials it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ecert._encoding import canonical_plain
from ecert.errors import AlreadyExists, NotFound
from ecert.ledger.access import ANYBODY, MATTERS, is_operator, managed
from ecert.ledger.acting import Verbs, needs
from ecert.ledger.standing import standing
from ecert.ledger.successors import read_successors
from ecert.ledger.trail import AuditEntry, Trail
from ecert.model import Actor, Record
from ecert.reuse.asking import may_ask, of_today
from ecert.reuse.graph import Graph, all_matters, draw_graph, project_records
from ecert.reuse.matter import NO_MATTER, Matter, find_matter, parse_matters, read_matter
from ecert.store import Transaction, matters

MAX_PAGE = 100


class Matters(Verbs):
    """Adds matters, and shows them to those who may ask about them."""

    @needs(MATTERS)
    def add(self, data: bytes, *, by: Actor) -> list[tuple[Matter, bool]]:
        """Add the matters of a file 事项; each with whether it is new. Everything or nothing.

        A version that is there already in the same words is left as it is.
        Raises: MatterError, AlreadyExists for a version in other words, NotFound for its agency.
        """
        entry = AuditEntry("matter.add", by)
        with self.desk.audited(entry):
            parsed = parse_matters(data, self.desk.catalogue)

        def work(tx: Transaction, now: datetime) -> list[tuple[Matter, bool]]:
            mine = managed(tx, by)
            there = matters.digests(tx)
            results = [(one, _is_new(one, mine, there)) for one in parsed]
            if not is_operator(by):
                _check_owners(tx, parsed, now)
            if fresh := [_row(one, int(now.timestamp())) for one, new in results if new]:
                matters.add(tx, fresh)
            return results

        return self.desk.act(
            entry,
            work,
            lambda found: {"matters": [f"{one.code}/{one.version}" for one, new in found if new]},
        )

    @needs(ANYBODY)
    def all(
        self, *, by: Actor, after: str = "", limit: int = MAX_PAGE
    ) -> tuple[list[Matter], str | None]:
        """List the newest versions of matters by code.

        A client's are its agency's, those above it, and those that it receives for others.
        """
        size = max(1, min(limit, MAX_PAGE))
        listed: list[Matter] = []
        with self.desk.store.reading() as reading:
            judge = may_ask(reading, by, self.desk.clock())
            while len(listed) <= size:
                page = [read_matter(one) for one in matters.listed(reading, after, MAX_PAGE)]
                listed += [one for matter in page if (one := judge(matter)) is not None]
                if len(page) < MAX_PAGE:
                    break
                after = page[-1].code
        return listed[:size], listed[size - 1].code if len(listed) > size else None

    @needs(ANYBODY)
    def get(self, code: str, *, by: Actor, version: int | None = None) -> Matter:
        """Give a matter, its newest version unless told. Raises: NotFound."""
        with self.desk.store.reading() as reading:
            judge = may_ask(reading, by, self.desk.clock())
            matter = judge(find_matter(reading, code, version))
        if matter is None:
            raise NotFound(NO_MATTER)
        return matter

    @needs(ANYBODY)
    def graph(
        self,
        code: str,
        *,
        by: Actor,
        project_code: str | None = None,
        trail: Trail | None = None,
    ) -> Graph:
        """Show what comes before and after a matter; for a project also how each step stands.

        States are for the registry's own operators; over HTTP no project is taken. What the
        project's holders hold beside it counts too. Raises: NotFound.
        """
        around = self.get(code, by=by)
        records: list[Record] = []
        with self.desk.store.reading() as reading:
            listed = all_matters(reading)
            if project_code is not None and is_operator(by):
                slugs = {slug for one in listed for slug in one.issues}
                found = project_records(reading, project_code, slugs)
                records = standing(reading, found, self.desk.clock())
        rows = [AuditEntry("check", by, certificate=one.id) for one in records]
        if project_code is not None:
            (trail or self.desk.trail).write([AuditEntry("graph", by), *rows])
        return draw_graph(listed, around.code, records)


def _is_new(matter: Matter, known: Iterable[str], there: Mapping[tuple[str, int], bytes]) -> bool:
    if matter.agency not in known:
        raise NotFound(f"{matter.code}: its agency is not registered, or not yours")
    digest = there.get((matter.code, matter.version))
    if digest is not None and digest != matter.digest:
        raise AlreadyExists(
            f"{matter.code}: version {matter.version} is there in other words; add a version"
        )
    return digest is None


def _check_owners(tx: Transaction, parsed: Iterable[Matter], now: datetime) -> None:
    """Keep a code with the agency whose matter it is today; only the operator moves one."""
    successors = read_successors(tx, now)
    for one in parsed:
        if of_today(one, successors).agency != one.agency:
            raise AlreadyExists(f"{one.code} results in what was transferred to another agency")
        definition = matters.newest(tx, one.code)
        known = one if definition is None else of_today(read_matter(definition), successors)
        if known.agency != one.agency:
            raise AlreadyExists(f"{one.code} is another agency's matter")


def _row(matter: Matter, at: int) -> dict[str, Any]:
    return {
        "code": matter.code,
        "version": matter.version,
        "agency": matter.agency,
        "definition": canonical_plain(matter.to_json()),
        "digest": matter.digest,
        "created_at": at,
    }
