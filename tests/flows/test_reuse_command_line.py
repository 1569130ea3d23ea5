"""Reuse at the command line: real processes, real files, real exit codes."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest

from ecert.config import Plan, Surroundings, init_registry, open_registry
from ecert.formats.id_token import SignedIn
from ecert.keys import make_signer, public_jwk
from ecert.model import Actor, Application
from ecert.reuse.objection import Complaint
from ecert.reuse.sharing import new_rule
from ecert.samples.district import agencies, chain
from tests.conftest import CLERK, CONSTRUCTION, EVERY_TYPE, PLANNING, WORKS, claim
from tests.flows.command import run as run_ecert

DONE, REFUSED, USAGE, UNDETERMINED = 0, 1, 2, 3
MATTER = "HD-ZJ-01"
HOLDER, PERSONAL = "91440114MA00000151", "440114197602039971"
PROJECT = "2602-440114-04-01-260318"
MARKET, REFORM = "11440114MA0000095H", "11440114MA0000094E"
LEGAL = "国务院令第716号第七条"
CHAIN = {
    "business-licence": MARKET,
    "project-approval": REFORM,
    "land-use-planning-permit": PLANNING.code,
    WORKS: PLANNING.code,
}
PERSONS = (HOLDER, PERSONAL, "江虚子", "示例安居")
Done = subprocess.CompletedProcess[str]
Ecert = Callable[..., Done]


def runner(folder: Path) -> Ecert:
    """Run ``ecert`` in a folder of its own."""
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "ECERT_HOME": "home"}

    def run(*words: str, given: str | None = None) -> Done:
        return run_ecert(words, folder=folder, environment=environment, given=given)

    return run


def document(done: Done) -> Any:
    """Read the one JSON document on standard output."""
    assert done.returncode == DONE, done.stderr
    return json.loads(done.stdout)


class World:
    """A home with the chain's agencies, matters, rules and certificates, and one client."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ecert = folder, runner(folder)
        known = json.loads((folder / "known.json").read_text("utf-8"))
        self.client, self.works = str(known["client"]), str(known["works"])
        self.objection, self.rule = str(known["objection"]), str(known["rule"])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Set a home up through the library, once."""
    folder = tmp_path_factory.mktemp("prepared")
    plan = Plan("http://127.0.0.1:8000", agencies(4)[0], trial=True)
    registry = init_registry(folder / "home", plan, around=Surroundings(state=folder / "none"))
    for agency in agencies(4)[1:]:
        registry.agencies.add(agency, by=CLERK, may_issue=EVERY_TYPE)
    registry.matters.add(chain(), by=CLERK)
    issued = {
        slug: registry.certificates.issue(
            slug, registry.catalogue.newest(slug).example, by=CLERK, agency=code
        )
        for slug, code in CHAIN.items()
    }
    rules = [
        registry.rules.add(
            new_rule(slug, CONSTRUCTION.code, matter=MATTER, legal_basis=LEGAL), by=CLERK
        )
        for slug in CHAIN
    ]
    jwk = public_jwk(make_signer().public_key)
    client = registry.clients.add(
        "施工许可审批系统",
        agency=CONSTRUCTION.code,
        scopes=["certificates:read"],
        jwk=jwk,
        by=CLERK,
    )
    registry.log.publish()
    by = Actor("李四", CONSTRUCTION.code, client.id, scopes=frozenset({"certificates:read"}))
    asked = Application(MATTER, "2026-0017", holder_code=HOLDER, project_code=PROJECT)
    registry.dossiers.fulfil(asked, by=by)
    works = issued[WORKS].record.id
    complaint = Complaint(works, "fields.height_limit", "限高与图纸不符")
    objection = registry.objections.add(complaint, by=by)
    known = {"client": client.id, "works": works, "objection": objection.id, "rule": rules[0].id}
    (folder / "known.json").write_text(json.dumps(known), "utf-8")
    draft = dict(registry.catalogue.newest(WORKS).example)
    (folder / "draft.json").write_bytes(orjson.dumps(draft))
    (folder / "text.txt").write_text("not JSON at all", "utf-8")
    (folder / "list.json").write_text("[]", "utf-8")
    for name in ("key", "new"):
        jwk = public_jwk(make_signer().public_key)
        (folder / f"{name}.json").write_text(json.dumps(jwk), "utf-8")
    (folder / "jwks.json").write_text(json.dumps({"keys": [{**jwk, "kid": "1"}]}), "utf-8")
    registry.close()
    return folder


@pytest.fixture
def world(prepared: Path, tmp_path: Path) -> World:
    """A copy of the prepared home, for one test."""
    folder = tmp_path / "world"
    shutil.copytree(prepared, folder)
    claim(folder / "home", folder / "state" / "ecert")
    return World(folder)


@pytest.fixture(scope="module")
def shared(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A copy for tests that change nothing but the audit trail."""
    folder = tmp_path_factory.mktemp("shared") / "world"
    shutil.copytree(prepared, folder)
    claim(folder / "home", folder / "state" / "ecert")
    return World(folder)


