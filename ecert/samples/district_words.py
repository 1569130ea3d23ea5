"""What the made-up matters of a district are made of: departments, names, materials, certificates."""

from __future__ import annotations

from typing import Any

from ecert.model import Agency

DIVISION = "440114"
CHAIN = {  # the agencies of the demonstration, which grant the chain's certificates
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
NAMED = """
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
STREET = """
农村宅基地审批 | Approval of a rural homestead
临时救助资格认定 | Entitlement to temporary relief
公共租赁住房资格认定 | Entitlement to public rental housing
"""

# -- what the matters are made of ------------------------------------------------------------------

ACTIONS = (
    ("新办", "new"),
    ("变更", "change"),
    ("延续", "renewal"),
    ("补办", "replacement"),
    ("注销", "cancellation"),
)
SITUATIONS = (
    ("agent", "委托他人办理的", "Somebody else applies on the applicant's behalf"),
    ("branch", "由分支机构申请的", "A branch applies"),
    ("joint", "两个以上申请人共同申请的", "Several applicants apply together"),
    ("leased", "使用租赁场所的", "The premises are leased"),
    ("lost", "原证遗失、损毁的", "The former certificate was lost or damaged"),
    ("phased", "分期实施的", "It is carried out in phases"),
)
OWNERS = {"works": "project", "places": "organisation", "people": "person"}
HELD: dict[str, tuple[tuple[Any, ...], ...]] = {  # type, owner, conditions
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
CERTIFICATES = {  # name, and the fields by how often a clerk needs them; never anybody's number
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
PAPERS = (
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
