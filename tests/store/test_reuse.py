"""Reuse on both databases: many at once, killed in the middle, brought up from before, and abused."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic import command
from alembic.config import Config
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import Connection, MetaData, create_engine, delete, insert, select, text
from sqlalchemy.engine import make_url

from ecert.config import Surroundings, open_registry
from ecert.errors import (
    ConsentOfAnother,
    EcertError,
    GrantNotValid,
    IdempotencyMismatch,
    InputError,
    NotFound,
    QuotaExceeded,
    UseCodeRefused,
)
from ecert.formats.dossier import parse_dossier
from ecert.formats.id_token import SignedIn
from ecert.keys import make_signer, public_jwk
from ecert.ledger.trail import DONE, AuditEntry
from ecert.model import Actor, Application, Basis, Operation, Record
from ecert.registry import IssueRequest, Registry
from ecert.registry.tokens import ASSERTION_TYPE
from ecert.reuse import fulfilment
from ecert.reuse.checklist import State
from ecert.reuse.grant import CODE_TRIES, GrantWish
from ecert.reuse.sharing import new_rule
from ecert.store import ClientRow, DossierRow, Transaction, dossiers, engine
from ecert.store import tables as t
from ecert.testing import SettableClock
from ecert_api import delivery
from tests.conftest import (
    CLERK,
    CONSTRUCTION,
    EVERY_TYPE,
    PATIENCE,
    PLAN,
    PLANNING,
    WORKS,
    Maker,
    trail_rows,
)
from tests.unit.test_matter import LICENCE, material, matter, option, written

Drafts = Callable[..., dict[str, Any]]
WHY = Basis("申请材料虚假", "穗规划资源撤〔2026〕1号", "赵六")
MATTER = "HD-T-1"
HOLDER = "91440114MA00000151"
OWNER = SignedIn(HOLDER, "001", None)
MANAGER = Actor("系统", CONSTRUCTION.code, "manager", scopes=frozenset({"clients:manage"}))


@dataclass(frozen=True)
class Desk:
    """A registry in which the construction bureau may ask for a holder's licence."""

    registry: Registry
    licence: Record
    by: Actor

    def fulfil(
        self, case_number: str = "1", by: Actor | None = None, **members: Any
    ) -> dict[str, Any]:
        return self.registry.dossiers.fulfil(
            self.application(case_number, **members), by=by or self.by
        )

    def row(self, _number: int = 0) -> DossierRow:
        """Fulfil and give what is kept, without receipts."""
        made = self.registry.dossiers.fulfil(self.application(), by=self.by)
        with self.registry.store.reading() as reading:
            kept = dossiers.find(reading, self.by.client or "", MATTER, "1")
        assert kept is not None
        assert kept.token == made["statement"]
        return kept

    def try_it(self, case_number: str = "1", by: Actor | None = None, **members: Any) -> None:
        """Fulfil without receipts."""
        self.registry.dossiers.fulfil(self.application(case_number, **members), by=by or self.by)

    def application(self, case_number: str = "1", **members: Any) -> Application:
        return replace(Application(MATTER, case_number, holder_code=HOLDER), **members)

    def add_rule(self, slug: str = LICENCE, **members: Any) -> str:
        rule = new_rule(slug, CONSTRUCTION.code, legal_basis="国务院令第716号", **members)
        return self.registry.rules.add(rule, by=CLERK).id

    def end_rules(self) -> None:
        for rule in self.registry.rules.all(by=CLERK):
            self.registry.rules.end(rule.id, by=CLERK)

    def client(self, name: str = "系统", **members: Any) -> ClientRow:
        return add_client(self.registry, name, **members)

    def grant(self, matter_code: str = MATTER, **wish: Any) -> str:
        """Let the holder agree at the window."""
        grants = self.registry.grants
        asked = grants.request(GrantWish(matter_code, **wish), by=self.by)
        code = self.registry.holders.make_use_code(asked.id, holder=OWNER)
        return grants.redeem(asked.id, code.short, by=self.by).id

    def rows(self, table: Any) -> list[Any]:
        with self.registry.store.reading() as reading:
            return list(reading.connection.execute(select(table)).all())

    def trail(self, *actions: str) -> list[dict[str, Any]]:
        rows = trail_rows(self.registry, limit=1000)
        return [row for row in rows if row["action"] in actions]


def add_client(registry: Registry, name: str, **members: Any) -> ClientRow:
    jwk = public_jwk(make_signer().public_key)
    plain: dict[str, Any] = {"agency": CONSTRUCTION.code, "scopes": ["certificates:read"]}
    return registry.clients.add(name, jwk=jwk, by=CLERK, **{**plain, **members})


def set_up(registry: Registry, draft_of: Drafts) -> Desk:
    """Register the bureau and its matter, open licences to it, and issue one."""
    registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE)
    registry.matters.add(written(matter(agency=CONSTRUCTION.code)), by=CLERK)
    issued = registry.certificates.issue(LICENCE, draft_of(LICENCE), by=CLERK, agency=PLANNING.code)
    client = add_client(registry, "施工许可审批系统")
    desk = Desk(registry, issued.record, Actor("李四", CONSTRUCTION.code, client.id))
    desk.add_rule()
    return desk


