"""A district's matters to begin with: its planning and construction chain, and a full set by number.

``district.json`` holds the chain from company registration to the first registration of the title.
The articles it cites are those that the certificate types cite; the codes of matters and agencies
are fictional, and which materials are asked for, and the days promised, are examples: an agency
puts its own published guide in their place. What :func:`generate` adds is made up altogether and is
there to show the size of a real district.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, TypeVar

from ecert._encoding import parse_json, sha256
from ecert.errors import IdentifierError
from ecert.ids import check_credit_code
from ecert.model import Agency

DEPARTMENTS, MATTERS = 24, 321
DIVISION = "440114"
_MOST = 899  # the made-up credit codes count from 101 in three digits
_NOTICE = "虚构事项，仅供演示规模，不作为办事依据"
_Item = TypeVar("_Item")


def chain() -> bytes:
    """Give the shipped matters of the planning and construction chain, as a file to read."""
    return files("ecert.samples").joinpath("district.json").read_bytes()


def agencies(departments: int = DEPARTMENTS) -> list[Agency]:
    """Name the district's departments; those of the chain come first.

    Raises: ValueError for fewer than the chain has, or more than there are codes for.
    """
    return [bureau.agency for bureau in _bureaus(departments)]


def generate(departments: int = DEPARTMENTS, matters: int = MATTERS) -> dict[str, Any]:
    """Make a set of so many matters, the shipped chain first; the same numbers give the same set.

    Raises: ValueError as :func:`agencies`.
    """
    bureaus = _bureaus(departments)
    shipped = parse_json(chain())["matters"]
    made = [
        _matter(bureaus[place % departments], place // departments)
        for place in range(matters - len(shipped))
    ]
    return {"matters": [*shipped, *made][:matters]}


# -- one made-up matter ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bureau:
    """A department: what its codes begin with, whose business it does, and its kinds of matter."""

    letters: str
    agency: Agency
    clients: str  # works, places or people: a key of _OWNERS and _HELD
    stems: tuple[tuple[str, str], ...]


def _matter(bureau: _Bureau, turn: int) -> dict[str, Any]:
    code = f"HD-{bureau.letters}-{101 + turn}"  # the shipped ones have two digits
    situations = _draw(_SITUATIONS, _number(code, "situations") % 4, code)
    return {
        "code": code,
        "version": 1,
        "name": _name(bureau, turn),
        "agency": bureau.agency.code,
        "legal_basis": _NOTICE,
        "promised_days": 1 + _number(code, "days") % 30,
        "issues": [],
        "situations": [{"code": name, "name": _words(zh, en)} for name, zh, en in situations],
        "materials": _materials(code, bureau.clients, [name for name, _, _ in situations]),
    }


def _name(bureau: _Bureau, turn: int) -> dict[str, str]:
    """Combine a kind of matter with what is done about it; when all are used, number the parts."""
    rest, stem = divmod(turn, len(bureau.stems))
    part, action = divmod(rest, len(_ACTIONS))
    (zh, en), (zh_action, en_action) = bureau.stems[stem], _ACTIONS[action]
    zh_part, en_part = (f"·子项{part + 1}", f", part {part + 1}") if part else ("", "")
    return _words(f"{zh}（{zh_action}{zh_part}）", f"{en} ({en_action}{en_part})")


def _materials(code: str, clients: str, situations: Sequence[str]) -> list[dict[str, Any]]:
    """Ask for 3 to 12: a form, some that certificates satisfy, and some that only people have."""
    count, held = 3 + _number(code, "count") % 10, _HELD[clients]
    known = min(1 + _number(code, "known") % len(held), count - 1)
    papers = _draw(_PAPERS, count - 1 - known, code)
    found = [
        _paper(clients, "application-form", "申请表", "Application form"),
        *(_certificate(code, *one) for one in _draw(held, known, code)),
        *(_paper(clients, *one) for one in papers),
    ]
    return [*found[:2], *(_eased(code, one, situations) for one in found[2:])]


def _paper(clients: str, code: str, zh: str, en: str) -> dict[str, Any]:
    owner = _OWNERS[clients]
    return {"code": code, "name": _words(zh, en), "owner": owner, "satisfied_by": []}


def _certificate(matter: str, slug: str, owner: str, *conditions: dict[str, Any]) -> dict[str, Any]:
    """Ask for a certificate and two or more of its fields; those that conditions name come first."""
    zh, en, known = _CERTIFICATES[slug]
    fields = [name if "." in name else f"fields.{name}" for name in known.split()]
    count = 2 + _number(matter, slug) % (len(fields) - 1)
    option: dict[str, Any] = {"type": slug, "fields": fields[:count]}
    if conditions:
        option["conditions"] = list(conditions)
    return {"code": slug, "name": _words(zh, en), "owner": owner, "satisfied_by": [option]}


def _eased(matter: str, material: dict[str, Any], situations: Sequence[str]) -> dict[str, Any]:
    """Ask for some materials only in a situation 情形, and let some follow later 容缺."""
    chance = _number(matter, material["code"], "eased")
    if situations and chance % 4 == 0:
        material["situations"] = [situations[chance // 4 % len(situations)]]
    if chance % 5 == 0:
        material["may_follow_days"] = (5, 10, 15, 30)[chance // 5 % 4]
    return material


def _words(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}


def _number(*key: str) -> int:
    """Give a number that looks drawn by lot and is the same on every Python, unlike ``random``'s."""
    return int.from_bytes(sha256("\0".join(key).encode())[:4], "big")