# -- the story -----------------------------------------------------------------------------------


def test_the_story(tmp_path: Path) -> None:
    """From nothing to a dossier that proves itself, and to a withdrawal that it has to hear of."""
    ecert = runner(tmp_path)
    assert ecert("init").returncode == DONE
    sample = ecert("matter", "sample", "--register", "-o", "matters.json")
    assert sample.returncode == DONE, sample.stderr
    codes = {one["code"] for one in document(ecert("agency", "list", "--json"))["items"]}
    assert {*CHAIN.values(), CONSTRUCTION.code} <= codes
    added = document(ecert("matter", "add", "matters.json", "--json"))["items"]
    assert {one["added"] for one in added} == {True}
    again = document(ecert("matter", "add", "matters.json", "--json"))["items"]
    assert {one["added"] for one in again} == {False}
    issued = {}
    for slug, agency in CHAIN.items():
        draft = ecert("type", "show", slug, "--example").stdout
        words = ("issue", slug, "-", "--agency", agency, "--json")
        issued[slug] = document(ecert(*words, given=draft))["id"]
    asked = ("--holder", "-", "--project", PROJECT)
    closed = ecert("matter", "checklist", MATTER, *asked, given=f"{HOLDER}\n")
    assert closed.returncode == REFUSED  # nothing is shared yet
    for slug in CHAIN:
        rule = ("sharing", "add", slug, "--agency", CONSTRUCTION.code, "--basis", LEGAL)
        assert ecert(*rule, "--matter", MATTER).returncode == DONE
    listed = ecert("matter", "checklist", MATTER, *asked, given=f"{HOLDER}\n")
    assert listed.returncode == DONE, listed.stderr
    lines = listed.stdout.splitlines()
    assert [line.strip()[0] for line in lines[1:]] == ["✓"] * 4 + ["✗", "–"]
    assert "无需提交" in lines[1]
    assert HOLDER not in listed.stdout + listed.stderr
    fulfil = ("matter", "fulfil", MATTER, "--case-number", "2026-17", *asked)
    made = ecert(*fulfil, "-o", "dossier.json", given=f"{HOLDER}\n")
    assert made.returncode == DONE, made.stderr
    checked = ecert("dossier", "check", "dossier.json")
    assert checked.returncode == DONE, checked.stderr
    assert "statement good" in checked.stdout
    assert ecert("trust", "export", "-o", "trust.json").returncode == DONE
    away = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "other"), "ECERT_HOME": "nowhere"}
    elsewhere = subprocess.run(
        [
            sys.executable,
            "-m",
            "ecert",
            "dossier",
            "check",
            "dossier.json",
            "--trust",
            "trust.json",
        ],
        cwd=tmp_path,
        env=away,
        capture_output=True,
        text=True,
        check=False,
    )
    assert elsewhere.returncode == DONE, elsewhere.stderr
    why = ("--reason", "申请材料虚假", "--basis", "撤〔2026〕1号")
    assert ecert("withdraw", issued[WORKS], *why).returncode == DONE
    after = json.loads(
        ecert("matter", "checklist", MATTER, *asked, "--json", given=f"{HOLDER}\n").stdout
    )
    states = {one["material"]: one["state"] for one in after["items"]}
    assert states["works-planning-permit"] == "missing"
    assert ecert("dossier", "check", "dossier.json").returncode == DONE  # it was right then
    page = ecert("supervision", "-o", "page.html")
    assert page.returncode == DONE, page.stderr
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "免提交材料" in text
    assert not [one for one in PERSONS if one in text + page.stdout]


