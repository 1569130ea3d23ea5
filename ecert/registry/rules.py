"""Sharing rules 共享规则: which agency may have which type, for which matter, on what legal basis."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from ecert.errors import InputError, NotFound
from ecert.ledger.access import SHARING
from ecert.ledger.acting import Verbs, needs
from ecert.ledger.rules import WHOLE, Mode
from ecert.ledger.trail import AuditEntry
from ecert.model import Actor, is_line
from ecert.reuse.matter import field_names, find_matter
from ecert.store import RuleRow, Transaction, agencies, rules

MAX_BASIS = 500


class Rules(Verbs):
    """Adds and ends sharing rules; without one nothing is shared, unless the holder agrees."""

    @needs(SHARING)
    def add(self, rule: RuleRow, *, by: Actor) -> RuleRow:
        """Add a sharing rule: a type, for an agency and those below it, for one matter or all.

        Its ``id`` and times are set here. Raises: InputError, NotFound for the agency or matter.
        """

        def work(tx: Transaction, now: datetime) -> RuleRow:
            self._check(rule)
            if agencies.find(tx, rule.agency) is None:
                raise NotFound("this agency is not registered")
            if rule.matter is not None:
                find_matter(tx, rule.matter)
            at = int(now.timestamp())
            row = replace(rule, id=self.desk.new_id(now), created_at=at, ended_at=None)
            rules.add(tx, row)
            return row

        return self.desk.act(AuditEntry("rule.add", by), work, lambda row: {"rule": row.id})

    def _check(self, rule: RuleRow) -> None:
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

    @needs(SHARING)
    def end(self, rule_id: str, *, by: Actor) -> RuleRow:
        """End a sharing rule, from now on; what was given under it stays cited. Raises: NotFound."""

        def work(tx: Transaction, now: datetime) -> RuleRow:
            row, at = rules.find(tx, rule_id), int(now.timestamp())
            if row is None:
                raise NotFound("there is no such rule")
            rules.end(tx, rule_id, at)
            return replace(row, ended_at=row.ended_at or at)

        return self.desk.act(AuditEntry("rule.end", by), work, lambda row: {"rule": row.id})

    @needs(SHARING)
    def all(self, *, by: Actor) -> list[RuleRow]:
        """List the sharing rules, ended ones too, oldest first."""
        del by
        with self.desk.store.reading() as reading:
            return rules.listed(reading)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