def _draw(items: Sequence[_Item], count: int, key: str) -> list[_Item]:
    """Draw some of the items, in the order in which they stand."""
    order = sorted(range(len(items)), key=lambda place: _number(key, str(place)))
    return [items[place] for place in sorted(order[:count])]


# -- the departments -------------------------------------------------------------------------------


def _bureaus(departments: int) -> list[_Bureau]:
    """Give the bureaus; those beyond the named ones are offices of numbered sub-districts."""
    if not len(_CHAIN) <= departments <= _MOST:
        raise ValueError(
            f"a district has {len(_CHAIN)} (those of the chain) to {_MOST} departments"
        )
    blocks = _NAMED.strip().split("\n\n")
    for count in range(1, departments - len(blocks) + 1):
        blocks.append(f"JD{count} | people | 花都区示例第{count}街道办事处\n{_STREET.strip()}")
    return [_bureau(place, block) for place, block in enumerate(blocks[:departments])]


def _bureau(place: int, block: str) -> _Bureau:
    """Read a block: a line of the department, then a line for each kind of its matters."""
    head, *lines = block.strip().splitlines()
    letters, clients, name = head.split(" | ")
    agency = _CHAIN.get(letters) or Agency(_credit_code(place), f"{name}（虚构）", DIVISION)
    stems = tuple((zh, en) for zh, _, en in (line.partition(" | ") for line in lines))
    return _Bureau(letters, agency, clients, stems)


@lru_cache(maxsize=1024)
def _credit_code(place: int) -> str:
    """Make the credit code of a department that does not exist; only ``ids`` knows the check sum."""
    stem = f"11{DIVISION}MA0000{101 + place:03}"
    return next(stem + last for last in "0123456789ABCDEFGHJKLMNPQRTUWXY" if _fits(stem + last))


def _fits(code: str) -> bool:
    try:
        check_credit_code(code)
    except IdentifierError:
        return False
    return True