def test_what_became_of_it_since(world: World) -> None:
    why = ("--reason", "停工", "--basis", "通知书")
    assert world.ecert("suspend", world.works, *why).returncode == DONE
    assert world.ecert("withdraw", world.works, *why).returncode == DONE
    listed = ("changes", "--client", world.client)
    found = document(world.ecert(*listed, "--json"))
    assert [one["status"] for one in found["items"]] == ["suspended", "withdrawn"]
    assert found["items"][0]["cases"][0]["case_number"] == "2026-0017"
    first = str(found["items"][0]["index"])
    rest = document(world.ecert(*listed, "--after", first, "--json"))
    assert [one["status"] for one in rest["items"]] == ["withdrawn"]
    none = world.ecert(*listed, "--after", found["next"])
    assert (none.returncode, none.stdout) == (DONE, "nothing since\n")
    assert "suspend" in world.ecert(*listed).stdout


# -- dossiers that are not what they were ----------------------------------------------------------


def fulfilled(world: World, *more: str) -> dict[str, Any]:
    words = (
        "matter",
        "fulfil",
        MATTER,
        "--case-number",
        "1",
        "--project",
        PROJECT,
        "--holder",
        "-",
    )
    found: dict[str, Any] = document(world.ecert(*words, *more, "--json", given=HOLDER))
    return found


def flip(text: str) -> str:
    """Change one character in the middle."""
    place = len(text) // 2
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


def tampered(whole: dict[str, Any], how: str) -> dict[str, Any]:
    one = json.loads(json.dumps(whole))
    shown = one["presentations"]
    if how == "statement":
        one["statement"] = flip(one["statement"])
    elif how == "presentation":
        shown[0]["credential"] = flip(shown[0]["credential"])
    elif how == "one dropped":
        shown.pop()
    elif how == "all dropped":
        shown.clear()
    elif how == "one twice":
        shown.append(shown[0])
    elif how == "materials swapped":
        shown[0]["material"], shown[1]["material"] = shown[1]["material"], shown[0]["material"]
    elif how == "receipts swapped":
        shown[0]["receipt"], shown[1]["receipt"] = shown[1]["receipt"], shown[0]["receipt"]
    else:
        raise AssertionError(how)
    return dict(one)


HOWS = (
    *("statement", "presentation", "one dropped", "all dropped", "one twice"),
    *("materials swapped", "receipts swapped"),
)


@pytest.fixture(scope="module")
def whole(shared: World) -> dict[str, Any]:
    return fulfilled(shared)


@pytest.mark.parametrize("how", HOWS)
def test_a_dossier_that_was_tampered_with_is_refused(
    shared: World, whole: dict[str, Any], how: str
) -> None:
    text = json.dumps(tampered(whole, how))
    done = shared.ecert("dossier", "check", "-", given=text)
    assert done.returncode == REFUSED, done.stdout
    assert "Traceback" not in done.stderr
    assert (done.stdout + done.stderr).strip()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        '{"statement": 1, "presentations": []}',
        '{"statement": "x", "presentations": 1}',
        '{"statement": "x", "presentations": [{}]}',
        '{"statement": "x", "presentations": [{"credential": "x"}]}',
        '{"statement": "x", "presentations": [{"credential": "x", "receipt": 1}]}',
        '{"statement": "x", "presentations": [{"credential": "é~", "receipt": null}]}',
    ],
)
@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["words", "json"])
def test_what_is_no_dossier_is_named(shared: World, text: str, as_json: tuple[str, ...]) -> None:
    done = shared.ecert("dossier", "check", "-", *as_json, given=text)
    assert done.returncode in {REFUSED, USAGE}
    assert "Traceback" not in done.stderr
    if as_json:
        assert json.loads(done.stdout)["code"]


