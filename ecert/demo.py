"""The narrated run: the main job on real input, from the issue to the scan, in one sitting."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import orjson
import uvicorn
from rich.console import Console

from ecert.client import HttpStatus, Problem, RegistryClient
from ecert.config import Plan, init_registry
from ecert.errors import NotCompetent, NotInForce
from ecert.formats import qr
from ecert.keys import Trust, make_signer, parse_trust, public_jwk
from ecert.model import (
    DEFAULT_ZONE,
    Actor,
    Agency,
    Application,
    Basis,
    Operation,
    Record,
    civil_date,
)
from ecert.pictures import graph_svg, supervision_html
from ecert.registry import CopyWish, Registry
from ecert.reuse.sharing import new_rule
from ecert.samples.district import agencies, chain
from ecert.verification import Report, verify

PLANNING = Agency(
    "11440114MA00000928",
    "花都区规划和自然资源局（演示）",
    "440114",
    short_name="穗规划资源（演示）",
)
CONSTRUCTION = Agency("11440114MA0000093B", "花都区住房和城乡建设局（演示）", "440114")
REFORM = Agency("11440114MA0000094E", "花都区发展和改革局（演示）", "440114")
MARKET = Agency("11440114MA0000095H", "花都区市场监督管理局（演示）", "440114")
CHAIN = (  # type, agency, what it rests on: in the order in which they are granted
    ("business-licence", MARKET, ()),
    ("project-approval", REFORM, ("business-licence",)),
    ("project-siting-opinion", PLANNING, ("project-approval",)),
    ("land-use-planning-permit", PLANNING, ("project-siting-opinion",)),
    ("construction-works-planning-permit", PLANNING, ("land-use-planning-permit",)),
    ("rural-construction-planning-permit", PLANNING, ("project-siting-opinion",)),
    ("construction-permit", CONSTRUCTION, ("construction-works-planning-permit",)),
    ("completion-acceptance-filing", CONSTRUCTION, ("construction-permit",)),
)
BASIS = "穗花编办〔2026〕1号（演示）"  # what the agencies' competences rest on
WORKS = "construction-works-planning-permit"
MATTER = "HD-ZJ-01"  # 建筑工程施工许可证核发
_LEFT = (
    *("home", "documents", "trust.json", "permit.png", "permit.sd-jwt", "evidence.zip"),
    *("supervision.html", "chain.svg"),
)
_TIMEOUT = 10.0


def run(*, keeps_serving: bool, as_json: bool = False) -> None:
    """Tell the story; with ``keeps_serving`` the service stays until it is interrupted.

    With ``as_json`` the story goes to standard error, and what came of it to standard output.
    """
    words = Console(highlight=False, soft_wrap=True, stderr=as_json)
    folder = Path(tempfile.mkdtemp(prefix="ecert-demo-"))
    listening = _listen()
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    plan = Plan(address, MARKET, trial=True, may_issue=types_of(MARKET))
    registry = init_registry(folder / "home", plan)
    with _serving(registry, listening) as server:
        verdicts = _tell(words, registry, folder)
        if as_json:
            outcome = {"folder": str(folder), "address": address, "verdicts": verdicts}
            Console(soft_wrap=True).print_json(data=outcome)
        if keeps_serving:
            words.print(f"\n[bold]The service runs at {address}[/] — Ctrl+C ends it.")
            _wait(server)
    registry.close()


def _tell(words: Console, registry: Registry, folder: Path) -> list[str]:
    clerk = Actor("王五", purpose="演示")
    words.rule("1 · 登记机构 A registry and its agencies")
    for agency in (REFORM, PLANNING, CONSTRUCTION):
        registry.agencies.add(agency, by=clerk, may_issue=types_of(agency), basis=BASIS)
    for agency in registry.agencies.all():
        words.print(f"  {agency.code}  {agency.name}")
        for held in registry.register.competences(agency.code):
            words.print(f"      {held.slug}")
    _refuse_another_bureau(words, registry, clerk)

    words.rule("2 · 签发 Eight certificates of one project, each resting on the last")
    issued = issue_chain(registry, clerk)
    for record in issued.values():
        words.print(f"  {record.body['type']['name']['zh']:14}  {record.body['number']}")

    words.rule("3 · 证照文件 Each has its signed PDF, with the record and its proof inside")
    documents = write_documents(registry, issued, folder, clerk)
    _say(words, registry.verify(documents[WORKS].read_bytes()))

    words.rule("4 · 用证 The construction bureau asks what is held already; nobody brings paper")
    set_up_sharing(registry, clerk)
    construction = enrol(registry, "施工许可审批系统", CONSTRUCTION.code)
    works = issued[WORKS]
    _fulfil(words, construction, works)
    with enrol(registry, "其他审批系统", REFORM.code) as other:
        _refuse(words, other, works)

    words.rule("5 · 扫码 Anyone scans the code")
    trust_file, picture = folder / "trust.json", folder / "permit.png"
    trust_file.write_bytes(orjson.dumps(registry.trust().to_json()))
    picture.write_bytes(qr.to_png(works.seal))
    words.print(qr.to_terminal(works.seal), style=qr.DARK_ON_LIGHT)
    trust = parse_trust(trust_file.read_bytes())
    before = scan(picture, trust)
    _say(words, before)

    words.rule("6 · 撤销 The planning permit is withdrawn")
    _withdraw(words, registry, issued)
    for change in construction.changes():
        cases = ", ".join(one["case_number"] for one in change["cases"])
        words.print(f"  the construction bureau hears: {change['status']}, used in case {cases}")
    construction.close()
    after = scan(picture, trust)
    _say(words, after)
    _say_briefly(words, "the PDF made before", registry.verify(documents[WORKS].read_bytes()))

    words.rule("7 · 看这里 Where to look")
    (folder / "permit.sd-jwt").write_text(works.credential, "utf-8")
    (folder / "evidence.zip").write_bytes(registry.evidence.pack(works.id, by=clerk))
    figures = registry.supervision.figures(by=clerk)
    (folder / "supervision.html").write_text(supervision_html(figures), "utf-8")
    project = works.body["project_code"]
    graph = registry.matters.graph(MATTER, by=clerk, project_code=project)
    (folder / "chain.svg").write_text(graph_svg(graph), "utf-8")
    words.print(f"  papers not brought 免提交材料: {figures['papers_not_brought']}")
    head = registry.log.check()
    words.print(
        f"  log recomputed and good: {head.size} entries, {registry.trail.head().size} audit rows"
    )
    for name in _LEFT:
        words.print(f"  {folder / name}")
    words.print(f"  try: ecert --home {folder / 'home'} verify {documents[WORKS]}")
    words.print(f"  the page behind the code: {registry.base}/V#{works.seal.partition('#')[2]}")
    return [before.verdict.value, after.verdict.value]


def types_of(agency: Agency) -> tuple[str, ...]:
    """Name the types of the chain that an agency may issue."""
    return tuple(slug for slug, issuer, _ in CHAIN if issuer.code == agency.code)


def _refuse_another_bureau(words: Console, registry: Registry, by: Actor) -> None:
    """Show that an agency issues nothing that it has no competence for."""
    draft = dict(registry.catalogue.newest(WORKS).example)
    try:
        registry.certificates.issue(WORKS, draft, by=by, agency=MARKET.code)
    except NotCompetent:
        words.print(f"  {MARKET.name}无权签发{WORKS}：已拒绝（not_competent）")


def issue_chain(registry: Registry, by: Actor) -> dict[str, Record]:
    """Issue the eight examples as one project's chain; give the records by type."""
    issued: dict[str, Record] = {}
    for slug, agency, rests_on in CHAIN:
        draft = dict(registry.catalogue.newest(slug).example)
        if rests_on:
            draft["rests_on"] = [issued[foundation].id for foundation in rests_on]
        issued[slug] = registry.certificates.issue(slug, draft, by=by, agency=agency.code).record
    registry.log.publish()
    return issued


