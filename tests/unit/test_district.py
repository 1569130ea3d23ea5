"""The district's matters: the shipped chain, and the set of a real district's size."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from ecert import demo
from ecert._encoding import to_json
from ecert.catalogue import Catalogue
from ecert.ids import check_credit_code
from ecert.reuse.matter import (
    Condition,
    Material,
    Matter,
    Option,
    Owner,
    field_names,
    parse_matters,
)
from ecert.samples import district

FEWEST, MOST = 2, 5  # fields of an option
CHAIN_CODES = [
    *("HD-SC-01", "HD-FG-01", "HD-GH-01", "HD-GH-02", "HD-GH-03", "HD-GH-04", "HD-GH-05"),
    *("HD-ZJ-01", "HD-ZJ-02", "HD-ZJ-03", "HD-BDC-01", "HD-BDC-02"),
]


@pytest.fixture(scope="module")
def chain(catalogue: Catalogue) -> dict[str, Matter]:
    return {one.code: one for one in parse_matters(district.chain(), catalogue)}


@pytest.fixture(scope="module")
def full(catalogue: Catalogue) -> list[Matter]:
    return parse_matters(to_json(district.generate()), catalogue)


def options(matters: list[Matter]) -> Iterator[tuple[Material, Option]]:
    for matter in matters:
        for material in matter.materials:
            yield from ((material, option) for option in material.options)


# -- the shipped chain -----------------------------------------------------------------------------


def test_the_chain_has_its_matters(chain: dict[str, Matter]) -> None:
    assert list(chain) == CHAIN_CODES
    assert all(len(one.situations) >= 2 for one in chain.values())
    assert all(one.promised_days for one in chain.values())
    assert all("仅为示例" in one.definition["legal_basis"] for one in chain.values())


def test_each_type_is_the_result_of_one_matter_and_a_material_of_another(
    chain: dict[str, Matter], catalogue: Catalogue
) -> None:
    results = Counter(slug for one in chain.values() for slug in one.issues)
    assert results == {kind.slug: 1 for kind in catalogue}
    for kind in catalogue:
        assert any(
            kind.slug in one.slugs and kind.slug not in one.issues for one in chain.values()
        ), kind.slug


def test_each_certificate_is_granted_by_the_agency_that_issues_it(
    chain: dict[str, Matter],
) -> None:
    granted = {slug: one.agency for one in chain.values() for slug in one.issues}
    assert granted == {slug: agency.code for slug, agency, _ in demo.CHAIN}


def test_what_a_certificate_rests_on_is_asked_for(chain: dict[str, Matter]) -> None:
    asked = {slug: one.slugs for one in chain.values() for slug in one.issues}
    for slug, _, rests_on in demo.CHAIN:
        assert asked[slug] >= set(rests_on), slug


def test_an_article_is_cited_only_where_the_type_cites_it(
    chain: dict[str, Matter], catalogue: Catalogue
) -> None:
    for matter in chain.values():
        types = [catalogue.newest(slug).definition for slug in matter.issues]
        known = "".join(one["legal_text"]["zh"] for one in types)
        cited = re.findall(r"(?:《[^》]+》)?第\w+条", matter.definition["legal_basis"])
        assert all(article in known for article in cited), matter.code


def test_the_construction_permit_needs_five_things_of_which_four_are_certificates(
    chain: dict[str, Matter],
) -> None:
    permit = chain["HD-ZJ-01"]
    needed = {one.code: one for one in permit.materials if one.is_needed(None)}
    owners = {code: one.owner for code, one in needed.items()}
    assert owners == {
        "business-licence": Owner.ORGANISATION,
        "project-approval": Owner.PROJECT,
        "land-use-planning-permit": Owner.PROJECT,
        "works-planning-permit": Owner.PROJECT,
        "drawing-review": Owner.PROJECT,
    }
    assert [code for code, one in needed.items() if not one.options] == ["drawing-review"]
    assert needed["drawing-review"].accepts_paper
    assert {option.slug for one in needed.values() for option in one.options} == {
        "business-licence",
        "project-approval",
        "land-use-planning-permit",
        "construction-works-planning-permit",
    }
    assert permit.agency == demo.CONSTRUCTION.code
    assert permit.name["zh"] == "建筑工程施工许可证核发"


def test_the_air_raid_shelter_is_asked_for_only_in_its_cases(chain: dict[str, Matter]) -> None:
    permit = chain["HD-ZJ-01"]
    shelter = permit.material("civil-defence")
    assert shelter is not None
    assert shelter.situations == permit.situations.keys()
    assert sum(one.is_needed("civil-defence") for one in permit.materials) == 6
    assert all(one.may_follow_days is None for one in permit.materials)


def test_the_chain_shows_every_rule_that_a_material_can_have(chain: dict[str, Matter]) -> None:
    matters = list(chain.values())
    materials = [one for matter in matters for one in matter.materials]
    demands = {demand.kind for _, option in options(matters) for demand in option.demands}
    assert demands == set(Condition)
    assert {one.owner for one in materials} == set(Owner)
    assert {one.form.value for one in materials} == {"original", "copy"}
    assert any(one.may_follow_days and one.options for one in materials)
    assert any(len(one.options) > 1 for one in materials)


def test_only_what_is_not_looked_up_by_project_must_be_of_the_same_project(
    chain: dict[str, Matter],
) -> None:
    for material, option in options(list(chain.values())):
        if any(demand.kind is Condition.SAME_PROJECT for demand in option.demands):
            assert material.owner is not Owner.PROJECT
            assert option.slug != "business-licence"  # it belongs to no project


def test_the_siting_opinion_outlives_the_handling(chain: dict[str, Matter]) -> None:
    for matter in chain.values():
        for _, option in options([matter]):
            if option.slug == "project-siting-opinion":
                [demand] = option.demands
                assert demand.kind is Condition.IN_FORCE_FOR
                assert demand.days >= (matter.promised_days or 0)


def test_the_examples_carry_what_the_chain_asks_for(
    chain: dict[str, Matter], catalogue: Catalogue
) -> None:
    for material, option in options(list(chain.values())):
        example: Any = catalogue.newest(option.slug).example
        for name in option.fields:
            group, _, member = name.partition(".")
            place = example[group]
            assert member in (place[0] if isinstance(place, list) else place), material.code


def test_a_person_is_asked_only_for_what_a_person_can_hold(
    full: list[Matter], catalogue: Catalogue
) -> None:
    for material, option in options(full):
        kinds = catalogue.newest(option.slug).definition["holder_kinds"]
        assert material.owner is Owner.PROJECT or material.owner.value in kinds, option.slug


# -- both ------------------------------------------------------------------------------------------


def test_every_field_exists_and_no_option_asks_for_many(
    full: list[Matter], catalogue: Catalogue
) -> None:
    for material, option in options(full):
        assert FEWEST <= len(option.fields) <= MOST, material.code
        assert set(option.fields) <= field_names(catalogue, option.slug)


def test_nobodys_number_is_asked_for(full: list[Matter]) -> None:
    names = {name for _, option in options(full) for name in option.fields}
    assert not [name for name in names if name == "holders.code" or name.endswith("_id")]


def test_names_are_in_both_languages(full: list[Matter]) -> None:
    for matter in full:
        names = [matter.name, *matter.situations.values(), *(one.name for one in matter.materials)]
        assert all(any("一" <= sign <= "鿿" for sign in name["zh"]) for name in names)
        assert all(name["en"].isascii() for name in names)


# -- the set of a district's size ------------------------------------------------------------------


def test_the_set_has_the_size_of_the_district(full: list[Matter]) -> None:
    assert len(full) == district.MATTERS == 321
    assert len({(one.code, one.version) for one in full}) == district.MATTERS
    assert len({one.name["zh"] for one in full}) == district.MATTERS
    assert len({one.agency for one in full}) == district.DEPARTMENTS == 24
    assert min(Counter(one.agency for one in full).values()) >= 12


def test_the_chain_comes_first_unchanged(full: list[Matter], chain: dict[str, Matter]) -> None:
    assert [one.digest for one in full[: len(chain)]] == [one.digest for one in chain.values()]


def test_the_same_numbers_give_the_same_set() -> None:
    assert district.generate() == district.generate()
    assert to_json(district.generate()) == to_json(district.generate())  # in order, too
    assert district.generate(matters=100) == {"matters": district.generate()["matters"][:100]}


def test_what_is_made_up_varies_as_a_districts_matters_do(
    full: list[Matter], chain: dict[str, Matter], catalogue: Catalogue
) -> None:
    made = full[len(chain) :]
    assert {len(one.materials) for one in made} == set(range(3, 13))
    assert {slug for one in made for slug in one.slugs} == {kind.slug for kind in catalogue}
    assert {material.owner for one in made for material in one.materials} == set(Owner)
    assert any(one.situations for one in made)
    assert not all(one.situations for one in made)
    assert any(material.may_follow_days for one in made for material in one.materials)
    assert all(any(not material.options for material in one.materials) for one in made)
    assert all("虚构" in one.definition["legal_basis"] for one in made)


def test_every_made_up_matter_always_needs_a_form_and_a_certificate(
    full: list[Matter], chain: dict[str, Matter]
) -> None:
    for matter in full[len(chain) :]:
        form, certificate = matter.materials[:2]
        assert not form.options
        assert certificate.options
        assert form.is_needed(None)
        assert certificate.is_needed(None)


def test_every_matter_belongs_to_an_agency_that_can_be_registered(full: list[Matter]) -> None:
    agencies = district.agencies()
    codes = {one.code for one in agencies}
    assert {one.agency for one in full} == codes
    assert len(codes) == len({one.name for one in agencies}) == district.DEPARTMENTS
    assert all(check_credit_code(one.code) == one.code for one in agencies)
    assert all(one.division == "440114" for one in agencies)
    assert all(one.name.endswith(("（虚构）", "（演示）")) for one in agencies)


def test_the_chains_agencies_are_those_of_the_demonstration() -> None:
    known = [demo.MARKET, demo.REFORM, demo.PLANNING, demo.CONSTRUCTION]
    assert district.agencies()[:4] == known


@pytest.mark.parametrize(("departments", "matters"), [(4, 60), (24, 5), (60, 2000), (899, 1000)])
def test_other_sizes_fit_too(departments: int, matters: int, catalogue: Catalogue) -> None:
    made = parse_matters(to_json(district.generate(departments, matters)), catalogue)
    codes = [one.code for one in district.agencies(departments)]
    assert len(made) == matters
    assert len(set(codes)) == departments
    assert {one.agency for one in made} <= set(codes)
    assert len({one.name["zh"] for one in made if one.agency == codes[0]}) == sum(
        one.agency == codes[0] for one in made
    )


@pytest.mark.parametrize("departments", [0, 3, 900])
def test_a_district_has_the_chains_departments_and_not_endlessly_many(departments: int) -> None:
    with pytest.raises(ValueError, match=r"4 .* 899"):
        district.generate(departments)
