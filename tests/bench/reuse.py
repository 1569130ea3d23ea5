"""Reuse over HTTP at a district's size: 321 matters, 100,000 certificates, checklists and dossiers.

Each request is for another of 2,000 enterprises, each with 50 certificates of seven projects. What is
compared is one run's latencies; the limits of the issue are printed beside them.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson

from ecert.config import Plan, Surroundings, init_registry
from ecert.demo import CHAIN, CONSTRUCTION, MARKET
from ecert.errors import IdentifierError
from ecert.ids import check_credit_code, check_project_code
from ecert.model import Actor
from ecert.registry import IssueRequest, Registry
from ecert.reuse.sharing import new_rule
from ecert.samples.district import agencies, generate
from tests.bench.http import _free_port, _server, _token_of
from tests.conftest import EVERY_TYPE, trail_rows

CERTIFICATES = int(os.environ.get("ECERT_BENCH_CERTIFICATES", "100000"))
PROJECTS = 7
EACH = 50  # one licence, and seven certificates of each of seven projects
REQUESTS = 600
CONNECTIONS = (1, 4)  # the limits are for one at a time; four show what waiting adds
ASKED = {"checklist": ("BENCH-20", "checklist", 20), "dossier": ("BENCH-5", "dossiers", 5)}
BATCH = 500
LIMITS = {"checklist": 20.0, "dossier": 50.0}  # milliseconds
BY = Actor("bench")
_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_DAILY = {"construction-permit": "", "completion-acceptance-filing": "00"}
_IN_PROJECT = [(slug, agency) for slug, agency, _ in CHAIN if slug != "business-licence"]


def measure(say: Callable[[str], None]) -> dict[str, float]:
    """Fill a registry, ask it from several connections, and give the slowest of a hundred in ms."""
    with tempfile.TemporaryDirectory(prefix="ecert-bench-") as name:
        folder, port = Path(name), _free_port()
        around = Surroundings(state=folder / "state")
        plan = Plan(f"http://127.0.0.1:{port}", MARKET, trial=True)
        registry = init_registry(folder / "home", plan, around=around)
        try:
            holders = _fill(registry, say)
            serve = [sys.executable, "-m", "ecert", "--home", str(folder / "home"), "serve"]
            command = [*serve, "--port", str(port)]
            with _server(command, {"ECERT_STATE_DIR": str(folder / "state")}) as base:
                return _ask(registry, base, holders, say)
        finally:
            registry.close()
            shutil.rmtree(folder / "home", ignore_errors=True)


def _fill(registry: Registry, say: Callable[[str], None]) -> list[tuple[str, str]]:
    """Register the district, load its matters, issue the certificates; give holders and projects."""
    start = time.perf_counter()
    known = {one.code for one in registry.agencies.all()}
    for agency in agencies():
        if agency.code not in known:
            registry.agencies.add(agency, by=BY, may_issue=EVERY_TYPE)
    matters = generate()
    registry.matters.add(orjson.dumps(matters), by=BY)
    for code, _, count in ASKED.values():
        registry.matters.add(orjson.dumps(_matter(code, count)), by=BY)
    for slug, _, _ in CHAIN:
        rule = new_rule(slug, CONSTRUCTION.code, legal_basis="bench")
        registry.rules.add(rule, by=BY)
    asked: list[tuple[str, str]] = []
    waiting: list[IssueRequest] = []
    for number in range(max(1, CERTIFICATES // EACH)):
        holder, projects = _credit_code(number), [_project(number, k) for k in range(PROJECTS)]
        asked.append((holder, projects[number % PROJECTS]))
        waiting += _requests(registry, holder, projects)
        if len(waiting) >= BATCH:
            _issue(registry, waiting)
    _issue(registry, waiting)
    registry.log.publish()
    took = time.perf_counter() - start
    say(
        f"{len(matters['matters'])} matters, {registry.log.head().size} certificates "
        f"of {len(asked)} holders, in {took:.0f} s"
    )
    return asked


def _matter(code: str, materials: int) -> dict[str, Any]:
    """Write a matter whose materials ask for the types of a project, two fields each."""
    asked = [slug for slug, _ in _IN_PROJECT if slug != "rural-construction-planning-permit"]
    fields = ["holders.name", "fields.project_name"]
    return {
        "code": code,
        "version": 1,
        "name": {"zh": "测速事项", "en": "a matter to measure"},
        "agency": CONSTRUCTION.code,
        "materials": [
            {
                "code": f"m{number}",
                "name": {"zh": "材料", "en": "a material"},
                "owner": "project",
                "satisfied_by": [{"type": asked[number % len(asked)], "fields": fields}],
            }
            for number in range(materials)
        ],
    }


def _requests(registry: Registry, holder: str, projects: list[str]) -> Iterator[IssueRequest]:
    named = [{"name": f"示例企业{holder[-5:]}", "code": holder, "code_type": "001"}]
    licence = {**registry.catalogue.newest("business-licence").example, "holders": named}
    yield IssueRequest("business-licence", licence, BY, MARKET.code)
    for project in projects:
        for slug, agency in _IN_PROJECT:
            example = registry.catalogue.newest(slug).example
            draft = {**example, "holders": named, "project_code": project}
            if slug in _DAILY:  # their numbers count a hundred, or ten thousand, a day
                day = date(2000, 1, 1) + timedelta(days=int(project[-6:]))
                draft["number"] = f"440114{_DAILY[slug]}{day:%Y%m%d}0101"
            yield IssueRequest(slug, draft, BY, agency.code)


def _issue(registry: Registry, waiting: list[IssueRequest]) -> None:
    for result in registry.certificates.issue_many(waiting):
        if isinstance(result, Exception):
            raise result
    waiting.clear()


def _credit_code(number: int) -> str:
    head = f"91440114MB{number:07d}"
    return head + next(letter for letter in _LETTERS if _is_code(head + letter))


def _is_code(code: str) -> bool:
    try:
        check_credit_code(code)
    except IdentifierError:
        return False
    return True


def _project(holder: int, number: int) -> str:
    return check_project_code(f"2602-440114-04-01-{holder * PROJECTS + number:06d}")


def _ask(
    registry: Registry, base: str, holders: list[tuple[str, str]], say: Callable[[str], None]
) -> dict[str, float]:
    token = _token_of(registry, base, CONSTRUCTION.code, ["certificates:read"])
    results = {}
    for what, (code, address, met) in ASKED.items():
        url = f"{base}/v1/matters/{code}/{address}"
        for connections in CONNECTIONS:
            name = f"{what}-{connections}"
            taken = _load(url, token, holders, name=name, connections=connections, met=met)
            middle, slowest = taken[len(taken) // 2], taken[int(len(taken) * 0.99)]
            limit = LIMITS[what]
            say(
                f"{what} of {met}: {len(taken)} requests, {connections} at a time: "
                f"median {middle:.1f} ms, p99 {slowest:.1f} ms (limit {limit:g})"
            )
            results[f"limit of a {what} / its p99, {connections} at a time"] = limit / slowest
    rows = sum(1 for _ in _uses(registry))
    say(f"rows of certificates given, in the trail: {rows}")
    return results


def _uses(registry: Registry) -> Iterator[dict[str, Any]]:
    after = -1
    while rows := trail_rows(registry, after=after, limit=1000):
        yield from (row for row in rows if row["action"] == "use")
        after = rows[-1]["index"]


def _check(answer: httpx.Response, met: int) -> None:
    """Demand that every material was met: a refusal would be quick."""
    body = answer.json()
    found = body.get("checklist", body)
    if found.get("summary", {}).get("met") != met:
        raise RuntimeError(answer.text[:500])


def _load(
    url: str,
    token: str,
    holders: list[tuple[str, str]],
    *,
    name: str,
    connections: int,
    met: int,
) -> list[float]:
    """Ask from several connections at once; give each answer's time in ms, the quickest first."""
    share = REQUESTS // connections

    def ask(client: int) -> list[float]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        taken = []
        with httpx.Client(headers=headers, trust_env=False, timeout=30) as http:
            for number in range(share + 20):
                holder, project = holders[(client * share + number) % len(holders)]
                body = {
                    "holder_code": holder,
                    "project_code": project,
                    "case_number": f"{name}-{client}-{number}",
                    "operator": "李四",
                }
                start = time.perf_counter()
                answer = http.post(url, content=orjson.dumps(body))
                took = (time.perf_counter() - start) * 1000
                _check(answer, met)
                if number >= 20:  # the first ones warm up
                    taken.append(took)
        return taken

    with ThreadPoolExecutor(connections) as pool:
        return sorted(one for part in pool.map(ask, range(connections)) for one in part)