def test_a_dossier_without_its_receipts_is_named(shared: World, whole: dict[str, Any]) -> None:
    bare = json.loads(json.dumps(whole))
    for one in bare["presentations"]:
        del one["receipt"]
    done = shared.ecert("dossier", "check", "-", given=json.dumps(bare))
    assert "Traceback" not in done.stderr
    assert done.returncode in {DONE, REFUSED, USAGE, UNDETERMINED}


# -- every verb --------------------------------------------------------------------------------------

READS = (
    ("matter", "list"),
    ("matter", "show", MATTER),
    ("matter", "schema"),
    ("matter", "sample"),
    ("matter", "sample", "--district", "--departments", "30", "--matters", "400"),
    ("matter", "graph", MATTER),
    ("matter", "graph", MATTER, "--project", PROJECT, "-o", "chain.svg"),
    ("matter", "checklist", MATTER, "--holder", HOLDER, "--project", PROJECT),
    ("matter", "fulfil", MATTER, "--case-number", "7", "--project", PROJECT),
    ("sharing", "list"),
    ("provider", "list"),
    ("grant", "list"),
    ("grant", "list", "--agency", CONSTRUCTION.code),
    ("objection", "list"),
    ("objection", "list", "--state", "open", "--agency", PLANNING.code),
    ("supervision",),
    ("supervision", "--since", "2026-01-01", "--until", "2026-01-31"),
    ("client", "list"),
    ("agency", "list"),
)


@pytest.mark.parametrize("words", READS, ids=" ".join)
def test_a_verb_that_shows_something(shared: World, words: Sequence[str]) -> None:
    told = shared.ecert(*words)
    assert told.returncode == DONE, told.stderr
    assert told.stdout.strip()
    document(shared.ecert(*words, "--json"))


LISTS = [
    words
    for words in READS
    if words[-1] == "list" or words[0] in {"grant", "objection", "supervision", "client"}
]


@pytest.mark.parametrize("words", [*LISTS, ("changes",)], ids=" ".join)
@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["words", "json"])
def test_no_list_names_a_holder(
    shared: World, words: Sequence[str], as_json: tuple[str, ...]
) -> None:
    more = ("--client", shared.client) if words == ("changes",) else ()
    done = shared.ecert(*words, *more, *as_json)
    assert done.returncode == DONE, done.stderr
    assert [one for one in PERSONS if one in done.stdout + done.stderr] == []


def test_matters_are_listed_page_by_page(shared: World) -> None:
    found: list[str] = []
    after: tuple[str, ...] = ()
    while True:
        page = document(shared.ecert("matter", "list", "--limit", "5", *after, "--json"))
        found += [one["code"] for one in page["items"]]
        if page["next"] is None:
            break
        after = ("--after", page["next"])
    assert found == sorted(one["code"] for one in json.loads(chain())["matters"])
    told = shared.ecert("matter", "list", "--limit", "5").stdout
    assert f"--after {found[4]}" in told


def test_a_matter_as_people_read_it(shared: World) -> None:
    told = shared.ecert("matter", "show", MATTER).stdout
    assert "建筑工程施工许可证核发" in told
    assert WORKS in told
    assert "→ construction-permit" in told