def write_documents(
    registry: Registry, issued: Mapping[str, Record], folder: Path, by: Actor
) -> dict[str, Path]:
    """Write the eight signed PDFs and an annotated copy of the planning permit."""
    place = folder / "documents"
    place.mkdir()
    written = {slug: place / f"{slug}.pdf" for slug in issued}
    for slug, record in issued.items():
        written[slug].write_bytes(registry.documents.get(record.id, by=by).data)
    until = civil_date(registry.clock(), DEFAULT_ZONE) + timedelta(days=90)
    wish = CopyWish("示例银行花都支行", "项目贷款审查", until)
    made = registry.documents.copy(issued[WORKS].id, wish, by=by)
    (place / f"{WORKS}-copy.pdf").write_bytes(made.data)
    return written


# -- the second department ----------------------------------------------------------------------


def set_up_sharing(registry: Registry, by: Actor) -> None:
    """Load the chain's matters, and open to the construction bureau what its permit asks for."""
    known = {one.code for one in registry.agencies.all()}
    named = {one["agency"] for one in orjson.loads(chain())["matters"]}
    for agency in agencies():
        if agency.code in named - known:
            registry.agencies.add(agency, by=by)
    registry.matters.add(chain(), by=by)
    for slug in sorted(registry.matters.get(MATTER, by=by).slugs):
        registry.rules.add(
            new_rule(slug, CONSTRUCTION.code, matter=MATTER, legal_basis="国务院令第716号第七条"),
            by=by,
        )