def check_trail(desk: Desk) -> None:
    """The trail is whole, and no row of it names a holder's code."""
    desk.registry.trail.check()
    rows = trail_rows(desk.registry, limit=1000)
    assert rows
    assert HOLDER not in str(rows)


@pytest.fixture
def desk(any_registry: Registry, draft_of: Drafts) -> Iterator[Desk]:
    """A desk on each of the two databases."""
    made = set_up(any_registry, draft_of)
    yield made
    check_trail(made)


@pytest.fixture
def one_desk(registry: Registry, draft_of: Drafts) -> Iterator[Desk]:
    """A desk on SQLite, for what has nothing to do with the database."""
    made = set_up(registry, draft_of)
    yield made
    check_trail(made)


# -- many at once ----------------------------------------------------------------------------------------


def all_at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run work in so many threads that all start together."""
    ready = threading.Barrier(count)

    def run(number: int) -> Any:
        ready.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_one_case_is_one_dossier_however_many_ask_at_once(desk: Desk) -> None:
    rows = all_at_once(8, desk.row)
    assert len({row.token for row in rows}) == 1
    assert {(row.id, row.revision) for row in rows} == {(rows[0].id, 1)}
    assert len(desk.rows(t.dossiers)) == len(desk.rows(t.dossier_items)) == 1
    assert len(desk.trail("dossier")) == len(desk.trail("use")) == 8
    assert desk.registry.supervision.figures(by=CLERK)["papers_not_brought"] == 1
    desk.registry.trail.check()


def test_a_revision_is_one_statement_however_many_ask_at_once(desk: Desk) -> None:
    """Nothing is presented any more, so no certificate's row is there to wait at."""
    first = desk.fulfil()
    desk.registry.certificates.operate(desk.licence.id, Operation.WITHDRAW, basis=WHY, by=CLERK)
    rows = all_at_once(8, desk.row)
    assert {(row.id, row.revision) for row in rows} == {(first["id"], 2)}
    assert len({row.token for row in rows}) == 1


def test_a_library_answers_many_threads_at_once(one_desk: Desk) -> None:
    """With receipts, so each of them publishes what the others wrote."""
    answers = all_at_once(16, lambda number: one_desk.fulfil(f"case {number}"))
    assert len({one["id"] for one in answers}) == 16


def outcome(work: Callable[[], Any]) -> str:
    try:
        work()
    except EcertError as error:
        return error.code
    return DONE


def test_a_case_number_is_for_one_applicant_also_at_once(desk: Desk) -> None:
    def ask(number: int) -> str:
        project = f"2601-440114-04-01-10000{number}"
        return outcome(lambda: desk.try_it(project_code=project))

    counted = Counter(all_at_once(6, ask))
    assert counted == {DONE: 1, IdempotencyMismatch.code: 5}
    assert len(desk.rows(t.dossiers)) == 1


def test_a_rule_s_quota_is_never_exceeded(desk: Desk) -> None:
    desk.end_rules()
    desk.add_rule(daily_quota=5)
    counted = Counter(all_at_once(10, lambda n: outcome(lambda: desk.try_it(f"case {n}"))))
    assert counted == {DONE: 5, QuotaExceeded.code: 5}
    assert len(desk.rows(t.dossiers)) == len(desk.trail("use")) == 5
    assert [row.used for row in desk.rows(t.usage)] == [5]


def test_a_client_s_quota_is_never_exceeded(desk: Desk) -> None:
    client = desk.client(daily_quota=4)
    by = replace(desk.by, client=client.id)
    counted = Counter(all_at_once(9, lambda n: outcome(lambda: desk.try_it(f"case {n}", by))))
    assert counted == {DONE: 4, QuotaExceeded.code: 5}
    reads = [[AuditEntry("read", by, certificate=desk.licence.id)]] * 3
    assert [type(one) for one in desk.registry.desk.trail.write_calls(reads)] == [QuotaExceeded] * 3
    assert [row["outcome"] for row in desk.trail("read")] == [QuotaExceeded.code] * 3


def test_a_call_beyond_the_quota_is_refused_whole(desk: Desk) -> None:
    client = desk.client(daily_quota=4)
    read = AuditEntry("read", replace(desk.by, client=client.id))
    one, two, three = (replace(read, certificate=f"1.2.{number}") for number in range(3))
    calls = [[one, two, three, three], [one, two], [one]]
    refusals = desk.registry.desk.trail.write_calls(calls)
    assert [None if one is None else one.code for one in refusals] == [None, "quota_exceeded", None]
    outcomes = [row["outcome"] for row in desk.trail("read")]
    assert outcomes == [DONE] * 4 + ["quota_exceeded"] * 2 + [DONE]
    assert [row.used for row in desk.rows(t.usage)] == [4]


