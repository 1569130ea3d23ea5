"""A registry in which everything has happened once: what is inspected, and then tampered with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO

from PIL import Image

from ecert import demo
from ecert.config import Plan
from ecert.formats.id_token import Provider, SignedIn
from ecert.keys import Role, make_signer, public_jwk
from ecert.model import Actor, Agency, Basis, Operation, Record, civil_date
from ecert.registry import CopyWish, Registry
from ecert.registry.receptions import ReceptionWish
from ecert.reuse.grant import GrantWish
from ecert.reuse.objection import Complaint
from ecert.testing import SettableClock
from tests.conftest import CLERK

LICENCE, APPROVAL, SITING = "business-licence", "project-approval", "project-siting-opinion"
LAND, WORKS, PERMIT = "land-use-planning-permit", demo.WORKS, "construction-permit"
HALL = Agency("11440114MA0000097P", "花都区政务服务数据管理局（演示）", "440114")
AGENT = "91440114MA00000151"
PLAN = Plan("http://127.0.0.1:8000", demo.MARKET, trial=True, may_issue=demo.types_of(demo.MARKET))
WHY = Basis("申请材料虚假", "穗规划资源撤〔2026〕1号", "赵六")


def live(registry: Registry, clock: SettableClock) -> dict[str, Record]:
    """Let everything happen; give the certificates by type."""
    issued = _issue(registry)
    clock.move(timedelta(minutes=1))
    registry.log.publish()
    _administer(registry, issued[WORKS])
    clock.move(timedelta(minutes=1))
    _operate(registry, issued)
    registry.log.publish()
    clock.move(timedelta(days=3))  # what was registered for a later day comes due
    registry.settlement.settle()
    registry.log.publish()
    return issued


def _issue(registry: Registry) -> dict[str, Record]:
    for agency in (demo.REFORM, demo.PLANNING, demo.CONSTRUCTION, HALL):
        registry.agencies.add(agency, by=CLERK, may_issue=demo.types_of(agency), basis=demo.BASIS)
    return demo.issue_chain(registry, CLERK)


def _administer(registry: Registry, works: Record) -> None:
    bureau = demo.CONSTRUCTION.code
    demo.set_up_sharing(registry, CLERK)
    jwk = public_jwk(make_signer().public_key)
    scopes = ["certificates:read"]
    client = registry.clients.add("审批系统", agency=bureau, scopes=scopes, jwk=jwk, by=CLERK)
    registry.webhooks.put(client.id, "https://hook.example/ecert", by=CLERK)
    registry.clients.change(client.id, addresses=("10.1.0.0/16",), daily_quota=100, by=CLERK)
    registry.agencies.require_dpop(demo.REFORM.code, requires=True, by=CLERK)
    registry.agencies.set_image(demo.PLANNING.code, _picture(), by=CLERK)
    registry.receptions.add(ReceptionWish(HALL.code, bureau, "花府办〔2026〕3号"), by=CLERK)
    keys = {"keys": [public_jwk(make_signer().public_key)]}
    provider = Provider("https://id.example", ("hall",), ("high",), keys, "ES256", None, ("hall",))
    registry.providers.put(provider, by=CLERK)
    by = Actor("李四", bureau, client.id, purpose="审批")
    registry.dossiers.fulfil(demo.application_of(works), by=by)
    _consent(registry, works, by)
    complaint = Complaint(works.id, "fields/project_name", "名称有误")
    registry.objections.add(complaint, by=by)
    registry.documents.get(works.id, by=CLERK)
    wish = CopyWish("示例银行", "贷款审查", date(2026, 12, 1))
    registry.documents.copy(works.id, wish, by=CLERK)


def _consent(registry: Registry, works: Record, by: Actor) -> None:
    owner = SignedIn(works.body["holders"][0]["code"], "001", None)
    registry.holders.delegate(AGENT, holder=owner, until=date(2026, 12, 1))
    asked = registry.grants.request(GrantWish(demo.MATTER), by=by)
    code = registry.holders.make_use_code(asked.id, holder=owner)
    registry.grants.redeem(asked.id, code.short, by=by)


def _operate(registry: Registry, issued: Mapping[str, Record]) -> None:
    operate = registry.certificates.operate
    operate(issued[SITING].id, Operation.SUSPEND, basis=WHY, by=CLERK)
    operate(issued[SITING].id, Operation.RESUME, basis=WHY, by=CLERK)
    draft = dict(registry.catalogue.newest(PERMIT).example)
    draft["rests_on"] = [issued[WORKS].id]
    registry.certificates.succeed(issued[PERMIT].id, Operation.CHANGE, draft, basis=WHY, by=CLERK)
    operate(issued[WORKS].id, Operation.WITHDRAW, basis=WHY, by=CLERK)
    planning, day = demo.PLANNING.code, civil_date(registry.clock(), "Asia/Shanghai")
    later = day + timedelta(days=2)
    named = replace(registry.agencies.newest(planning), name="花都区规划局（演示）", from_day=later)
    registry.agencies.change(named, basis=demo.BASIS, by=CLERK)
    registry.register.transfer(
        demo.REFORM.code, [APPROVAL], to=planning, from_day=later, basis=demo.BASIS, by=CLERK
    )
    registry.keys.rotate(Role.STATUS, None, by=CLERK)


def _picture() -> bytes:
    file = BytesIO()
    Image.new("RGBA", (40, 40), (200, 0, 0, 0)).save(file, "PNG")
    return file.getvalue()