def enrol(registry: Registry, name: str, agency: str) -> RegistryClient:
    """Register a department's system with a key of its own, and give its client."""
    signer = make_signer()
    row = registry.clients.add(
        name,
        agency=agency,
        scopes=["certificates:read"],
        jwk=public_jwk(signer.public_key),
        by=Actor("王五"),
    )
    return RegistryClient(registry.base, row.id, signer, registry.trust())


def application_of(record: Record) -> Application:
    """Apply for a construction permit, for the holder and project of a certificate."""
    body = record.body
    holder, project = body["holders"][0]["code"], body["project_code"]
    return Application(MATTER, "2026-0017", holder_code=holder, project_code=project)


def _fulfil(words: Console, client: RegistryClient, record: Record) -> None:
    application = application_of(record)
    found = client.checklist(application, operator="李四")
    for item in found["items"]:
        words.print(f"  {_MARKS.get(item['state'], '✗')} {item['sentence']['zh']}")
    dossier = client.dossier(application, operator="李四")
    words.print("  what left the registry, and nothing else:")
    for material, certificate in dossier.certificates.items():
        names = [one["name"] for one in certificate["holders"] if one.get("name")]
        disclosed = [*map(str, certificate["fields"].values()), *names]
        words.print(f"    {material}: {', '.join(disclosed)}")
    given = len(dossier.statement.given)
    words.print(f"  signed statement {dossier.statement.id}: {given} papers not brought")


_MARKS = {"met": "[green]✓[/]", "missing": "[yellow]✗[/]", "not_needed": "–", "may_follow": "~"}


def _refuse(words: Console, client: RegistryClient, record: Record) -> None:
    try:
        client.dossier(application_of(record), operator="孙七")
    except Problem as problem:
        words.print(f"  a department without a rule asks the same: {problem}")


# -- scanning and withdrawing -------------------------------------------------------------------


def scan(picture: Path, trust: Trust) -> Report:
    """Verify the picture of a code with nothing but a trust file and the status over HTTP."""
    with HttpStatus(trust) as source:
        return verify(picture.read_bytes(), trust, status=source)


def _say(words: Console, report: Report) -> None:
    colour = {"valid": "green", "invalid": "red"}.get(report.verdict.value, "yellow")
    words.print(f"  [{colour}]{report.verdict.value}[/] {report.status or ''}")
    for step in report.steps:
        shown = step.to_json()
        words.print(
            f"    {shown['step']:10} {shown['outcome']:12} {shown['reason']['zh']} · {shown['reason']['en']}"
        )


def _say_briefly(words: Console, what: str, report: Report) -> None:
    words.print(f"  {what}: {report.verdict.value}, {report.status}")


def _withdraw(words: Console, registry: Registry, issued: Mapping[str, Record]) -> None:
    basis = Basis("申请材料虚假", "穗规划资源撤〔2026〕1号（演示）", "赵六")
    done = registry.certificates.operate(
        issued[WORKS].id, Operation.WITHDRAW, basis=basis, by=Actor("赵六")
    )
    words.print(f"  {done.body['number']}: {done.status.value}")
    for slug in ("construction-permit", "completion-acceptance-filing"):  # one step down, and two
        above = registry.certificates.get(issued[slug].id, by=Actor("王五", purpose="演示"))
        for warning in above.warnings:
            name = above.body["type"]["name"]["zh"]
            words.print(
                f"  {name} {above.body['number']}: {above.status.value}, ! {warning['reason']['en']}"
            )
    draft = dict(registry.catalogue.newest("construction-permit").example)
    draft["rests_on"] = [done.id]
    try:
        registry.certificates.issue(
            "construction-permit", draft, by=Actor("王五"), agency=CONSTRUCTION.code
        )
    except NotInForce as refusal:
        words.print(f"  another permit resting on it: refused, {refusal.message}")
    registry.log.publish()


# -- the service --------------------------------------------------------------------------------


def _listen() -> socket.socket:
    """Take port 8000 of the loopback, or a free one if it is busy."""
    for port in (8000, 0):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, os.name == "posix")
        try:
            listening.bind(("127.0.0.1", port))
        except OSError:
            listening.close()
        else:
            listening.listen(128)
            return listening
    raise OSError("no port is free on the loopback address")


@contextmanager
def _serving(registry: Registry, listening: socket.socket) -> Iterator[threading.Thread]:
    from ecert_api import create_app  # noqa: PLC0415 - an optional part

    config = uvicorn.Config(create_app(registry), log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        _await_ready(registry.base)
        yield thread
    finally:
        server.should_exit = True
        thread.join()


def _await_ready(base: str) -> None:
    """Wait until the service answers: the socket listens already, so one patient request will do."""
    httpx.get(f"{base}/health/ready", timeout=_TIMEOUT, trust_env=False).raise_for_status()


def _wait(server: threading.Thread) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while server.is_alive():
            server.join(1.0)
