"""Statements: signed acts that read back as they were made, and nothing else reads as one."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecert._encoding import LAST_SECOND, b64url
from ecert.errors import TokenError
from ecert.formats._jws import CREDENTIAL, STATEMENT, sign_jws, verify_jws
from ecert.formats.statement import EVENTS, Statement, parse_statement, sign_statement
from ecert.keys import make_signer
from ecert.model import Basis, Operation, Status

SIGNER = make_signer()
ISSUER = "https://zz.example.cn/agencies/11440114MA00000928"
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
    "iat": 1772415000,
    "operation": "withdraw",
    "status": "withdrawn",
    "reason": "申请材料虚假",
    "basis": "穗规划资源撤〔2026〕1号",
    "operator": "赵六",
    "credential_digest": b64url(bytes(32)),
}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
statements = st.builds(
    Statement,
    subject=texts,
    operation=st.sampled_from(Operation),
    status=st.sampled_from(Status),
    at=st.integers(0, LAST_SECOND),
    basis=st.builds(Basis, texts, texts, texts),
    credential_digest=texts,
    successor=st.none() | texts,
)


@given(statements)
def test_a_statement_round_trips(statement: Statement) -> None:
    token = sign_statement(statement, SIGNER, issuer=ISSUER, chain=(b"leaf",))
    jws, issuer, read = parse_statement(token)
    verify_jws(jws, SIGNER.public_key)
    assert (issuer, read, jws.header.chain) == (ISSUER, statement, (b"leaf",))


def test_pyjwt_reads_a_statement() -> None:
    statement = Statement(
        subject=CLAIMS["sub"],
        operation=Operation.WITHDRAW,
        status=Status.WITHDRAWN,
        at=CLAIMS["iat"],
        basis=Basis(CLAIMS["reason"], CLAIMS["basis"], CLAIMS["operator"]),
        credential_digest=CLAIMS["credential_digest"],
    )
    token = sign_statement(statement, SIGNER, issuer=ISSUER, chain=())
    options: Any = {"verify_iat": False}
    assert jwt.decode(token, SIGNER.public_key, algorithms=["ES256"], options=options) == CLAIMS
    assert jwt.get_unverified_header(token)["typ"] == "ecert-statement+jwt"


def token_of(claims: dict[str, Any], typ: str = STATEMENT) -> str:
    return sign_jws(json.dumps(claims).encode(), SIGNER, typ=typ)


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("value", [None, 1.5, [], {}, True, ["x"]], ids=str)
def test_a_claim_that_is_missing_or_of_the_wrong_kind_is_refused(name: str, value: Any) -> None:
    parse_statement(token_of(CLAIMS))
    with pytest.raises(TokenError):
        parse_statement(token_of({**CLAIMS, name: value}))
    with pytest.raises(TokenError):
        parse_statement(token_of({key: one for key, one in CLAIMS.items() if key != name}))


@pytest.mark.parametrize(
    "change",
    [
        {"operation": "destroy"},
        {"operation": "WITHDRAW"},
        {"status": "gone"},
        {"successor": 1},
        {"successor": []},
        {"iat": "1772415000"},
        {"iat": 1772415000.0},
    ],
    ids=str,
)
def test_a_statement_with_an_unknown_value_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(TokenError):
        parse_statement(token_of({**CLAIMS, **change}))


@pytest.mark.parametrize("typ", [CREDENTIAL, "JWT", "statuslist+jwt", "at+jwt"])
def test_another_kind_of_token_is_no_statement(typ: str) -> None:
    with pytest.raises(TokenError):
        parse_statement(token_of(CLAIMS, typ))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "~"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(TokenError):
        parse_statement(token)


def test_every_operation_has_its_event_in_the_log() -> None:
    assert EVENTS.keys() == set(Operation)
    successions = {Operation.CHANGE, Operation.RENEW, Operation.REPLACE}
    assert {EVENTS[operation] for operation in successions} == {"supersede"}
    others = {operation: EVENTS[operation] for operation in set(Operation) - successions}
    assert others == {operation: operation.value for operation in others}
