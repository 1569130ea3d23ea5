"""Dossier statements that somebody changed, signed with another key, or laid beside other credentials."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ecert.config import Plan, Surroundings, init_registry
from ecert.errors import EcertError, InputError, SignatureError, TokenError
from ecert.formats.dossier import verify_dossier
from ecert.keys import Role
from ecert.registry import Registry
from tests.adversary.forge import (
    STATUS_SIGNING,
    Stolen,
    b64,
    join_jwt,
    make_authority,
    malleate_jwt,
    new_key,
    sign_jwt,
    trust_with,
)
from tests.adversary.reuse.world import A_CODE, B_CODE, CLERK, Json, World, b64url, un_b64url
from tests.conftest import CONSTRUCTION, PLANNING


@pytest.fixture
def shown(world: World) -> Json:
    return world.given()


@pytest.fixture
def stolen(registry: Registry) -> Stolen:
    return Stolen(registry)


def parts(token: str) -> tuple[Json, Json, bytes]:
    head, payload, signature = token.split(".")
    return json.loads(un_b64url(head)), json.loads(un_b64url(payload)), un_b64url(signature)


def credentials(shown: Json) -> list[str]:
    return [one["credential"] for one in shown["presentations"]]


def refuse(world: World, token: str, **members: Any) -> None:
    with pytest.raises((SignatureError, InputError)) as caught:
        verify_dossier(token, members.pop("trust", world.registry.trust()), **members)
    assert A_CODE not in str(caught.value)


def test_the_genuine_statement_holds(world: World, shown: Json) -> None:
    found = verify_dossier(
        shown["statement"],
        world.registry.trust(),
        presentations=credentials(shown),
        holder=(un_b64url(shown["salt"]), A_CODE),
    )
    assert found.agency == CONSTRUCTION.code
    assert len(found.given) == 4


CHANGES: dict[str, Callable[[Json], object]] = {
    "iss": lambda c: c.update(iss="https://evil.example"),
    "jti": lambda c: c.update(jti=c["jti"].replace(".1", ".2")),
    "iat": lambda c: c.update(iat=c["iat"] - 1),
    "agency": lambda c: c.update(agency=PLANNING.code),
    "client": lambda c: c.update(client="other"),
    "operator": lambda c: c.update(operator="张三"),
    "matter": lambda c: c["matter"].update(code="HD-ZJ-02"),
    "version": lambda c: c["matter"].update(version=2),
    "situation": lambda c: c.update(situation="civil-defence"),
    "case_number": lambda c: c.update(case_number="2"),
    "holder": lambda c: c.update(holder=b64url(b"\0" * 32)),
    "no holder": lambda c: c.update(holder=None),
    "project_code": lambda c: c.update(project_code="2602-440114-04-01-260318"),
    "materials": lambda c: c["materials"].update({"drawing-review": "met"}),
    "given: less": lambda c: c["given"].pop(),
    "given: more": lambda c: c["given"].append(c["given"][0]),
    "given: order": lambda c: c["given"].reverse(),
    "material": lambda c: c["given"][0].update(material="project-approval"),
    "certificate": lambda c: c["given"][0].update(certificate=c["given"][1]["certificate"]),
    "credential_digest": lambda c: c["given"][0].update(credential_digest=b64url(b"\0" * 32)),
    "presentation_digest": lambda c: c["given"][0].update(presentation_digest=b64url(b"\0" * 32)),
    "fields": lambda c: c["given"][0]["fields"].append("holders.code"),
    "basis": lambda c: c["given"][0]["basis"].update(legal_basis="x"),
    "a new member": lambda c: c.update(valid=True),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_member_that_was_changed(world: World, shown: Json, name: str) -> None:
    head, claims, signature = parts(shown["statement"])
    CHANGES[name](claims)
    refuse(world, join_jwt(head, claims, signature))


def test_every_member_is_among_them(shown: Json) -> None:
    _, claims, _ = parts(shown["statement"])
    touched = {"jti", "iat", "iss", "given", *CHANGES}
    assert claims.keys() <= touched
    assert claims["given"][0].keys() <= touched


@pytest.mark.parametrize("name", ["iat", "case_number", "given: more"])
def test_a_changed_one_signed_by_a_key_of_ones_own(world: World, shown: Json, name: str) -> None:
    head, claims, _ = parts(shown["statement"])
    CHANGES[name](claims)
    refuse(world, sign_jwt(head, claims, new_key()))


def test_signed_by_an_agencys_key(world: World, shown: Json, stolen: Stolen) -> None:
    _, claims, _ = parts(shown["statement"])
    header = stolen.header(Role.AGENCY, CONSTRUCTION.code, typ="ecert-dossier+jwt")
    refuse(world, sign_jwt(header, claims, stolen.key(Role.AGENCY, CONSTRUCTION.code)))


def test_signed_by_the_status_key(world: World, shown: Json, stolen: Stolen) -> None:
    _, claims, _ = parts(shown["statement"])
    header = stolen.header(Role.STATUS, typ="ecert-dossier+jwt")
    refuse(world, sign_jwt(header, claims, stolen.key(Role.STATUS)))


@pytest.mark.parametrize("role", [Role.STATUS, Role.AGENCY])
def test_signed_by_another_key_under_the_registrys_name(
    world: World, shown: Json, stolen: Stolen, role: Role
) -> None:
    head, claims, _ = parts(shown["statement"])
    agency = CONSTRUCTION.code if role is Role.AGENCY else None
    refuse(world, sign_jwt(head, claims, stolen.key(role, agency)))


def test_signed_by_the_token_key(world: World, shown: Json, stolen: Stolen) -> None:
    head, claims, _ = parts(shown["statement"])
    kid = world.registry.keys.ring.active(Role.TOKEN).kid
    head = {"typ": head["typ"], "kid": kid}
    refuse(world, sign_jwt(head, claims, stolen.key(Role.TOKEN)))


def test_signed_by_the_root(world: World, shown: Json, stolen: Stolen) -> None:
    _, claims, _ = parts(shown["statement"])
    header = stolen.header(Role.ROOT, typ="ecert-dossier+jwt")
    refuse(world, sign_jwt(header, claims, stolen.key(Role.ROOT)))


@pytest.mark.parametrize("usages", [None, (STATUS_SIGNING,)])
def test_signed_under_an_authority_of_ones_own(
    world: World, shown: Json, usages: tuple[Any, ...] | None
) -> None:
    _, claims, _ = parts(shown["statement"])
    key, leaf = make_authority().leaf(ekus=usages)
    header = {"typ": "ecert-dossier+jwt", "x5c": [b64(leaf)]}
    refuse(world, sign_jwt(header, claims, key))


@pytest.mark.parametrize("typ", ["JWT", "ecert-statement+jwt", "ecert-changes+jwt", "at+jwt"])
def test_another_kind_of_token(world: World, shown: Json, stolen: Stolen, typ: str) -> None:
    head, claims, _ = parts(shown["statement"])
    refuse(world, sign_jwt({**head, "typ": typ}, claims, stolen.key(Role.REGISTRY)))


@pytest.mark.parametrize("alg", ["none", "HS256", "ES384", ""])
def test_another_algorithm(world: World, shown: Json, alg: str) -> None:
    head, claims, signature = parts(shown["statement"])
    refuse(world, join_jwt({**head, "alg": alg}, claims, signature))


def test_no_chain(world: World, shown: Json, stolen: Stolen) -> None:
    head, claims, _ = parts(shown["statement"])
    refuse(world, sign_jwt({"typ": head["typ"]}, claims, stolen.key(Role.REGISTRY)))


def test_a_refusal_is_one_of_those_that_are_promised(
    world: World, shown: Json, stolen: Stolen
) -> None:
    """``verify_dossier`` promises TokenError and SignatureError, and its callers catch those."""
    head, claims, _ = parts(shown["statement"])
    bare = sign_jwt({"typ": head["typ"]}, claims, stolen.key(Role.REGISTRY))
    with pytest.raises((SignatureError, TokenError)):
        verify_dossier(bare, world.registry.trust())


def test_without_a_signature(world: World, shown: Json) -> None:
    refuse(world, shown["statement"].rpartition(".")[0] + ".")


def test_a_twin_of_the_signature_changes_nothing(world: World, shown: Json) -> None:
    """Anybody can make it (ES256); what it says is the same, so it may hold."""
    found = verify_dossier(malleate_jwt(shown["statement"]), world.registry.trust())
    assert found == verify_dossier(shown["statement"], world.registry.trust())


# -- presentations -----------------------------------------------------------------------------------------

HANDED: dict[str, Callable[[list[str]], list[str]]] = {
    "one removed": lambda all_: all_[1:],
    "one added twice": lambda all_: [*all_, all_[0]],
    "one in the place of another": lambda all_: [all_[0], all_[0], *all_[2:]],
    "a disclosure removed": lambda all_: [without_last(all_[0]), *all_[1:]],
    "a disclosure twice": lambda all_: [twice_last(all_[0]), *all_[1:]],
    "only the issuer's token": lambda all_: [all_[0].split("~")[0] + "~", *all_[1:]],
    "one letter": lambda all_: [all_[0][:-2] + "~", *all_[1:]],
    "nothing said": lambda all_: ["", *all_[1:]],
}


def without_last(credential: str) -> str:
    *kept, _, tail = credential.split("~")
    return "~".join([*kept, tail])


def twice_last(credential: str) -> str:
    *kept, last, tail = credential.split("~")
    return "~".join([*kept, last, last, tail])


@pytest.mark.parametrize("name", HANDED)
def test_other_presentations(world: World, shown: Json, name: str) -> None:
    refuse(world, shown["statement"], presentations=HANDED[name](credentials(shown)))


def test_presentations_with_more_disclosed(world: World, shown: Json) -> None:
    whole = [world.records["business-licence"].credential, *credentials(shown)[1:]]
    refuse(world, shown["statement"], presentations=whole)


def test_presentations_of_another_dossier(world: World, shown: Json) -> None:
    other = world.given(case_number="2", fields={"business-licence": ["fields.kind"]})
    refuse(world, other["statement"], presentations=credentials(shown))


def test_presentations_that_are_not_ascii(world: World, shown: Json) -> None:
    with pytest.raises(EcertError):
        verify_dossier(
            shown["statement"],
            world.registry.trust(),
            presentations=["证照", *credentials(shown)[1:]],
        )


def test_all_presentations_removed(world: World, shown: Json) -> None:
    """A clerk who hands in an empty folder has not handed in what the statement lists."""
    assert verify_dossier(shown["statement"], world.registry.trust()).given
    refuse(world, shown["statement"], presentations=[])


@pytest.mark.parametrize("code", [B_CODE, "", A_CODE.lower()])
def test_another_holder(world: World, shown: Json, code: str) -> None:
    refuse(world, shown["statement"], holder=(un_b64url(shown["salt"]), code))


def test_another_salt(world: World, shown: Json) -> None:
    refuse(world, shown["statement"], holder=(b"\0" * 16, A_CODE))


def test_a_statement_that_names_no_holder_is_for_nobody(world: World) -> None:
    shown = world.given(holder_code=None, project_code="2602-440114-04-01-260318")
    refuse(world, shown["statement"], holder=(un_b64url(shown["salt"]), A_CODE))


# -- registries ------------------------------------------------------------------------------------------------


def test_another_registry_of_the_same_address(world: World, shown: Json, tmp_path: Path) -> None:
    around = Surroundings(clock=world.clock, state=tmp_path / "other-state")
    plan = Plan(world.registry.base, PLANNING, trial=True)
    other = init_registry(tmp_path / "other", plan, around=around)
    refuse(world, shown["statement"], trust=other.trust())
    _, claims, _ = parts(shown["statement"])
    theirs = Stolen(other)
    header = theirs.header(Role.REGISTRY, typ="ecert-dossier+jwt")
    forged = sign_jwt(header, claims, theirs.key(Role.REGISTRY))
    verify_dossier(forged, other.trust())  # there it holds
    refuse(world, forged)
    other.close()


def test_a_registry_that_nobody_trusts(world: World, shown: Json, stolen: Stolen) -> None:
    head, claims, _ = parts(shown["statement"])
    claims["iss"] = "https://evil.example"
    refuse(world, sign_jwt(head, claims, stolen.key(Role.REGISTRY)))


def test_a_key_that_was_compromised(world: World, shown: Json) -> None:
    kid = world.registry.keys.ring.active(Role.REGISTRY).kid
    world.clock.move(timedelta(hours=1))
    world.registry.keys.rotate(Role.REGISTRY, None, by=CLERK)
    world.registry.keys.compromise(kid, world.clock(), by=CLERK)
    refuse(world, shown["statement"])


def test_a_key_that_was_retired_signs_nothing_new(
    world: World, shown: Json, stolen: Stolen
) -> None:
    key = stolen.key(Role.REGISTRY)
    head, claims, _ = parts(shown["statement"])
    world.clock.move(timedelta(hours=1))
    world.registry.keys.rotate(Role.REGISTRY, None, by=CLERK)  # the old one is retired with it
    verify_dossier(shown["statement"], world.registry.trust())  # what it signed stays good
    claims["iat"] = int(world.clock().timestamp()) + 1
    refuse(world, sign_jwt(head, claims, key))


def test_a_trust_file_without_the_registrys_anchors(world: World, shown: Json) -> None:
    def drop(entry: Json) -> None:
        entry["status_anchors"] = []

    try:
        trust = trust_with(world.registry, change=drop)
    except EcertError:
        return  # such a file is refused before it can be used
    refuse(world, shown["statement"], trust=trust)


MALFORMED: dict[str, Callable[[Json], object]] = {
    "no jti": lambda c: c.pop("jti"),
    "a jti without a revision": lambda c: c.update(jti="x"),
    "a jti with a word": lambda c: c.update(jti="x.y"),
    "iat with a fraction": lambda c: c.update(iat=1.5),
    "iat as truth": lambda c: c.update(iat=True),
    "given is no list": lambda c: c.update(given={}),
    "given has a text": lambda c: c.update(given=["x"]),
    "no matter": lambda c: c.update(matter=None),
    "a version in words": lambda c: c["matter"].update(version="x"),
    "materials are no object": lambda c: c.update(materials=[1]),
    "a basis is no object": lambda c: c["given"][0].update(basis=[1]),
    "a hundred and one": lambda c: c.update(given=c["given"][:1] * 101),
    "an infinite iat": lambda c: c.update(iat=10**400),
    "a far iat": lambda c: c.update(iat=10**15),
    "a negative iat": lambda c: c.update(iat=-(10**15)),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_statement_is_refused_in_words(
    world: World, shown: Json, stolen: Stolen, name: str
) -> None:
    """Even one that the registry's own key signed: a reader must not fall over."""
    head, claims, _ = parts(shown["statement"])
    MALFORMED[name](claims)
    refuse(world, sign_jwt(head, claims, stolen.key(Role.REGISTRY)))