def test_a_quota_is_of_one_day(desk: Desk, clock: SettableClock) -> None:
    desk.end_rules()
    desk.add_rule(daily_quota=1)
    clock.now = clock.now.replace(hour=15, minute=59, second=59)  # 23:59:59 in Guangzhou
    assert [outcome(lambda n=n: desk.fulfil(n)) for n in "ab"] == [DONE, QuotaExceeded.code]  # type: ignore[misc]  # a bound name
    clock.move(timedelta(seconds=1))
    assert [outcome(lambda n=n: desk.fulfil(n)) for n in "bc"] == [DONE, QuotaExceeded.code]  # type: ignore[misc]  # a bound name
    assert len(desk.rows(t.usage)) == 1


def test_a_refusal_for_a_quota_gives_and_counts_nothing(desk: Desk) -> None:
    """Of two rules one has room: it is not used up by what the other refuses."""
    desk.end_rules()
    desk.add_rule(daily_quota=9)
    desk.add_rule(WORKS, daily_quota=0)
    both = matter(
        "HD-T-2",
        material(),
        material("works", option(WORKS, "holders.name")),
        agency=CONSTRUCTION.code,
    )
    desk.registry.matters.add(written(both), by=CLERK)
    draft = dict(desk.registry.catalogue.newest(WORKS).example)
    desk.registry.certificates.issue(WORKS, draft, by=CLERK, agency=PLANNING.code)
    with pytest.raises(QuotaExceeded):
        desk.fulfil(matter="HD-T-2")
    assert desk.rows(t.usage) == desk.rows(t.dossiers) == desk.trail("use") == []
    figures = desk.registry.supervision.figures(by=CLERK)
    assert figures["refusals"] == [{"code": "quota_exceeded", "count": 1}]


FULFILLER = """
import sys
from pathlib import Path
from ecert.config import Surroundings, open_registry
from ecert.errors import QuotaExceeded
from ecert.model import Actor
from ecert.reuse.application import Application
home, state, agency, client, *cases = sys.argv[1:]
registry = open_registry(home, around=Surroundings(state=Path(state)))
by = Actor("process", agency, client)
sys.stdin.readline()
for case in cases:
    try:
        done = registry.dossiers.fulfil(
            Application("HD-T-1", case, holder_code="91440114MA00000151"), by=by
        )
    except QuotaExceeded:
        print("quota", flush=True)
    else:
        print(done["statement"], flush=True)
"""


def started(code: str, desk: Desk, tmp_path: Path, *cases: str) -> subprocess.Popen[str]:
    """Start a process that asks as the desk's client."""
    return start(code, tmp_path, CONSTRUCTION.code, desk.by.client or "", *cases)


