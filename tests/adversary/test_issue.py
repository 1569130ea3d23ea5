"""What must not be issued: on fallen ground, under a changed type, or under a code of one's own making."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ecert.catalogue import built_in_root, load_catalogue
from ecert.config import Plan, Surroundings, open_registry
from ecert.errors import (
    DraftError,
    EcertError,
    Forbidden,
    NotFound,
    NotInForce,
    NumberTaken,
    TypeChanged,
    TypeFolderError,
    TypeNotIssuable,
)
from ecert.model import Actor, Basis, Operation, Record
from ecert.registry import Registry
from ecert.testing import SettableClock
from tests.adversary.forge import days, expect
from tests.conftest import CLERK, CONSTRUCTION, EVERY_TYPE, PLANNING, WORKS, Maker

Drafts = Callable[..., dict[str, Any]]
LAND = "land-use-planning-permit"
BUILD = "construction-permit"
BASIS = Basis("核查", "决定", "甲")
UNKNOWN = "1.2.156.3005.2.11440114MA00000928902.11440114MA00000928.{serial}.001.{check}"


@pytest.fixture
def land(registry: Registry, draft_of: Drafts) -> Record:
    return registry.certificates.issue(LAND, draft_of(LAND), by=CLERK).record


def _refused(
    registry: Registry, draft: dict[str, Any], error: type[EcertError], rule: str, **options: Any
) -> None:
    """The refusal names the place and the rule, and nothing was issued or logged."""
    size = registry.log.head().size
    with pytest.raises(error) as caught:
        registry.certificates.issue(WORKS, draft, **{"by": CLERK, **options})
    assert [(fault.pointer, fault.rule) for fault in caught.value.errors] == [("/rests_on/0", rule)]
    assert registry.log.head().size == size


# -- what it rests on ----------------------------------------------------------------------------------------


def test_a_draft_may_rest_on_what_is_in_force(
    registry: Registry, land: Record, draft_of: Drafts
) -> None:
    issued = registry.certificates.issue(WORKS, draft_of(rests_on=[land.id]), by=CLERK).record
    expect(registry.verify(issued.credential), "valid", status="status_good")


def test_a_draft_rests_on_an_unknown_certificate(
    registry: Registry, land: Record, draft_of: Drafts
) -> None:
    """A well-formed identifier, of the next version that was never issued."""
    from ecert.ids import parse_identifier

    unknown = str(parse_identifier(land.id).bump())
    _refused(registry, draft_of(rests_on=[unknown]), NotInForce, "unknown")


def test_a_draft_rests_on_something_that_is_no_identifier(
    registry: Registry, draft_of: Drafts
) -> None:
    _refused(registry, draft_of(rests_on=["x"]), DraftError, "root")


def test_a_draft_rests_on_a_certificate_of_a_foreign_type(
    registry: Registry, draft_of: Drafts
) -> None:
    works = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    _refused(registry, draft_of(rests_on=[works.id]), NotInForce, "rests_on_type")


@pytest.mark.parametrize(
    "operation", [Operation.SUSPEND, Operation.CANCEL, Operation.WITHDRAW, Operation.REVOKE]
)
def test_a_draft_rests_on_a_certificate_that_fell(
    registry: Registry, land: Record, draft_of: Drafts, operation: Operation
) -> None:
    registry.certificates.operate(land.id, operation, basis=BASIS, by=CLERK)
    _refused(registry, draft_of(rests_on=[land.id]), NotInForce, "not_in_force")


def test_a_draft_rests_on_a_superseded_certificate(
    registry: Registry, land: Record, draft_of: Drafts
) -> None:
    changed = registry.certificates.succeed(
        land.id, Operation.CHANGE, draft_of(LAND), basis=BASIS, by=CLERK
    )
    _refused(registry, draft_of(rests_on=[land.id]), NotInForce, "not_in_force")
    registry.certificates.issue(WORKS, draft_of(rests_on=[changed.record.id]), by=CLERK)


def test_a_draft_rests_on_an_expired_certificate(
    registry: Registry, clock: SettableClock, draft_of: Drafts
) -> None:
    short = registry.certificates.issue(
        LAND, draft_of(LAND, valid_to="2026-03-10"), by=CLERK
    ).record
    registry.certificates.issue(WORKS, draft_of(rests_on=[short.id]), by=CLERK)
    clock.move(days(9))
    _refused(registry, draft_of(rests_on=[short.id]), NotInForce, "not_in_force")


def test_what_a_client_may_not_see_reads_as_unknown(
    registry: Registry, land: Record, draft_of: Drafts
) -> None:
    registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE)
    scopes = frozenset({"certificates:issue"})
    stranger = Actor("x", agency=CONSTRUCTION.code, client="c", scopes=scopes)
    _refused(registry, draft_of(rests_on=[land.id]), NotInForce, "unknown", by=stranger)


def test_resting_on_the_same_certificate_twice(
    registry: Registry, land: Record, draft_of: Drafts
) -> None:
    with pytest.raises(DraftError) as caught:
        registry.certificates.issue(WORKS, draft_of(rests_on=[land.id, land.id]), by=CLERK)
    assert [fault.rule for fault in caught.value.errors] == ["uniqueItems"]


def test_a_foundation_that_falls_later_is_a_warning_and_no_more(
    registry: Registry, land: Record, draft_of: Drafts
) -> None:
    works = registry.certificates.issue(WORKS, draft_of(rests_on=[land.id]), by=CLERK).record
    registry.certificates.operate(land.id, Operation.WITHDRAW, basis=BASIS, by=CLERK)
    expect(registry.verify(works.credential), "valid", status="status_good")
    warnings = registry.certificates.get(works.id, by=CLERK).warnings
    assert [(one["code"], one["id"]) for one in warnings] == [("foundation_fallen", land.id)]


# -- who issues ----------------------------------------------------------------------------------------------


def test_a_client_issues_for_another_agency(registry: Registry, draft_of: Drafts) -> None:
    registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE)
    scopes = frozenset({"certificates:issue"})
    client = Actor("x", agency=CONSTRUCTION.code, client="c", scopes=scopes)
    with pytest.raises(Forbidden):
        registry.certificates.issue(WORKS, draft_of(), by=client, agency=PLANNING.code)


@pytest.mark.parametrize("operation", [Operation.SUSPEND, Operation.REVOKE, Operation.CHANGE])
def test_a_client_operates_upon_another_agencys_certificate(
    registry: Registry, land: Record, draft_of: Drafts, operation: Operation
) -> None:
    registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE)
    scopes = frozenset({"certificates:operate", "certificates:issue"})
    client = Actor("x", agency=CONSTRUCTION.code, client="c", scopes=scopes)
    draft = draft_of(LAND) if operation is Operation.CHANGE else None
    with pytest.raises(NotFound):
        registry.certificates.operate(land.id, operation, basis=BASIS, by=client, draft=draft)
    expect(registry.verify(land.credential), "valid", status="status_good")


def test_a_number_that_another_current_certificate_has(
    registry: Registry, land: Record, draft_of: Drafts
) -> None:
    with pytest.raises(NumberTaken):
        registry.certificates.issue(LAND, draft_of(LAND, number=land.body["number"]), by=CLERK)


def test_an_issue_date_in_the_future(registry: Registry, draft_of: Drafts) -> None:
    with pytest.raises(DraftError) as caught:
        registry.certificates.issue(WORKS, draft_of(issued_on="2026-03-03"), by=CLERK)
    assert [(fault.pointer, fault.rule) for fault in caught.value.errors] == [
        ("/issued_on", "future")
    ]


# -- types ---------------------------------------------------------------------------------------------------


DOG = "dog-licence"


def _dog(home: Path, place: int = 1, /, **changes: Any) -> Path:
    """Write the folder of a type that nobody shipped: three small files."""
    folder = home / "types" / DOG / f"v{place}"
    folder.mkdir(parents=True, exist_ok=True)
    kind: dict[str, Any] = {
        "slug": DOG,
        "version": place,
        "state": "published",
        "name": {"zh": "养犬登记证", "en": "Dog Licence"},
        "code": {"confirmed": True, "value": PLANNING.code + "555"},
        "holder_kinds": ["person"],
        "validity": {"rule": "years", "value": 1},
        "number": {"template": "犬{division}{year}{serial:5}"},
        "personal": ["walkers[].name"],
        "seal": {"mask": ["holder_name"]},
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:ecert:type:{DOG}:{place}",
        "type": "object",
        "properties": {
            "breed": {"type": "string", "minLength": 1, "maxLength": 40},
            "walkers": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "since": {"type": "string"}},
                    "required": ["name"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["breed"],
        "additionalProperties": False,
    }
    example = {
        "fields": {"breed": "中华田园犬", "walkers": [{"name": "陈小明", "since": "2026"}]},
        "holders": [{"name": "陈小明", "code": "11010519491231002X", "code_type": "111"}],
    }
    parts = {"type": kind | changes, "schema": schema, "example": example}
    for name, value in parts.items():
        text = json.dumps(value, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text, "utf-8")
    return folder


def _reopen(registry: Registry, clock: SettableClock, tmp_path: Path) -> Registry:
    """Open the home again; the agency may issue whatever lies in its types."""
    registry.close()
    around = Surroundings(clock=clock, state=tmp_path / "state")
    opened = open_registry(registry.home, around=around)
    held = {one.slug for one in opened.register.competences(PLANNING.code)}
    if wanted := sorted({one.slug for one in opened.catalogue} - held):
        opened.register.allow(PLANNING.code, wanted, basis="穗花编办〔2026〕2号", by=CLERK)
    return opened


def _example(registry: Registry, slug: str) -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(json.dumps(registry.catalogue.newest(slug).example))
    return copied


def test_adding_a_type_is_adding_a_folder(
    registry: Registry, clock: SettableClock, tmp_path: Path
) -> None:
    _dog(registry.home)
    opened = _reopen(registry, clock, tmp_path)
    issued = opened.certificates.issue(DOG, _example(opened, DOG), by=CLERK).record
    assert issued.body["number"] == "犬440114202600001"
    assert issued.body["valid_to"] == "2027-03-01"
    expect(opened.verify(issued.credential), "valid", type="type_good", status="status_good")
    expect(opened.verify(issued.seal), "valid", type="type_good", status="status_good")
    bundle = opened.evidence.pack(issued.id, by=CLERK)
    expect(opened.verifier(is_offline=True).verify(bundle), "valid", type="type_good")
    shown = opened.certificates.present(issued.id, ["fields.walkers"], by=CLERK)
    report = opened.verify(shown)
    expect(report, "valid", type="type_good")
    assert report.certificate is not None
    assert report.certificate["fields"] == {"walkers": [{"since": "2026"}]}
    opened.close()


def test_a_verifier_without_the_new_type_says_that_it_does_not_know_it(
    registry: Registry, clock: SettableClock, tmp_path: Path
) -> None:
    _dog(registry.home)
    opened = _reopen(registry, clock, tmp_path)
    issued = opened.certificates.issue(DOG, _example(opened, DOG), by=CLERK).record
    shutil.rmtree(opened.home / "types" / DOG)
    poorer = _reopen(opened, clock, tmp_path)
    for presented in (issued.credential, issued.seal):
        report = poorer.verify(presented)
        expect(report, "undetermined", signature="signature_good", type="type_unknown")
    poorer.close()


@pytest.mark.parametrize("part", ["type", "schema"])
def test_a_type_that_was_edited_after_its_use(
    registry: Registry, clock: SettableClock, tmp_path: Path, part: str
) -> None:
    folder = _dog(registry.home)
    opened = _reopen(registry, clock, tmp_path)
    issued = opened.certificates.issue(DOG, _example(opened, DOG), by=CLERK).record
    path = folder / f"{part}.json"
    value = json.loads(path.read_text("utf-8"))
    if part == "type":
        value["name"]["zh"] = "烈性犬登记证"
    else:
        value["properties"]["breed"]["maxLength"] = 41
    path.write_text(json.dumps(value), "utf-8")
    edited = _reopen(opened, clock, tmp_path)
    size = edited.log.head().size
    with pytest.raises(TypeChanged):
        edited.certificates.issue(DOG, _example(edited, DOG), by=CLERK)
    assert edited.log.head().size == size
    report = edited.verify(issued.credential)
    expect(report, "undetermined", signature="signature_good", type="type_differs")
    _dog(edited.home, 1)
    _dog(edited.home, 2)
    healed = _reopen(edited, clock, tmp_path)
    again = healed.certificates.issue(DOG, _example(healed, DOG), by=CLERK).record
    assert again.body["type"]["version"] == 2
    for found in (issued, again):
        expect(healed.verify(found.credential), "valid", type="type_good")
    healed.close()


@pytest.mark.parametrize("state", ["draft", "deprecated"])
def test_a_type_that_is_not_published(
    registry: Registry, clock: SettableClock, tmp_path: Path, state: str
) -> None:
    _dog(registry.home, state=state)
    opened = _reopen(registry, clock, tmp_path)
    size = opened.log.head().size
    with pytest.raises(TypeNotIssuable):
        opened.certificates.issue(DOG, _example(opened, DOG), by=CLERK)
    assert opened.log.head().size == size
    opened.close()


def test_a_type_that_is_deprecated_after_its_use_still_verifies(
    registry: Registry, clock: SettableClock, tmp_path: Path
) -> None:
    _dog(registry.home)
    opened = _reopen(registry, clock, tmp_path)
    issued = opened.certificates.issue(DOG, _example(opened, DOG), by=CLERK).record
    _dog(opened.home, state="deprecated")
    later = _reopen(opened, clock, tmp_path)
    expect(later.verify(issued.credential), "valid", type="type_good")
    with pytest.raises(TypeNotIssuable):
        later.certificates.issue(DOG, _example(later, DOG), by=CLERK)
    later.close()


def test_a_draft_version_beside_a_published_one_does_not_issue(
    registry: Registry, clock: SettableClock, tmp_path: Path
) -> None:
    _dog(registry.home, 1)
    _dog(registry.home, 2, state="draft")
    opened = _reopen(registry, clock, tmp_path)
    issued = opened.certificates.issue(DOG, _example(opened, DOG), by=CLERK).record
    assert issued.body["type"]["version"] == 1
    opened.close()


def test_a_provisional_type_where_they_are_not_allowed(
    make_registry: Maker, draft_of: Drafts
) -> None:
    plan = Plan("https://licences.example", PLANNING, trial=False, may_issue=EVERY_TYPE)
    registry = make_registry(name="real", plan=plan)
    size = registry.log.head().size
    with pytest.raises(TypeNotIssuable):
        registry.certificates.issue(WORKS, draft_of(), by=CLERK)
    assert registry.log.head().size == size


def test_a_confirmed_type_where_provisional_ones_are_not_allowed(
    make_registry: Maker, clock: SettableClock, tmp_path: Path
) -> None:
    plan = Plan("https://licences.example", PLANNING, trial=False)
    registry = make_registry(name="real", plan=plan)
    _dog(registry.home)
    opened = _reopen(registry, clock, tmp_path)
    issued = opened.certificates.issue(DOG, _example(opened, DOG), by=CLERK).record
    expect(opened.verify(issued.credential), "valid", type="type_good")
    expect(opened.verify(issued.seal), "valid", type="type_good")
    opened.close()


def test_an_own_type_over_a_shipped_one_counts_as_another_definition(
    registry: Registry, clock: SettableClock, tmp_path: Path, draft_of: Drafts
) -> None:
    """A home overrides a shipped type before its first use: outside verifiers see that it differs."""
    shipped = Path(str(built_in_root())) / WORKS
    shutil.copytree(shipped, registry.home / "types" / WORKS)
    path = registry.home / "types" / WORKS / "v1" / "type.json"
    value = json.loads(path.read_text("utf-8"))
    value["legal_text"]["zh"] = "另一段文字"
    path.write_text(json.dumps(value), "utf-8")
    opened = _reopen(registry, clock, tmp_path)
    issued = opened.certificates.issue(WORKS, draft_of(), by=CLERK).record
    expect(opened.verify(issued.credential), "valid", type="type_good")
    from ecert.verification import verify

    report = verify(issued.credential, opened.trust(), status=opened.status, clock=clock)
    expect(report, "undetermined", signature="signature_good", type="type_differs")
    opened.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"slug": "other-licence"},
        {"slug": "../x"},
        {"version": 2},
        {"code": {"confirmed": True, "value": "x"}},
        {"code": {"confirmed": False, "suffix": "100"}},
        {"personal": ["nobody"]},
        {"number": {"template": "没有流水号"}},
        {"number": {"template": "{serial}{secret}"}},
        {"number": {"template": "{serial}", "pattern": "("}},
        {"validity": {"rule": "for ever"}},
        {"extra": 1},
    ],
    ids=str,
)
def test_a_type_folder_that_contradicts_itself_is_refused_as_a_whole(
    registry: Registry, clock: SettableClock, tmp_path: Path, changes: dict[str, Any]
) -> None:
    known = {kind.slug for kind in registry.catalogue}
    _dog(registry.home, **changes)
    with pytest.raises(TypeFolderError):
        load_catalogue(registry.home / "types")
    reopened = _reopen(registry, clock, tmp_path)  # it stops its own type and no other
    assert {kind.slug for kind in reopened.catalogue} == known


def test_a_draft_that_brings_what_only_the_registry_gives(
    registry: Registry, draft_of: Drafts
) -> None:
    for name in ("id", "status", "issuer", "supersedes", "type", "created_at", "iss", "_sd"):
        with pytest.raises(DraftError) as caught:
            registry.certificates.issue(WORKS, {**draft_of(), name: "x"}, by=CLERK)
        assert [fault.pointer for fault in caught.value.errors] == [f"/{name}"]


@pytest.mark.parametrize("name", ["_sd", "...", "_sd_alg"])
def test_a_field_with_a_name_that_disclosures_use(
    registry: Registry, draft_of: Drafts, name: str
) -> None:
    draft = draft_of()
    draft["fields"][name] = "x"
    with pytest.raises(DraftError):
        registry.certificates.issue(WORKS, draft, by=CLERK)


def test_a_certificate_never_outlives_the_check_of_its_own_dates(
    registry: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    """Already over on the day of issue: issued as history, and never valid."""
    draft = draft_of(issued_on="2025-01-01", valid_from="2025-01-01", valid_to="2025-12-31")
    issued = registry.certificates.issue(WORKS, draft, by=CLERK).record
    report = registry.verify(issued.credential)
    expect(report, "invalid", time="expired")
    report = registry.verify(issued.credential, at=clock() - timedelta(days=100))
    expect(report, "valid", time="time_good", status="status_good")
