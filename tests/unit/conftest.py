"""One registry on a host of 18 characters, with the eight examples issued in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from cryptography import x509

from ecert.config import Plan
from ecert.keys import PublicKey, Role, Trust, suite_of
from ecert.model import Record
from ecert.registry import Registry
from ecert.testing import OPERATOR, temporary_registry
from tests.conftest import PLANNING

HOST = "zz.hd.guangzhou.cn"
BASE = f"https://{HOST}"


@dataclass(frozen=True)
class Examples:
    """What the registry issued, and what is needed to check it from outside."""

    registry: Registry
    trust: Trust
    records: Mapping[str, Record]
    leaf: bytes
    key: PublicKey


@pytest.fixture(scope="session")
def examples() -> Iterator[Examples]:
    assert len(HOST) == 18
    with temporary_registry(Plan(BASE, PLANNING, trial=True)) as registry:
        records = {}
        for kind in registry.catalogue:
            draft = dict(kind.example)
            records[kind.slug] = registry.certificates.issue(kind.slug, draft, by=OPERATOR).record
        registry.log.publish()
        leaf = registry.keys.ring.signing_key(Role.AGENCY, PLANNING.code).chain[0]
        key = x509.load_der_x509_certificate(leaf).public_key()
        suite_of(key)
        yield Examples(registry, registry.trust(), records, leaf, key)  # type: ignore[arg-type]