_CHAIN = {  # the agencies of the demonstration, which grant the chain's certificates
    "SC": Agency("11440114MA0000095H", "花都区市场监督管理局（演示）", DIVISION),
    "FG": Agency("11440114MA0000094E", "花都区发展和改革局（演示）", DIVISION),
    "GH": Agency(
        "11440114MA00000928",
        "花都区规划和自然资源局（演示）",
        DIVISION,
        short_name="穗规划资源（演示）",
    ),
    "ZJ": Agency("11440114MA0000093B", "花都区住房和城乡建设局（演示）", DIVISION),
}
_NAMED = """
SC | places | 花都区市场监督管理局
食品经营许可 | Food business licence
食品小作坊登记 | Registration of a small food workshop
特种设备使用登记 | Registration of special equipment

FG | works | 花都区发展和改革局
固定资产投资项目节能审查 | Energy review of an investment project
粮食收购企业备案 | Filing of a grain purchaser
重点建设项目入库登记 | Entry in the list of key projects

GH | works | 花都区规划和自然资源局
临时用地审批 | Approval of temporary land use
临时建设工程规划许可 | Planning permit for temporary works
林木采伐许可 | Permit to fell trees

ZJ | works | 花都区住房和城乡建设局
占用城市绿地审批 | Approval to occupy urban green space
燃气经营许可 | Gas supply licence
建筑起重机械使用登记 | Registration of a construction crane

JT | works | 花都区交通运输局
涉路施工许可 | Permit for works on a highway
道路货物运输经营许可 | Road haulage licence
机动车维修经营备案 | Filing of a vehicle repair shop

CG | works | 花都区城市管理和综合执法局
城市道路挖掘许可 | Permit to dig up a city road
户外广告设置许可 | Permit for outdoor advertising
建筑垃圾处置核准 | Approval to dispose of construction waste

SW | works | 花都区水务局
取水许可 | Water abstraction permit
城镇污水排入排水管网许可 | Permit to discharge into the sewers
生产建设项目水土保持方案审批 | Approval of a soil and water conservation plan

ST | works | 花都区生态环境局
建设项目环境影响评价文件审批 | Approval of an environmental impact assessment
排污许可 | Pollutant discharge permit
危险废物收集经营许可 | Licence to collect hazardous waste

QX | works | 花都区气象局
雷电防护装置设计审核 | Review of lightning protection
雷电防护装置竣工验收 | Acceptance of lightning protection
升放气球活动审批 | Approval to release balloons

WJ | places | 花都区卫生健康局
公共场所卫生许可 | Hygiene licence for a public place
医疗机构执业登记 | Registration of a medical institution
放射诊疗许可 | Licence for radiological diagnosis and treatment

WG | places | 花都区文化广电旅游体育局
娱乐场所经营许可 | Licence for a place of entertainment
营业性演出审批 | Approval of a commercial performance
高危险性体育项目经营许可 | Licence for a high-risk sport

JY | places | 花都区教育局
民办学校办学许可 | Licence for a private school
校外培训机构办学许可 | Licence for an after-school training centre
校车使用许可 | Permit to run a school bus

GA | places | 花都区公安局
旅馆业特种行业许可 | Special trade licence for a hotel
公章刻制业备案 | Filing of a seal engraver
大型群众性活动安全许可 | Safety permit for a mass event

RS | places | 花都区人力资源和社会保障局
劳务派遣经营许可 | Labour dispatch licence
人力资源服务许可 | Licence for employment services
特殊工时制度审批 | Approval of special working hours

YJ | places | 花都区应急管理局
危险化学品经营许可 | Licence to trade in dangerous chemicals
烟花爆竹零售许可 | Licence to sell fireworks
生产安全事故应急预案备案 | Filing of an emergency plan

KS | places | 花都区科技工业商务和信息化局
成品油零售经营许可 | Licence to sell motor fuel
单用途商业预付卡备案 | Filing of a prepaid card
再生资源回收经营备案 | Filing of a recycling business

YB | places | 花都区医疗保障局
医保定点医疗机构确定 | Designation of a clinic for medical insurance
医保定点零售药店确定 | Designation of a pharmacy for medical insurance
长期护理保险定点机构确定 | Designation of a long-term care provider

CZ | places | 花都区财政局
代理记账资格审批 | Approval of a bookkeeping agency
政府采购代理机构登记 | Registration of a procurement agent
财政票据领用资格核准 | Approval to use fiscal receipts

XF | places | 花都区消防救援大队
公众聚集场所营业前消防安全检查 | Fire safety check before a public place opens
消防技术服务机构备案 | Filing of a fire safety contractor
专职消防队备案 | Filing of a private fire brigade

SF | places | 花都区司法局
基层法律服务所执业登记 | Registration of a grass-roots legal office
人民调解委员会备案 | Filing of a mediation committee
法律援助工作站备案 | Filing of a legal aid station

MZ | people | 花都区民政局
最低生活保障资格认定 | Entitlement to the minimum living allowance
特困人员救助供养资格认定 | Entitlement to support in extreme hardship
高龄老人津贴资格认定 | Entitlement to the old-age allowance

NY | people | 花都区农业农村局
农药经营许可 | Licence to sell pesticides
动物防疫条件审查 | Review of animal disease prevention
水产苗种生产许可 | Licence to breed aquatic seedlings

TY | people | 花都区退役军人事务局
退役军人优待证办理 | Veteran's card
烈士遗属抚恤待遇资格认定 | Entitlement of a martyr's family to a pension
退役军人创业扶持资格认定 | Entitlement of a veteran to help in business

CL | people | 花都区残疾人联合会
残疾人证办理 | Disability card
残疾人两项补贴资格认定 | Entitlement to the two disability allowances
家庭无障碍改造资助资格认定 | Entitlement to help in making a home accessible
"""
_STREET = """
农村宅基地审批 | Approval of a rural homestead
临时救助资格认定 | Entitlement to temporary relief
公共租赁住房资格认定 | Entitlement to public rental housing
"""

# -- what the matters are made of ------------------------------------------------------------------