def start(code: str, tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    """Start a process on the test's registry; it waits for a line before it does anything."""
    home, state = str(tmp_path / "home"), str(tmp_path / "state")
    return subprocess.Popen(
        [sys.executable, "-c", code, home, state, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def together(processes: Iterable[subprocess.Popen[str]]) -> list[list[str]]:
    """Let processes go at once; give what each said."""
    running = list(processes)
    for one in running:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    return [one.communicate(timeout=PATIENCE)[0].split() for one in running]


def test_one_case_is_one_dossier_also_among_processes(desk: Desk, tmp_path: Path) -> None:
    cases = [f"case-{number}" for number in range(5)]
    said = together(started(FULFILLER, desk, tmp_path, *cases) for _ in range(3))
    assert [len(one) for one in said] == [5, 5, 5]
    assert said[0] == said[1] == said[2]
    kept = {row.case_number: row.token for row in desk.rows(t.dossiers)}
    assert kept == dict(zip(cases, said[0], strict=True))
    desk.registry.trail.check()


def test_a_quota_holds_among_processes(desk: Desk, tmp_path: Path) -> None:
    desk.end_rules()
    desk.add_rule(daily_quota=7)
    said = together(
        started(FULFILLER, desk, tmp_path, *(f"case-{process}-{n}" for n in range(5)))
        for process in range(3)
    )
    given = [word for one in said for word in one if word != "quota"]
    assert len(given) == len(desk.rows(t.dossiers)) == 7
    assert sum(one.count("quota") for one in said) == 8


# -- killed in the middle --------------------------------------------------------------------------------

KILLED_IN_COMMIT = FULFILLER.replace(
    "sys.stdin.readline()",
    """
import os, signal
from ecert.ledger.trail import AuditTrail
sys.stdin.readline()
AuditTrail.reserve = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
""",
)


def test_killed_before_the_commit_nothing_is_there(desk: Desk, tmp_path: Path) -> None:
    """The dossier, its items and the quota are written already; the trail is not."""
    desk.end_rules()
    desk.add_rule(daily_quota=7)
    before = len(trail_rows(desk.registry, limit=1000))
    killed = started(KILLED_IN_COMMIT, desk, tmp_path, "case-1")
    assert together([killed]) == [[]]
    assert killed.returncode == -signal.SIGKILL
    assert desk.rows(t.dossiers) == desk.rows(t.dossier_items) == desk.rows(t.usage) == []
    assert len(trail_rows(desk.registry, limit=1000)) == before
    assert desk.fulfil("case-1")["revision"] == 1
    desk.registry.trail.check()


def test_killed_at_any_moment_every_dossier_is_whole(desk: Desk, tmp_path: Path) -> None:
    answered: dict[str, str] = {}
    for turn, lines in enumerate((1, 3, 6)):
        cases = [f"case-{turn}-{number}" for number in range(500)]
        with started(FULFILLER, desk, tmp_path, *cases) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            said = [process.stdout.readline() for _ in range(lines)]
            process.send_signal(signal.SIGKILL)
            said += [line for line in process.stdout if line.endswith("\n")]
        answered |= zip(cases, (line.strip() for line in said), strict=False)
    kept = {row.case_number: row for row in desk.rows(t.dossiers)}
    assert {case: kept[case].token for case in answered} == answered, "what was answered is there"
    uses = Counter(row["details"]["dossier"] for row in desk.trail("use"))
    made = Counter(row["details"]["dossier"] for row in desk.trail("dossier"))
    items = Counter(row.dossier for row in desk.rows(t.dossier_items))
    assert uses == made == items == Counter(row.id for row in kept.values())
    desk.registry.trail.check()


# -- between drawing and committing ----------------------------------------------------------------------


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Do something once, after a dossier was drawn and before it is committed."""

    def arrange(work: Callable[[], Any]) -> None:
        present, waiting = fulfilment._present, [work]

        def hooked(*arguments: Any) -> Any:
            if waiting:
                waiting.pop()()
            return present(*arguments)

        monkeypatch.setattr(fulfilment, "_present", hooked)

    return arrange


Meanwhile = Callable[[Callable[[], Any]], None]


def test_what_was_withdrawn_meanwhile_is_not_given(desk: Desk, meanwhile: Meanwhile) -> None:
    operate = desk.registry.certificates.operate
    meanwhile(lambda: operate(desk.licence.id, Operation.WITHDRAW, basis=WHY, by=CLERK))
    answer = desk.fulfil()
    assert answer["presentations"] == []
    assert answer["checklist"]["items"][0]["because"] == "withdrawn"
    assert desk.trail("use") == []


def test_a_rule_that_was_ended_meanwhile_gives_nothing(desk: Desk, meanwhile: Meanwhile) -> None:
    meanwhile(desk.end_rules)
    with pytest.raises(NotFound):
        desk.fulfil()
    assert desk.rows(t.dossiers) == desk.trail("use") == []


def test_a_grant_that_was_revoked_meanwhile_gives_nothing(desk: Desk, meanwhile: Meanwhile) -> None:
    desk.end_rules()
    grant = desk.grant()
    meanwhile(lambda: desk.registry.grants.revoke(grant, by=desk.by))
    with pytest.raises(GrantNotValid):
        desk.fulfil(grant=grant)
    assert desk.rows(t.dossiers) == desk.trail("use") == []


def is_waiting_for_a_lock(connection: Connection) -> bool:
    query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return bool(connection.execute(query).scalar_one())


def test_the_trail_has_no_use_of_a_grant_after_its_revocation(
    make_registry: Maker, postgres_url: str, draft_of: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """READ COMMITTED: who looks at the grant without locking it, does not see it go."""
    desk = set_up(make_registry(postgres_url), draft_of)
    desk.end_rules()
    grant = desk.grant()
    revoking = threading.Thread(
        target=lambda: desk.registry.grants.revoke(grant, by=desk.by), daemon=True
    )
    put = dossiers.put

    def hooked(tx: Transaction, *arguments: Any, **members: Any) -> None:
        """Let the holder revoke after everything was looked at, and before the commit."""
        put(tx, *arguments, **members)
        revoking.start()
        address = make_url(postgres_url).set(drivername="postgresql+psycopg")
        outside = create_engine(address, isolation_level="AUTOCOMMIT")
        with outside.connect() as connection:
            while revoking.is_alive() and not is_waiting_for_a_lock(connection):
                pass
        outside.dispose()

    monkeypatch.setattr(dossiers, "put", hooked)
    with suppress(GrantNotValid):
        desk.fulfil(grant=grant)
    revoking.join()
    actions = [row["action"] for row in desk.trail("use", "grant.revoke")]
    assert actions in (["use", "grant.revoke"], ["grant.revoke"])


# -- consent ---------------------------------------------------------------------------------------------


def test_a_grant_is_for_what_the_holder_was_shown(desk: Desk) -> None:
    """A newer version of the matter may mean another certificate by the same material."""
    desk.end_rules()
    shown = matter("HD-T-2", material("m", option(WORKS)), agency=CONSTRUCTION.code)
    desk.registry.matters.add(written(shown), by=CLERK)
    grant = desk.grant("HD-T-2")
    other = matter("HD-T-2", material("m", option(LICENCE)), agency=CONSTRUCTION.code, version=2)
    desk.registry.matters.add(written(other), by=CLERK)
    with pytest.raises((ConsentOfAnother, GrantNotValid, NotFound)):
        desk.fulfil(grant=grant, matter="HD-T-2")
    assert desk.trail("use") == []


def test_a_statement_of_a_grant_alone_still_commits_to_the_holder(desk: Desk) -> None:
    """``holder`` is None only where a project alone was named, says the statement's reader."""
    desk.end_rules()
    answer = desk.fulfil(grant=desk.grant(), holder_code=None)
    assert len(answer["presentations"]) == 1
    assert parse_dossier(answer["statement"])[2].holder is not None


def test_a_use_code_has_so_many_tries_also_at_once(desk: Desk) -> None:
    grants, holders = desk.registry.grants, desk.registry.holders
    asked = grants.request(GrantWish(MATTER), by=desk.by)
    code = holders.make_use_code(asked.id, holder=OWNER)
    wrong = f"{(int(code.short) + 1) % 10**8:08}"
    counted = Counter(
        all_at_once(
            CODE_TRIES, lambda _: outcome(lambda: grants.redeem(asked.id, wrong, by=desk.by))
        )
    )
    assert counted == {UseCodeRefused.code: CODE_TRIES}
    with pytest.raises(UseCodeRefused):
        grants.redeem(asked.id, code.short, by=desk.by)
    holders.make_use_code(asked.id, holder=OWNER)
    assert [row.tries for row in desk.rows(t.grant_requests)] == [CODE_TRIES + 1]


def test_a_use_code_makes_one_grant_however_many_show_it_at_once(desk: Desk) -> None:
    grants, holders = desk.registry.grants, desk.registry.holders
    asked = grants.request(GrantWish(MATTER), by=desk.by)
    code = holders.make_use_code(asked.id, holder=OWNER)
    counted = Counter(
        all_at_once(6, lambda _: outcome(lambda: grants.redeem(asked.id, code.code, by=desk.by)))
    )
    assert counted == {DONE: 1, GrantNotValid.code: 5}
    assert len(desk.rows(t.grants)) == 1


def test_a_grant_is_good_to_the_end_of_its_last_day(desk: Desk, clock: SettableClock) -> None:
    desk.end_rules()
    grant = desk.grant(until=date(2026, 3, 3))
    clock.now = clock.now.replace(day=3, hour=15, minute=59, second=59)
    assert desk.fulfil(grant=grant)["presentations"]
    clock.move(timedelta(seconds=1))
    with pytest.raises(GrantNotValid):
        desk.fulfil(grant=grant)


# -- what is held ----------------------------------------------------------------------------------------


def test_a_holder_of_hundreds_still_has_the_oldest_licence(
    one_desk: Desk, draft_of: Drafts
) -> None:
    """A builder's many permits do not crowd out the one licence that was issued first."""
    registry = one_desk.registry
    holders = [{"name": "甲公司", "code": HOLDER, "code_type": "001"}]
    request = IssueRequest(WORKS, draft_of(WORKS, holders=holders), CLERK, PLANNING.code)
    registry.certificates.issue_many([request] * 501)
    one_desk.add_rule(WORKS)
    both = matter("HD-T-2", material(), material("works", option(WORKS)), agency=CONSTRUCTION.code)
    registry.matters.add(written(both), by=CLERK)
    asked = Application("HD-T-2", "1", holder_code=HOLDER)
    states = [item.state for item in registry.dossiers.checklist(asked, by=one_desk.by).items]
    assert states == [State.MET, State.MET]


# -- what happened since ---------------------------------------------------------------------------------


def told(desk: Desk, after: int = -1, limit: int = 100) -> list[tuple[str, str]]:
    client = desk.by.client or ""
    found, _ = desk.registry.changes.waiting(client, after=after, limit=limit)
    return [(one["certificate"], one["operation"]) for one in found]


def test_changes_are_told_once_in_order_and_only_to_whom_it_was_given(
    desk: Desk, draft_of: Drafts, clock: SettableClock
) -> None:
    registry, licence = desk.registry, desk.licence.id
    registry.certificates.operate(licence, Operation.SUSPEND, basis=WHY, by=CLERK)
    registry.certificates.operate(licence, Operation.RESUME, basis=WHY, by=CLERK)
    clock.move(timedelta(hours=1))
    desk.fulfil("a")
    desk.fulfil("b")
    clock.move(timedelta(hours=1))
    other = registry.certificates.issue(
        LICENCE, draft_of(LICENCE), by=CLERK, agency=PLANNING.code
    ).record
    registry.certificates.operate(other.id, Operation.WITHDRAW, basis=WHY, by=CLERK)
    for operation in (Operation.SUSPEND, Operation.RESUME, Operation.WITHDRAW):
        registry.certificates.operate(licence, operation, basis=WHY, by=CLERK)
    expected = [(licence, "suspend"), (licence, "resume"), (licence, "withdraw")]
    assert told(desk) == expected, "each once, though it was given in two cases"
    found, _ = registry.changes.since(by=desk.by)
    assert sorted(one["case_number"] for one in found[0]["cases"]) == ["a", "b"]
    indexes = [one["index"] for one in found]
    assert indexes == sorted(set(indexes))
    assert told(desk, after=indexes[0]) == expected[1:], "the cursor is the last one heard"
    assert told(desk, after=indexes[-1]) == []
    assert told(desk, limit=1) == expected[:1]
    assert registry.changes.since(by=CLERK, client="another client")[0] == []


@pytest.mark.parametrize("behind", [1, 5, 60])
def test_a_change_is_told_also_by_a_node_whose_clock_is_behind(
    desk: Desk, clock: SettableClock, behind: int
) -> None:
    """The order of two acts is that of the trail: two machines never agree on the second."""
    desk.fulfil()
    clock.move(timedelta(seconds=-behind))
    desk.registry.certificates.operate(desk.licence.id, Operation.WITHDRAW, basis=WHY, by=CLERK)
    assert told(desk) == [(desk.licence.id, "withdraw")]


def test_one_bad_address_does_not_stop_the_others(one_desk: Desk) -> None:
    """The address passes every check, and no library can send to it."""
    registry = one_desk.registry
    urls = {one_desk.client(n).id: url for n, url in (("甲", "https://xn--/x"), ("乙", GOOD))}
    for number, (client, url) in enumerate(urls.items()):
        one_desk.fulfil(str(number), replace(one_desk.by, client=client))
        with suppress(InputError):  # refused at once is good too
            registry.webhooks.put(client, url, by=CLERK)
    registry.certificates.operate(one_desk.licence.id, Operation.WITHDRAW, basis=WHY, by=CLERK)
    heard = delivered(registry, lambda _: httpx.Response(204))
    assert heard == [GOOD]
    results = {row.url: row.last_result for row in registry.webhooks.all()}
    assert results[GOOD] == "204"
    assert results.get("https://xn--/x") != "204"


def test_nobody_reads_on_and_on_what_a_webhook_answers(one_desk: Desk) -> None:
    client = one_desk.client()
    one_desk.fulfil(by=replace(one_desk.by, client=client.id))
    one_desk.registry.webhooks.put(client.id, GOOD, by=CLERK)
    one_desk.registry.certificates.operate(
        one_desk.licence.id, Operation.WITHDRAW, basis=WHY, by=CLERK
    )
    read: list[int] = []

    async def endless() -> Any:
        for number in range(1000):
            read.append(number)
            yield b"x" * 4096

    delivered(one_desk.registry, lambda _: httpx.Response(200, content=endless()))
    assert len(read) < 100


GOOD = "https://bureau.example/changes"


def delivered(registry: Registry, answer: Callable[[httpx.Request], httpx.Response]) -> list[str]:
    """Deliver once what is due; give the addresses that were called."""
    called: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        called.append(str(request.url))
        return answer(request)

    async def deliver() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
            await delivery.deliver_due(registry, http)

    asyncio.run(deliver())
    return called


# -- who manages clients ---------------------------------------------------------------------------------


def test_nobody_takes_a_key_to_scopes_that_he_does_not_have(one_desk: Desk) -> None:
    """Whoever holds one of its keys is the client."""
    strong = one_desk.client(scopes=["certificates:issue", "sharing:manage"])
    jwk = public_jwk(make_signer().public_key)
    with pytest.raises(EcertError):
        one_desk.registry.clients.add_key(strong.id, jwk, by=MANAGER)
    assert one_desk.registry.clients.get(strong.id) == strong


def test_whoever_manages_clients_can_always_suspend_one(one_desk: Desk) -> None:
    """It gives nobody anything, and it is what must be quick."""
    strong = one_desk.client(scopes=["certificates:issue"])
    changed = one_desk.registry.clients.change(strong.id, by=MANAGER, state="suspended")
    assert changed.state == "suspended"


def test_a_suspension_is_not_lost_to_another_change(desk: Desk) -> None:
    changes: list[dict[str, Any]] = [{"state": "suspended"}, {"daily_quota": 7}]
    for _ in range(5):
        client = desk.client()

        def change(place: int, name: str = client.id) -> None:
            desk.registry.clients.change(name, by=CLERK, **changes[place])

        all_at_once(2, change)
        kept = desk.registry.clients.get(client.id)
        assert kept is not None
        assert (kept.state, kept.daily_quota) == ("suspended", 7)


def test_two_keys_are_not_both_retired_at_once(desk: Desk) -> None:
    clients = desk.registry.clients
    for _ in range(5):
        row = desk.client()
        both = clients.add_key(row.id, public_jwk(make_signer().public_key), by=CLERK)
        kids = list(both.keys)

        def retire(place: int, name: str = row.id, kids: list[str] = kids) -> None:
            with suppress(InputError):
                clients.retire_key(name, kids[place], by=CLERK)

        all_at_once(2, retire)
        kept = desk.registry.clients.get(row.id)
        assert kept is not None
        assert len(kept.keys) == 1


def test_a_clerk_of_another_agency_finds_no_client(one_desk: Desk) -> None:
    client = one_desk.client(agency=PLANNING.code)
    registry, jwk = one_desk.registry, public_jwk(make_signer().public_key)
    clients, agencies = registry.clients, registry.agencies
    works: tuple[Callable[[], object], ...] = (
        lambda: clients.change(client.id, by=MANAGER, state="suspended"),
        lambda: clients.add_key(client.id, jwk, by=MANAGER),
        lambda: clients.retire_key(client.id, client.id, by=MANAGER),
        lambda: registry.webhooks.put(client.id, GOOD, by=MANAGER),
        lambda: agencies.require_dpop(PLANNING.code, requires=True, by=MANAGER),
    )
    for work in works:
        with pytest.raises(NotFound):
            work()


# -- sums ------------------------------------------------------------------------------------------------


def test_papers_are_counted_by_the_district_s_days(desk: Desk, clock: SettableClock) -> None:
    clock.now = clock.now.replace(hour=15, minute=59, second=59)
    desk.fulfil("a")
    desk.fulfil("a")  # the same dossier, and no other paper
    clock.move(timedelta(seconds=1))
    desk.fulfil("b")
    with pytest.raises(NotFound):
        desk.fulfil("c", replace(desk.by, agency=PLANNING.code))
    figures = desk.registry.supervision.figures(by=CLERK)
    counts = (figures["papers_not_brought"], figures["dossiers"], figures["refused"])
    assert counts == (2, 2, 1)
    days = [
        (row["day"], row["papers_not_brought"], row["dossiers"], row["refusals"])
        for row in figures["per_day"][-2:]
    ]
    assert days == [("2026-03-02", 1, 1, 0), ("2026-03-03", 1, 1, 1)]
    assert len(figures["per_day"]) == 30
    (kind,) = figures["by_type"]
    assert (kind["type"], kind["papers_not_brought"]) == (LICENCE, 2)
    (asked,) = figures["by_matter"]
    assert (asked["matter"], asked["papers_not_brought"], asked["refusals"]) == (MATTER, 2, 1)
    by_agency = {row["agency"]: row for row in figures["by_agency"]}
    assert by_agency[CONSTRUCTION.code]["papers_not_brought"] == 2
    assert by_agency[PLANNING.code]["refusals"] == 1
    only = desk.registry.supervision.figures(date(2026, 3, 2), date(2026, 3, 2), by=CLERK)
    assert (only["papers_not_brought"], only["refused"]) == (1, 0)


def test_promises_are_held_against_what_was_decided(
    desk: Desk, clock: SettableClock, draft_of: Drafts
) -> None:
    issuing = matter(
        "HD-T-2", agency=CONSTRUCTION.code, issues=["construction-permit"], promised_days=5
    )
    desk.registry.matters.add(written(issuing), by=CLERK)
    accepted = date(2026, 3, 2)
    for number, due in enumerate((1, 2, 30)):
        desk.fulfil(
            str(number),
            matter="HD-T-2",
            accepted_on=accepted,
            due_on=accepted + timedelta(days=due),
        )
    clock.move(timedelta(days=2))
    (row,) = desk.registry.supervision.figures(by=CLERK)["promises"]
    assert (row["cases"], row["decided"], row["promised_days"]) == (3, 0, 5)
    assert (row["green"], row["yellow"], row["red"]) == (1, 1, 1)
    holders = [{"name": "甲公司", "code": HOLDER, "code_type": "001"}]
    draft = draft_of("construction-permit", holders=holders)
    desk.registry.certificates.issue(
        "construction-permit", draft, by=CLERK, agency=CONSTRUCTION.code
    )
    clock.move(timedelta(days=60))
    (row,) = desk.registry.supervision.figures(accepted, accepted, by=CLERK)["promises"]
    assert (row["decided"], row["average_days"]) == (3, 2.0)
    assert (row["green"], row["yellow"], row["red"]) == (2, 0, 1)


def test_reading_far_above_habit_is_named(desk: Desk, clock: SettableClock) -> None:
    client = desk.client("好奇的系统")
    by = replace(desk.by, client=client.id)

    def read(times: int) -> None:
        entries = [AuditEntry("read", by, certificate=desk.licence.id)] * times
        desk.registry.desk.trail.write(entries)
        clock.move(timedelta(days=1))

    for _ in range(28):
        read(7)
    read(21)  # three times the habit is not above it
    read(23)
    unusual = desk.registry.supervision.figures(by=CLERK)["unusual"]
    assert [(one["name"], one["day"], one["reads"]) for one in unusual] == [
        ("好奇的系统", "2026-03-31", 23)
    ]
    assert unusual[0]["usual"] == 7.5


def test_what_an_agency_had_no_right_to_issue_is_never_met(desk: Desk) -> None:
    """As after an upgrade, where the operator ended a right that was only ever taken."""
    (item,) = desk.registry.dossiers.checklist(desk.application(), by=desk.by).items
    assert item.state == "met"
    gone = delete(t.competences).where(t.competences.c.slug == LICENCE)
    desk.registry.store.write(lambda tx: tx.connection.execute(gone))
    (item,) = desk.registry.dossiers.checklist(desk.application(), by=desk.by).items
    assert (item.state, item.because) == ("missing", "not_competent")
    assert "无权签发" in item.to_json()["sentence"]["zh"]
    assert desk.fulfil()["presentations"] == []


# -- from before -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Before:
    """A registry's home whose database is of the version before reuse, with two clients."""

    home: Path
    keys: dict[str, ECKey]
    clock: SettableClock

    def opened(self) -> Registry:
        around = Surroundings(clock=self.clock, state=self.home.parent / "state")
        return open_registry(self.home, around=around)


@pytest.fixture(params=["sqlite", "postgresql"])
def before(
    request: pytest.FixtureRequest, make_registry: Maker, tmp_path: Path, clock: SettableClock
) -> Before:
    is_sqlite = request.param == "sqlite"
    url = "sqlite:///ecert.db" if is_sqlite else request.getfixturevalue("postgres_url")
    registry = make_registry(url, plan=PLAN)
    keys: dict[str, ECKey] = {}
    for name in ("甲系统", "乙系统"):
        key = ECKey.generate_key("P-256")
        jwk = {k: v for k, v in key.as_dict(private=False).items() if k != "kid"}
        row = registry.clients.add(
            name, agency=PLANNING.code, scopes=["certificates:read"], jwk=jwk, by=CLERK
        )
        keys[row.id] = key
    registry.close()
    address = f"sqlite:///{tmp_path / 'home' / 'ecert.db'}" if is_sqlite else url
    put_back(address)
    return Before(tmp_path / "home", keys, clock)


def put_back(url: str) -> None:
    """Lay the database out as the version before did, by its own migrations, with the same rows."""
    database = engine.open_engine(url)
    now, then = MetaData(), MetaData()
    with engine.writer(database).begin() as connection:
        now.reflect(connection)
        rows = {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in now.sorted_tables
        }
        now.drop_all(connection)
        config = Config()
        config.set_main_option("script_location", "ecert.store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        then.reflect(connection)
        jwks = {row["client"]: row["jwk"] for row in rows["client_keys"]}
        rows["clients"] = [{**row, "jwk": jwks[row["id"]]} for row in rows["clients"]]
        rows["keys"] = [row for row in rows["keys"] if row["role"] != "registry"]
        for table in then.sorted_tables:
            if table.name != "alembic_version":
                connection.execute(table.delete())
            known = table.columns.keys()
            kept = [
                {name: value for name, value in row.items() if name in known}
                for row in rows[table.name]
            ]
            if kept and table.name != "alembic_version":
                connection.execute(insert(table), kept)
        assert connection.execute(select(then.tables["alembic_version"])).scalar() == "0003"
    database.dispose()


def test_clients_of_before_keep_their_keys_and_get_tokens(before: Before) -> None:
    registry = before.opened()
    rows = {row.id: row for row in registry.clients.all(by=CLERK)}
    assert rows.keys() == before.keys.keys()
    for identifier, key in before.keys.items():
        row = rows[identifier]
        assert list(row.keys) == [identifier]
        assert (row.state, row.addresses, row.daily_quota) == ("active", (), None)
        assert row.allowed == {"certificates:read"}
        now = int(before.clock().timestamp())
        claims = {"iss": identifier, "sub": identifier, "aud": registry.base, "exp": now + 60}
        header = {"alg": "ES256", "typ": "client-authentication+jwt"}
        assertion = jwt.encode(header, {**claims, "jti": identifier[:20]}, key)
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        tokens = registry.tokens
        caller = tokens.check(tokens.grant(form)["access_token"])
        assert caller is not None
        assert (caller.client, caller.agency) == (identifier, PLANNING.code)
    assert not any(one.requires_dpop for one in registry.agencies.all())
    registry.trail.check()
    registry.log.check()
    registry.close()


def test_a_home_of_before_gives_dossiers(
    before: Before, draft_of: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no key of its own yet: one is made, and not inside the transaction that waits for it."""
    monkeypatch.setattr(engine, "BUSY_MILLISECONDS", 300)
    registry = before.opened()
    for agency in registry.agencies.all():  # an older version had no register
        registry.register.allow(agency.code, EVERY_TYPE, basis="穗编办〔2019〕1号", by=CLERK)
    answer = set_up(registry, draft_of).fulfil()
    assert len(answer["presentations"]) == 1
    registry.close()


OPENER = """
import sys
from pathlib import Path
from ecert.config import Surroundings, open_registry
from ecert.model import Actor
home, state = sys.argv[1:3]
sys.stdin.readline()
registry = open_registry(home, around=Surroundings(state=Path(state)))
print(*sorted(row.id for row in registry.clients.all(by=Actor("process"))))
"""


def test_several_processes_open_a_home_of_before_at_once(before: Before, tmp_path: Path) -> None:
    said = together(start(OPENER, tmp_path) for _ in range(3))
    assert said == [sorted(before.keys)] * 3
