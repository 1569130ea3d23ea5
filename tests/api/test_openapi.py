"""The interface's own description, held against the running service by Schemathesis."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import BaseSchema

from tests.api.conftest import Portal
from tests.conftest import PLANNING

EXAMPLES = 25
CONFIG: dict[str, Any] = {"generation": {"max-examples": EXAMPLES, "deterministic": True}}
# What a schema cannot say decides here whether good-looking data are accepted:
DECIDED_ELSEWHERE = {
    "POST /v1/certificates": "the draft fits its type, with check digits, and the number is free",
    "POST /v1/certificates/{identifier}/operations": "the certificate is there and its status allows it",
    "POST /verify": "the date in `at` exists",
    "POST /oauth/token": "the assertion was signed by a client's key, for now, once",
}


@pytest.fixture(scope="module")
def described(portal: Portal) -> BaseSchema:
    """Read the description from the running service."""
    config = SchemathesisConfig.from_dict(CONFIG)
    return schemathesis.openapi.from_url(f"{portal.base}/openapi.json", config=config)


@pytest.fixture(scope="module")
def token(portal: Portal) -> str:
    """A token with every scope that there is."""
    scopes = ["certificates:issue", "certificates:operate", "certificates:read", "audit:read"]
    return portal.token(portal.enrol(PLANNING.code, scopes))


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
def test_the_service_does_what_its_description_says(case: schemathesis.Case, token: str) -> None:
    excluded = []
    if case.operation.label in DECIDED_ELSEWHERE:
        excluded = CHECKS.get_by_names(["positive_data_acceptance"])
    headers = {"Authorization": f"Bearer {token}"}
    case.call_and_validate(headers=headers, excluded_checks=excluded, timeout=30)