_ACTIONS = (
    ("新办", "new"),
    ("变更", "change"),
    ("延续", "renewal"),
    ("补办", "replacement"),
    ("注销", "cancellation"),
)
_SITUATIONS = (
    ("agent", "委托他人办理的", "Somebody else applies on the applicant's behalf"),
    ("branch", "由分支机构申请的", "A branch applies"),
    ("joint", "两个以上申请人共同申请的", "Several applicants apply together"),
    ("leased", "使用租赁场所的", "The premises are leased"),
    ("lost", "原证遗失、损毁的", "The former certificate was lost or damaged"),
    ("phased", "分期实施的", "It is carried out in phases"),
)
_OWNERS = {"works": "project", "places": "organisation", "people": "person"}
_HELD: dict[str, tuple[tuple[Any, ...], ...]] = {  # type, owner, conditions
    "works": (
        ("business-licence", "organisation"),
        (
            "project-approval",
            "project",
            {
                "kind": "field_in",
                "field": "fields.construction_nature",
                "values": ["新建", "改建", "扩建", "改扩建"],
            },
        ),
        ("project-siting-opinion", "project", {"kind": "in_force_for_days", "days": 30}),
        ("land-use-planning-permit", "project"),
        ("construction-works-planning-permit", "project"),
        ("rural-construction-planning-permit", "project"),
        ("construction-permit", "organisation", {"kind": "same_project"}),
        ("completion-acceptance-filing", "project"),
    ),
    "places": (
        ("business-licence", "organisation"),
        ("construction-works-planning-permit", "organisation"),
        ("completion-acceptance-filing", "organisation"),
    ),
    "people": (  # the two types that a person can hold
        ("business-licence", "person"),
        ("rural-construction-planning-permit", "person"),
    ),
}
_CERTIFICATES = {  # name, and the fields by how often a clerk needs them; never anybody's number
    "business-licence": (
        "营业执照",
        "Business licence",
        "holders.name kind address business_scope",
    ),
    "project-approval": (
        "项目立项文件",
        "Project approval or filing",
        "project_name construction_nature construction_location construction_scale",
    ),
    "project-siting-opinion": (
        "建设项目用地预审与选址意见书",
        "Site pre-examination and siting opinion",
        "project_name proposed_location proposed_land_area proposed_scale",
    ),
    "land-use-planning-permit": (
        "建设用地规划许可证",
        "Land-use planning permit",
        "project_name land_location land_use land_area holders.name",
    ),
    "construction-works-planning-permit": (
        "建设工程规划许可证",
        "Construction works planning permit",
        "project_name construction_location construction_scale total_floor_area holders.name",
    ),
    "rural-construction-planning-permit": (
        "乡村建设规划许可证",
        "Rural construction planning permit",
        "holders.name construction_location construction_scale total_floor_area",
    ),
    "construction-permit": (
        "建筑工程施工许可证",
        "Construction permit",
        "project_name construction_address construction_scale holders.name",
    ),
    "completion-acceptance-filing": (
        "竣工验收备案",
        "Filing of completion acceptance",
        "project_name project_address filing_scope buildings",
    ),
}
_PAPERS = (
    ("identity-documents", "经办人身份证明", "Identity document of whoever applies"),
    ("authorisation", "授权委托书", "Power of attorney"),
    ("commitment", "信用承诺书", "Written commitment"),
    ("premises-proof", "场所使用证明", "Proof of the right to use the premises"),
    ("site-plan", "平面布置图", "Floor plan or site plan"),
    ("location-map", "地理位置图", "Location map"),
    ("plan-of-action", "实施方案", "Plan of what will be done"),
    ("safety-rules", "安全管理制度", "Safety rules"),
    ("emergency-plan", "应急预案", "Emergency plan"),
    ("staff-list", "从业人员名册", "List of staff"),
    ("training-proof", "人员培训合格证明", "Proof of training"),
    ("equipment-list", "设施设备清单", "List of equipment"),
    ("test-report", "检验检测报告", "Test report"),
    ("expert-opinion", "专家论证意见", "Opinion of experts"),
    ("neighbours-opinion", "利害关系人意见", "Opinion of those affected"),
    ("photographs", "现场照片", "Photographs of the place"),
    ("contract", "有关合同或者协议", "Contract or agreement"),
    ("funding-proof", "资金证明", "Proof of funds"),
    ("insurance", "保险凭证", "Proof of insurance"),
    ("former-certificate", "原证件", "The former certificate"),
    ("fee-receipt", "缴费凭证", "Receipt of fees"),
)