def test_the_graph_of_a_project_is_a_picture(shared: World) -> None:
    words = ("matter", "graph", MATTER, "--project", PROJECT, "-o", "picture.svg", "--json")
    steps = document(shared.ecert(*words))["steps"]
    states = {one["matter"]: one["state"] for one in steps}
    assert (states["HD-GH-03"], states[MATTER]) == ("valid", "none")
    text = (shared.folder / "picture.svg").read_text("utf-8")
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - it is our own file
    assert not re.search(r"<script|href|https?:(?!//www\.w3\.org/2000/svg)", text)


def test_the_sample_is_taken_as_it_is(world: World) -> None:
    words = ("matter", "sample", "--district", "--register", "-o", "district.json")
    made = world.ecert(*words)
    assert made.returncode == DONE, made.stderr
    added = document(world.ecert("matter", "add", "district.json", "--json"))
    assert len(added["items"]) == 321
    by_words = world.ecert("matter", "add", "district.json")
    assert "there" in by_words.stdout


def test_a_matter_in_other_words_is_refused_whole(world: World) -> None:
    some = json.loads(chain())
    some["matters"][0]["promised_days"] = 99
    fresh = {**some["matters"][1], "code": "T-NEW"}
    some["matters"].append(fresh)
    done = world.ecert("matter", "add", "-", "--json", given=json.dumps(some))
    assert done.returncode == REFUSED
    assert json.loads(done.stdout)["code"] == "already_exists"
    assert world.ecert("matter", "show", "T-NEW").returncode == REFUSED


def test_a_rule_is_added_shown_and_ended(world: World) -> None:
    words = ("sharing", "add", WORKS, "--agency", REFORM, "--basis", LEGAL)
    more = (
        *("--mode", "conditional", "--field", "fields.project_name", "--quota", "5"),
        *("--valid-from", "2026-01-01", "--valid-to", "2027-12-31"),
    )
    made = document(world.ecert(*words, *more, "--json"))
    assert (made["type"], made["mode"], made["daily_quota"]) == (WORKS, "conditional", 5)
    assert (made["valid_from"], made["valid_to"]) == ("2026-01-01", "2027-12-31")
    assert made["id"] in world.ecert("sharing", "list").stdout
    assert world.ecert("sharing", "end", made["id"]).returncode == DONE
    items = document(world.ecert("sharing", "list", "--json"))["items"]
    (ended,) = [one for one in items if one["id"] == made["id"]]
    assert ended["ended_at"] is not None
    asked = ("matter", "checklist", MATTER, "--project", PROJECT)
    assert world.ecert(*asked).returncode == DONE
    for one in items:
        world.ecert("sharing", "end", one["id"])
    assert world.ecert(*asked).returncode == REFUSED


def test_a_provider_is_believed_and_no_longer(world: World) -> None:
    issuer = "https://id.example.gov.cn"
    words = ("provider", "add", issuer, "--audience", "hall", "--level", "high")
    more = ("--jwks", "jwks.json", "--algorithm", "ES256", "--claim", "001=uscc")
    made = document(world.ecert(*words, *more, "--json"))
    assert (made["issuer"], made["claims"]) == (issuer, {"001": "uscc"})
    assert document(world.ecert("provider", "list", "--json"))["items"] == [made]
    assert world.ecert("provider", "end", issuer).returncode == DONE
    assert document(world.ecert("provider", "list", "--json"))["items"] == []
    assert world.ecert("provider", "end", issuer).returncode == REFUSED


