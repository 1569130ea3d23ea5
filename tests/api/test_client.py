"""The departments' typed client against the running service, over lines that are not always good."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from ecert.client import Grounds, Problem, RegistryClient, session
from ecert.errors import EcertError, SignatureError
from ecert.keys import Signer, Trust, make_signer, public_jwk
from ecert.model import Application, Basis, Operation
from ecert.reuse.sharing import new_rule
from tests.api.conftest import Drafts, Portal
from tests.conftest import CLERK, CONSTRUCTION, PLANNING, WORKS

READING = ("certificates:read",)
ISSUING = ("certificates:issue", "certificates:read")
GROUNDS = Grounds("施工许可审批", "建筑工程施工许可证核发", "李四")
SITING, LAND = "project-siting-opinion", "land-use-planning-permit"
MATTER = "T-CLIENT-01"
BASIS = Basis("申请人申请", "穗规划资源〔2026〕1号", "赵六")
_COUNTER = itertools.count(1)
Change = Callable[[httpx.Request, httpx.Response], httpx.Response]


class Line(httpx.BaseTransport):
    """The line to the registry: keeps what went over it; somebody may sit in the middle."""

    def __init__(self, change: Change | None = None) -> None:
        self._inner = httpx.HTTPTransport(trust_env=False)
        self.requests: list[httpx.Request] = []
        self.change = change

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._inner.handle_request(request)
        if self.change is None:
            return answer
        answer.read()
        return self.change(request, answer)

    def close(self) -> None:
        self._inner.close()

    def to(self, path: str) -> list[httpx.Request]:
        return [one for one in self.requests if one.url.path == path]


class Drop:
    """Lets the service do its work, and then loses the answer, so many times."""

    def __init__(self, path: str, times: int, failure: type[httpx.TransportError]) -> None:
        self.path, self.left, self.failure = path, times, failure

    def __call__(self, request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path == self.path and self.left:
            self.left -= 1
            raise self.failure("the line went dead")
        return answer


class Patience:
    """The client's own clock: pauses take no time, and as the real one it goes forward only."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")


Dial = Callable[..., tuple[RegistryClient, Line]]


@pytest.fixture
def dial(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dial]:
    """Connect a department's system of its own; it does not pause between its attempts."""
    made: list[RegistryClient] = []
    monkeypatch.setattr(session, "time", Patience())

    def run(
        *scopes: str,
        agency: str = CONSTRUCTION.code,
        change: Change | None = None,
        dpop: Signer | None = None,
    ) -> tuple[RegistryClient, Line]:
        signer = make_signer()
        row = portal.registry.clients.add(
            "审批系统",
            agency=agency,
            scopes=scopes or READING,
            jwk=public_jwk(signer.public_key),
            by=CLERK,
        )
        line = Line(change)
        client = RegistryClient(
            portal.base, row.id, signer, portal.registry.trust(), dpop=dpop, transport=line
        )
        made.append(client)
        return client, line

    yield run
    for client in made:
        client.close()


def a_project() -> str:
    """Name a project that nobody else in this run has."""
    return f"2611-440114-04-01-{next(_COUNTER):06}"


@pytest.fixture
def application(portal: Portal, a_draft: Drafts) -> Application:
    """A project with three permits, a matter that asks for them, and a rule that shares them."""
    project = a_project()
    for slug in (WORKS, LAND, SITING):
        draft = a_draft(slug, project_code=project)
        portal.registry.certificates.issue(slug, draft, by=CLERK, agency=PLANNING.code)
    portal.registry.log.publish()
    materials = [
        {
            "code": slug,
            "name": {"zh": slug, "en": slug},
            "owner": "project",
            "satisfied_by": [{"type": slug, "fields": ["fields.project_name"]}],
        }
        for slug in (WORKS, LAND, SITING)
    ]
    matter = {
        "code": MATTER,
        "version": 1,
        "name": {"zh": "测试事项", "en": "A matter to try"},
        "agency": CONSTRUCTION.code,
        "materials": materials,
    }
    ((_, is_new),) = portal.registry.matters.add(json.dumps(matter).encode(), by=CLERK)
    if is_new:
        for slug in (WORKS, LAND, SITING):
            rule = new_rule(slug, CONSTRUCTION.code, legal_basis="国务院令", matter=MATTER)
            portal.registry.rules.add(rule, by=CLERK)
    return Application(MATTER, f"办-{project}", project_code=project)