def test_a_client_and_all_that_bounds_it(world: World) -> None:
    words = ("client", "add", "审批系统", "--agency", CONSTRUCTION.code, "--jwk", "key.json")
    scopes = ("--scope", "certificates:read", "--scope", "matters:manage")
    bounds = ("--address", "10.1.0.0/16", "--quota", "9")
    made = document(world.ecert(*words, *scopes, *bounds, "--json"))
    client = made["id"]
    assert (made["addresses"], made["daily_quota"]) == (["10.1.0.0/16"], 9)
    assert world.ecert(*words, *scopes).returncode == REFUSED  # there already
    assert client in world.ecert("client", "list").stdout
    keys = document(world.ecert("client", "key", client, "--add", "new.json", "--json"))["keys"]
    assert len(keys) == 2
    left = document(world.ecert("client", "key", client, "--retire", client, "--json"))["keys"]
    assert left == [one for one in keys if one != client]
    assert world.ecert("client", "key", client, "--retire", left[0]).returncode == REFUSED
    change = ("client", "change", client)
    shown = document(world.ecert(*change, "--suspend", "--no-quota", "--any-address", "--json"))
    assert (shown["state"], shown["daily_quota"], shown["addresses"]) == ("suspended", None, [])
    assert "active" in world.ecert(*change, "--resume").stdout
    url = "https://approval.example.gov.cn/ecert"
    hook = ("client", "webhook", client)
    assert url in world.ecert(*hook, "--url", url).stdout
    assert document(world.ecert(*hook, "--json"))["items"][0]["failures"] == 0
    assert world.ecert(*hook, "--remove").stdout == "none\n"


def test_an_agency_demands_dpop(world: World) -> None:
    assert world.ecert("agency", "dpop", CONSTRUCTION.code).returncode == DONE
    items = document(world.ecert("agency", "list", "--json"))["items"]
    demanding = [one["code"] for one in items if one["requires_dpop"]]
    assert demanding == [CONSTRUCTION.code]
    done = document(world.ecert("agency", "dpop", CONSTRUCTION.code, "--no-require", "--json"))
    assert done["requires_dpop"] is False


def test_an_objection_is_answered_by_a_correction(world: World) -> None:
    assert world.objection in world.ecert("objection", "list", "--state", "open").stdout
    draft = json.loads((world.folder / "draft.json").read_text("utf-8"))
    draft["fields"]["height_limit"] = "79.00"
    (world.folder / "right.json").write_text(json.dumps(draft), "utf-8")
    answer = ("objection", "answer", world.objection, "--answer", "更正限高")
    without = world.ecert(*answer, "--correct", "right.json")
    assert without.returncode == REFUSED  # a correction needs its basis
    done = document(
        world.ecert(*answer, "--correct", "right.json", "--basis", "更正〔2026〕1号", "--json")
    )
    assert done["state"] == "corrected"
    shown = document(world.ecert("show", done["successor"], "--json"))
    assert (shown["supersedes"], shown["fields"]["height_limit"]) == (world.works, "79.00")
    assert world.ecert(*answer).returncode == REFUSED  # answered once


def test_an_objection_is_answered_by_a_reason(world: World) -> None:
    answer = ("objection", "answer", world.objection, "--answer", "经核查无误")
    assert "rejected" in world.ecert(*answer).stdout
    assert world.ecert("objection", "list", "--state", "open").stdout == "none\n"


def test_a_grant_is_listed_without_its_holder(world: World) -> None:
    """It is given by the library here: at the command line nobody signs in."""
    around = Surroundings(state=world.folder / "state" / "ecert")
    registry = open_registry(world.folder / "home", around=around)
    by = Actor("李四", CONSTRUCTION.code)
    from ecert.reuse.grant import GrantWish

    asked = registry.grants.request(GrantWish(MATTER), by=by)
    made = registry.holders.make_use_code(asked.id, holder=SignedIn(HOLDER, "001", None))
    grant = registry.grants.redeem(asked.id, made.short, by=by)
    registry.close()
    told = world.ecert("grant", "list", "--agency", CONSTRUCTION.code)
    assert grant.id in told.stdout
    assert "in force" in told.stdout
    (shown,) = document(world.ecert("grant", "list", "--json"))["items"]
    assert shown["way"] == "use_code"
    assert HOLDER not in told.stdout + json.dumps(shown)
    assert document(world.ecert("grant", "list", "--agency", REFORM, "--json"))["items"] == []
    words = ("matter", "checklist", MATTER, "--grant", grant.id, "--json")
    assert document(world.ecert(*words))["summary"]["met"] >= 1


def test_supervision_as_a_page_and_as_a_table(shared: World) -> None:
    figures = document(shared.ecert("supervision", "-o", "page.html", "--json"))
    assert figures["papers_not_brought"] >= 4
    page = (shared.folder / "page.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert shared.ecert("supervision", "-o", "table.csv").returncode == DONE
    text = (shared.folder / "table.csv").read_text("utf-8-sig")
    rows = list(csv.DictReader(text.splitlines()))
    assert {"total", "by_agency", "per_day"} <= {one["section"] for one in rows}
    raw = (shared.folder / "table.csv").read_bytes()
    assert raw.count(b"\r\r\n") == 0
    assert [one for one in PERSONS if one in page + text] == []


# -- mistakes ------------------------------------------------------------------------------------------

ADD_CLIENT = ("client", "add", "系统", "--agency", CONSTRUCTION.code, "--jwk", "key.json")
ADD_RULE = ("sharing", "add", WORKS, "--agency", CONSTRUCTION.code)
ADD_PROVIDER = ("provider", "add", "https://id.example", "--audience", "a", "--level", "b")
CHECK = ("matter", "checklist", MATTER)
MISTAKES = [
    (("matter",), USAGE),
    (("matter", "add"), USAGE),
    (("matter", "add", "missing.json"), USAGE),
    (("matter", "add", "draft.json"), REFUSED),
    (("matter", "add", "text.txt"), REFUSED),
    (("matter", "add", "list.json"), REFUSED),
    (("matter", "list", "--limit", "0"), USAGE),
    (("matter", "show", "T-0"), REFUSED),
    (("matter", "graph", "T-0"), REFUSED),
    (("matter", "graph", MATTER, "-o", "nowhere/chain.svg"), USAGE),
    (("matter", "sample", "-o", "nowhere/matters.json"), USAGE),
    (("matter", "sample", "--district", "--departments", "1"), USAGE),
    (("matter", "sample", "--district", "--departments", "99999"), USAGE),
    (("matter", "sample", "--district", "--matters", "-5"), USAGE),
    ((*CHECK,), REFUSED),
    (("matter", "checklist", "T-0", "--project", PROJECT), REFUSED),
    ((*CHECK, "--project", PROJECT, "--situation", "nonsense"), REFUSED),
    ((*CHECK, "--project", PROJECT, "--agency", "nonsense"), REFUSED),
    ((*CHECK, "--project", PROJECT, "--agency", REFORM), REFUSED),
    ((*CHECK, "--grant", "nonsense"), REFUSED),
    (("matter", "fulfil", MATTER, "--project", PROJECT), USAGE),
    (
        (
            *("matter", "fulfil", MATTER, "--case-number", "9"),
            *("--project", PROJECT, "-o", "no/x"),
        ),
        USAGE,
    ),
    (("dossier", "check"), USAGE),
    (("dossier", "check", "missing.json"), USAGE),
    (("dossier", "check", "draft.json"), USAGE),
    (("dossier", "check", "draft.json", "--trust", "missing.json"), USAGE),
    (("sharing", "add", WORKS, "--agency", CONSTRUCTION.code), USAGE),
    ((*ADD_RULE, "--basis", ""), REFUSED),
    ((*ADD_RULE, "--basis", "法", "--mode", "sometimes"), USAGE),
    ((*ADD_RULE, "--basis", "法", "--field", "fields.nonsense"), REFUSED),
    ((*ADD_RULE, "--basis", "法", "--matter", "T-0"), REFUSED),
    ((*ADD_RULE, "--basis", "法", "--valid-from", "yesterday"), USAGE),
    ((*ADD_RULE, "--basis", "法", "--quota", "-1"), USAGE),
    (("sharing", "add", "no-such-type", "--agency", REFORM, "--basis", "法"), REFUSED),
    (("sharing", "add", WORKS, "--agency", "nonsense", "--basis", "法"), REFUSED),
    (("sharing", "end", "nonsense"), REFUSED),
    ((*ADD_PROVIDER, "--jwks", "missing.json"), USAGE),
    ((*ADD_PROVIDER, "--jwks", "list.json"), USAGE),
    ((*ADD_PROVIDER, "--jwks", "draft.json"), REFUSED),
    ((*ADD_PROVIDER, "--jwks", "jwks.json", "--algorithm", "none"), REFUSED),
    ((*ADD_PROVIDER, "--jwks", "jwks.json", "--claim", "009=code"), REFUSED),
    ((*ADD_PROVIDER, "--jwks", "jwks.json", "--claim", "nonsense"), USAGE),
    (("provider", "end", "https://nowhere.example"), REFUSED),
    (("changes",), USAGE),
    (("changes", "--client", "nobody"), REFUSED),
    (("changes", "--client", "CLIENT", "--after", "-2"), USAGE),
    (("objection", "answer", "nonsense", "--answer", "无"), REFUSED),
    (("objection", "answer", "OBJECTION"), USAGE),
    (("objection", "answer", "OBJECTION", "--answer", "无", "--correct", "text.txt"), REFUSED),
    (("objection", "answer", "OBJECTION", "--answer", "无", "--correct", "missing"), USAGE),
    (("objection", "list", "--state", "nonsense"), USAGE),
    (("supervision", "--since", "yesterday"), USAGE),
    (("supervision", "--since", "2026-02-01", "--until", "2026-01-01"), REFUSED),
    (("supervision", "-o", "nowhere/page.html"), USAGE),
    ((*ADD_CLIENT,), USAGE),
    ((*ADD_CLIENT, "--scope", "certificates:everything"), REFUSED),
    ((*ADD_CLIENT, "--scope", "certificates:read", "--address", "nowhere"), REFUSED),
    (("client", "change", "nobody", "--suspend"), REFUSED),
    (("client", "change", "CLIENT", "--address", "10.0.0.1/8"), REFUSED),
    (("client", "key", "nobody"), REFUSED),
    (("client", "key", "CLIENT", "--add", "draft.json"), REFUSED),
    (("client", "key", "CLIENT", "--add", "missing.json"), USAGE),
    (("client", "key", "CLIENT", "--retire", "nonsense"), REFUSED),
    (("client", "webhook", "nobody"), REFUSED),
    (("client", "webhook", "CLIENT", "--url", "ftp://example.org/"), REFUSED),
    (("agency", "dpop", "nonsense"), REFUSED),
]


@pytest.mark.parametrize(("words", "code"), MISTAKES, ids=lambda one: str(one)[:70])
def test_mistakes_get_a_clear_message_and_the_right_exit_code(
    shared: World, words: Sequence[str], code: int
) -> None:
    names = {"CLIENT": shared.client, "OBJECTION": shared.objection}
    done = shared.ecert(*(names.get(word, word) for word in words))
    assert "Traceback" not in done.stderr, done.stderr[-400:]
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr.strip() or done.stdout.strip()


def test_a_mistake_is_one_json_document_too(shared: World) -> None:
    done = shared.ecert("matter", "show", "T-0", "--json")
    assert done.returncode == REFUSED
    assert json.loads(done.stdout)["code"] == "not_found"
    bad = shared.ecert("matter", "add", "draft.json", "--json")
    assert len(json.loads(bad.stdout)["errors"]) >= 2


def test_one_case_number_is_one_case(world: World) -> None:
    first = fulfilled(world)
    again = fulfilled(world)
    assert (again["id"], again["revision"]) == (first["id"], 1)
    words = ("matter", "fulfil", MATTER, "--case-number", "1", "--project", PROJECT, "--json")
    other = world.ecert(*words)
    assert other.returncode == REFUSED
    assert json.loads(other.stdout)["code"] == "idempotency_mismatch"