# -- tokens ----------------------------------------------------------------------------------------


def test_a_token_is_used_until_shortly_before_its_end(
    dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, line = dial()
    patience = Patience()
    monkeypatch.setattr(session, "time", patience)
    for _ in range(3):
        list(client.matters())
    assert len(line.to("/oauth/token")) == 1
    patience.now += 300
    list(client.matters())
    assert len(line.to("/oauth/token")) == 2


def test_a_token_that_is_good_no_more_is_renewed_once(dial: Dial) -> None:
    spoilt = [True]

    def spoil(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path == "/oauth/token" and spoilt.pop() if spoilt else False:
            token = answer.json()
            return httpx.Response(200, json={**token, "access_token": token["access_token"] + "x"})
        return answer

    client, line = dial(change=spoil)
    list(client.matters())
    assert len(line.to("/oauth/token")) == 2


def test_also_a_call_that_is_made_once_gets_a_fresh_token(dial: Dial) -> None:
    """A 401 says that nothing was done: asking for a new token and calling again is safe."""
    spoilt = [True]

    def spoil(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path == "/oauth/token" and spoilt.pop() if spoilt else False:
            token = answer.json()
            return httpx.Response(200, json={**token, "access_token": token["access_token"] + "x"})
        return answer

    client, _ = dial(change=spoil)
    with pytest.raises(Problem) as refusal:
        client.grant("0" * 26, use_code="12345678")
    assert refusal.value.code == "grant_not_valid"  # not: unauthorised


def test_a_client_that_is_unknown_or_suspended_is_told_so(portal: Portal, dial: Dial) -> None:
    client, _ = dial()
    portal.registry.clients.change(client.client_id, by=CLERK, state="suspended")
    with pytest.raises(Problem) as refusal:
        list(client.matters())
    assert refusal.value.status == 401
    stranger = RegistryClient(portal.base, "nobody", make_signer(), portal.registry.trust())
    with stranger, pytest.raises(Problem):
        list(stranger.matters())


def test_a_registry_that_is_not_in_the_trust_file_is_not_called() -> None:
    with pytest.raises(SignatureError):
        RegistryClient("https://elsewhere.example", "id", make_signer(), Trust(()))


def test_dpop_binds_every_call(dial: Dial, application: Application) -> None:
    client, line = dial(dpop=make_signer())
    assert client.checklist(application, operator="李四")["items"]
    assert len(client.dossier(application, operator="李四").statement.given) == 3
    list(client.search(GROUNDS, project_code=application.project_code))
    proofs = [
        one.headers["DPoP"] for one in line.requests if one.url.path.startswith(("/v1", "/o"))
    ]
    assert len(set(proofs)) == len(proofs) >= 4
    called = [one for one in line.requests if one.url.path.startswith("/v1")]
    assert all(one.headers["Authorization"].startswith("DPoP ") for one in called)
    stolen = called[0].headers["Authorization"].replace("DPoP", "Bearer")
    answer = httpx.get(
        f"{client.base}/v1/matters", headers={"Authorization": stolen}, trust_env=False
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "dpop_required")


def test_dpop_with_a_query_in_the_address(dial: Dial) -> None:
    client, _ = dial(dpop=make_signer())
    assert list(client.changes(5)) == []
    list(client.matters())


# -- a line that drops answers ---------------------------------------------------------------------


FAILURES = (httpx.ReadError, httpx.RemoteProtocolError, httpx.ReadTimeout)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("times", [1, 3])
def test_no_second_certificate_when_the_answer_was_lost(
    portal: Portal,
    dial: Dial,
    a_draft: Drafts,
    failure: type[httpx.TransportError],
    times: int,
) -> None:
    drop = Drop("/v1/certificates", times, failure)
    client, line = dial(*ISSUING, agency=PLANNING.code, change=drop)
    before = portal.counts()[0]
    issued = client.issue(WORKS, a_draft(project_code=a_project()))
    assert portal.counts()[0] == before + 1
    asked = line.to("/v1/certificates")
    assert len(asked) == times + 1
    assert len({one.headers["Idempotency-Key"] for one in asked}) == 1
    report = client.fetch(issued["id"], GROUNDS)
    assert report.certificate is not None
    assert report.certificate["id"] == issued["id"]


def test_the_same_dossier_when_the_answer_was_lost(dial: Dial, application: Application) -> None:
    path = f"/v1/matters/{MATTER}/dossiers"
    client, line = dial(change=Drop(path, 1, httpx.ReadError))
    first = client.dossier(application, operator="李四")
    again = client.dossier(application, operator="李四")
    assert len(line.to(path)) == 3
    assert (first.statement.id, first.statement.revision) == (again.statement.id, 1)
    assert first.body["statement"] == again.body["statement"]


def test_it_gives_up_in_the_end_and_says_why(dial: Dial) -> None:
    client, line = dial(change=Drop("/v1/matters", 99, httpx.ReadError))
    with pytest.raises(httpx.TransportError):
        list(client.matters())
    assert len(line.to("/v1/matters")) == session.ATTEMPTS


def test_what_may_not_be_done_twice_is_tried_once(
    portal: Portal, dial: Dial, a_draft: Drafts
) -> None:
    issued = portal.issued(portal.planning, a_draft(project_code=a_project()))
    path = f"/v1/certificates/{issued['id']}/objections"
    client, line = dial(agency=PLANNING.code, change=Drop(path, 1, httpx.ReadError))
    with pytest.raises(httpx.ReadError):
        client.object(issued["id"], "fields.height_limit", "高度有误")
    assert len(line.to(path)) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_registry_that_is_busy_is_asked_again(dial: Dial, status: int) -> None:
    left = [3]

    def busy(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path == "/v1/matters" and left[0]:
            left[0] -= 1
            return httpx.Response(status, headers={"Retry-After": "1"}, text="<html>busy")
        return answer

    client, line = dial(change=busy)
    list(client.matters())
    assert len(line.to("/v1/matters")) == 4


@pytest.mark.parametrize("after", ["Wed, 21 Oct 2026 07:28:00 GMT", "soon", "-5"])
def test_a_gateway_says_when_to_come_back_in_its_own_way(dial: Dial, after: str) -> None:
    """``Retry-After`` may be a date (RFC 9110 §10.2.3): a proxy's is not ours to choose."""
    left = [1]

    def busy(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path == "/v1/matters" and left[0]:
            left[0] -= 1
            return httpx.Response(503, headers={"Retry-After": after})
        return answer

    client, _ = dial(change=busy)
    list(client.matters())


def test_a_token_endpoint_that_is_busy_is_asked_again(dial: Dial) -> None:
    left = [1]

    def busy(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path == "/oauth/token" and left[0]:
            left[0] -= 1
            return httpx.Response(503, headers={"Retry-After": "1"}, text="busy")
        return answer

    client, _ = dial(change=busy)
    list(client.matters())


# -- paging ------------------------------------------------------------------------------------------


def test_a_search_goes_through_all_pages(portal: Portal, dial: Dial, a_draft: Drafts) -> None:
    project = a_project()
    made = [portal.issued(portal.planning, a_draft(project_code=project))["id"] for _ in range(5)]
    client, line = dial()
    with portal.shared(WORKS, CONSTRUCTION.code):
        found = [one["id"] for one in client.search(GROUNDS, project_code=project, limit=2)]
    assert found == made
    assert len(line.to("/v1/certificates/search")) == 3


def test_matters_go_through_all_pages(portal: Portal, dial: Dial) -> None:
    some = [
        {
            "code": f"T-PAGE-{number:03}",
            "version": 1,
            "name": {"zh": "分页", "en": "Pages"},
            "agency": CONSTRUCTION.code,
            "materials": [],
        }
        for number in range(150)
    ]
    data = json.dumps({"matters": some}).encode()
    portal.registry.matters.add(data, by=CLERK)
    client, line = dial()
    codes = [one["code"] for one in client.matters()]
    assert [one for one in codes if one.startswith("T-PAGE-")] == [one["code"] for one in some]
    assert len(line.to("/v1/matters")) >= 2


def test_changes_go_on_after_the_last_one_heard(
    portal: Portal, dial: Dial, application: Application
) -> None:
    client, _ = dial()
    dossier = client.dossier(application, operator="李四")
    assert list(client.changes()) == []
    given = {one.material: one.certificate for one in dossier.statement.given}
    done = [Operation.SUSPEND, Operation.RESUME, Operation.WITHDRAW]
    for one in done:
        portal.registry.certificates.operate(given[WORKS], one, basis=BASIS, by=CLERK)
    found = list(client.changes())
    assert [one["operation"] for one in found] == [one.value for one in done]
    assert [one["operation"] for one in client.changes(found[0]["index"])] == ["resume", "withdraw"]
    assert list(client.changes(found[-1]["index"], wait=0)) == []
    (heard,) = client.changes(found[1]["index"], wait=20)
    assert heard["status"] == "withdrawn"
    after = client.dossier(application, operator="李四")
    assert (after.statement.id, after.statement.revision) == (dossier.statement.id, 2)
    assert WORKS not in after.reports


# -- what was received is checked --------------------------------------------------------------------


def test_a_dossier_is_checked_whole(portal: Portal, dial: Dial, application: Application) -> None:
    client, _ = dial()
    received = client.dossier(application, operator="李四")
    assert received.statement.case_number == application.case_number
    assert set(received.certificates) == {WORKS, LAND, SITING}
    assert {one.verdict.value for one in received.reports.values()} == {"valid"}
    for certificate in received.certificates.values():
        assert set(certificate["fields"]) == {"project_name"}
    kept = json.loads(json.dumps(received.body))
    assert client.check(kept).statement == received.statement


def in_the_middle(
    change: Callable[[dict[str, Any]], None],
) -> Change:
    """Sit in the middle, and change each dossier on its way."""

    def act(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if not request.url.path.endswith("/dossiers"):
            return answer
        body = answer.json()
        change(body)
        return httpx.Response(answer.status_code, json=body)

    return act


def swap_presentations(body: dict[str, Any]) -> None:
    """Give the first for the second, too."""
    body["presentations"][1]["credential"] = body["presentations"][0]["credential"]


def swap_labels(body: dict[str, Any]) -> None:
    """Say of the first that it is the second, and the other way round."""
    first, second = body["presentations"][:2]
    first["material"], second["material"] = second["material"], first["material"]


def rename_label(body: dict[str, Any]) -> None:
    body["presentations"][0]["material"] = "something-else"


def swap_names(body: dict[str, Any]) -> None:
    """Say of the first that it is another certificate."""
    body["presentations"][0]["certificate"] = body["presentations"][1]["certificate"]


def drop_one(body: dict[str, Any]) -> None:
    body["presentations"].pop()


def drop_all(body: dict[str, Any]) -> None:
    body["presentations"].clear()


def repeat_one(body: dict[str, Any]) -> None:
    body["presentations"].append(body["presentations"][0])


def hide_a_disclosure(body: dict[str, Any]) -> None:
    one = body["presentations"][0]
    jwt, *disclosures, rest = one["credential"].split("~")
    one["credential"] = "~".join([jwt, *disclosures[:-1], rest])


def break_statement(body: dict[str, Any]) -> None:
    head, payload, signature = body["statement"].split(".")
    body["statement"] = f"{head}.{payload[:-2]}AA.{signature}"


MIDDLE = (
    *(swap_presentations, drop_one, drop_all, repeat_one, hide_a_disclosure, break_statement),
    *(swap_labels, rename_label),
)


@pytest.mark.parametrize("change", MIDDLE, ids=lambda one: one.__name__)
def test_somebody_in_the_middle_is_found_out(
    dial: Dial, application: Application, change: Callable[[dict[str, Any]], None]
) -> None:
    client, _ = dial(change=in_the_middle(change))
    with pytest.raises(EcertError) as refusal:
        client.dossier(application, operator="李四")
    assert refusal.value.code in {"signature_invalid", "token_malformed"}


def test_a_receipt_of_something_else_is_found_out(dial: Dial, application: Application) -> None:
    """The proof that a certificate is in the log belongs to it: one for another proves nothing."""

    def swap_receipts(body: dict[str, Any]) -> None:
        first, second = body["presentations"][:2]
        first["receipt"], second["receipt"] = second["receipt"], first["receipt"]

    client, _ = dial(change=in_the_middle(swap_receipts))
    try:
        received = client.dossier(application, operator="李四")
    except SignatureError:
        return
    verdicts = [one.verdict.value for one in received.reports.values()]
    assert verdicts.count("invalid") == 2
    assert len(received.certificates) == 1, "what is invalid stands among what was received"


def test_the_answer_to_another_case_is_found_out(
    portal: Portal, dial: Dial, a_draft: Drafts, application: Application
) -> None:
    """Everything in it is signed and agrees; but it is of another project and another case."""
    other = Application(MATTER, "另案", project_code=a_project())
    for slug in (WORKS, LAND, SITING):
        draft = a_draft(slug, project_code=other.project_code)
        portal.registry.certificates.issue(slug, draft, by=CLERK, agency=PLANNING.code)
    portal.registry.log.publish()
    kept: list[dict[str, Any]] = []

    def replay(body: dict[str, Any]) -> None:
        kept.append(dict(body))
        body.update(kept[0])

    client, _ = dial(change=in_the_middle(replay))
    client.dossier(other, operator="李四")
    with pytest.raises(SignatureError):
        client.dossier(application, operator="李四")


def test_a_dossier_that_was_given_to_another_client_is_found_out(
    dial: Dial, application: Application
) -> None:
    theirs, _ = dial()
    body = dict(theirs.dossier(application, operator="孙七").body)
    client, _ = dial(change=in_the_middle(lambda answer: answer.update(body)))
    with pytest.raises(SignatureError):
        client.dossier(application, operator="李四")


def test_a_dossier_is_of_the_holder_that_was_asked_for(portal: Portal, dial: Dial) -> None:
    """The salt opens the commitment to the one holder and to no other."""
    asked = Application(MATTER, f"办-{time.time_ns()}", holder_code="91440114MA00000151")
    portal.registry.log.publish()
    client, _ = dial()
    body = client.dossier(asked, operator="李四").body
    assert client.check(body, "91440114MA00000151").statement.holder
    with pytest.raises(SignatureError):
        client.check(body, "91440114MA0000023U")


def test_a_credential_that_was_swapped_on_the_way_is_found_out(
    portal: Portal, dial: Dial, a_draft: Drafts
) -> None:
    """Whoever asks for one certificate and gets another, both signed, has not got what he asked for."""
    first, second = (
        portal.issued(portal.planning, a_draft(project_code=a_project())) for _ in range(2)
    )

    def swap(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path.endswith(first["id"]):
            return httpx.Response(200, text=second["credential"])
        return answer

    client, _ = dial(change=swap)
    with pytest.raises(SignatureError):
        client.fetch(first["id"], GROUNDS)


# -- refusals ------------------------------------------------------------------------------------------


def test_a_refusal_has_a_code_and_what_is_wrong(dial: Dial, application: Application) -> None:
    client, _ = dial(*ISSUING, agency=PLANNING.code)
    with pytest.raises(Problem) as refusal:
        client.issue(WORKS, {"fields": {"surprise": 1}, "holders": []})
    problem = refusal.value
    assert (problem.status, problem.code) == (422, "draft_does_not_fit")
    assert len(problem.errors) > 3
    assert "draft_does_not_fit" in str(problem)
    for matter in (MATTER, "T-0", "不存在/的 事项?"):
        asked = Application(matter, "1", project_code=application.project_code)
        with pytest.raises(Problem) as refusal:
            client.checklist(asked, operator="李四")
        assert (refusal.value.status, refusal.value.code) == (404, "not_found")
    with pytest.raises(Problem) as refusal:
        client.grant("0" * 26, use_code="12345678")
    assert refusal.value.code == "grant_not_valid"


def test_an_answer_that_is_no_problem_document_is_a_problem_still(dial: Dial) -> None:
    def proxy(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path == "/v1/matters":
            return httpx.Response(400, text="<html>proxy</html>")
        return answer

    client, _ = dial(change=proxy)
    with pytest.raises(Problem) as refusal:
        list(client.matters())
    assert (refusal.value.status, refusal.value.code) == (400, "unknown")


def test_no_redirect_is_followed(dial: Dial) -> None:
    """It would carry the token elsewhere."""

    def redirect(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path == "/v1/matters":
            return httpx.Response(307, headers={"Location": "http://127.0.0.1:1/v1/matters"})
        return answer

    client, line = dial(change=redirect)
    with pytest.raises(Problem):
        list(client.matters())
    assert {one.url.port for one in line.requests} == {httpx.URL(client.base).port}


def test_fewer_fields_may_be_asked_for(dial: Dial, application: Application) -> None:
    client, _ = dial()
    asked = Application(
        MATTER,
        f"{application.case_number}-b",
        project_code=application.project_code,
        fields={WORKS: []},
    )
    received = client.dossier(asked, operator="李四")
    assert received.certificates[WORKS]["fields"] == {}
