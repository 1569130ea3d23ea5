"""The library alone: issue and verify against the raw rate of the signature."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.issuer import SDJWTIssuer

from ecert.formats.seal import parse_seal, verify_seal
from ecert.keys import Role
from ecert.registry import IssueRequest
from ecert.testing import OPERATOR, temporary_registry
from ecert.verification import Verifier

TYPE = "land-use-planning-permit"
ROUNDS = 7
BATCH = 1000


def rate(work: Callable[[], Any], count: int) -> float:
    """Give how often a second something is done: the best of several rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(count):
            work()
        best = min(best, (time.perf_counter() - start) / count)
    return 1 / best


class _Fixed:
    """A status source that has its answer already, as a verifier's cache has."""

    def __init__(self, token: str) -> None:
        self._token = token

    def status_token(self, uri: str) -> str | None:
        return None if "/details/" in uri else self._token


def measure(say: Callable[[str], None]) -> dict[str, float]:
    """Measure issue and verify, and give the ratios."""
    key = ec.generate_private_key(ec.SECP256R1())
    message, digest = b"x" * 1000, ec.ECDSA(hashes.SHA256())
    signature, public = key.sign(message, digest), key.public_key()
    signing = rate(lambda: key.sign(message, digest), 2000)
    verifying = rate(lambda: public.verify(signature, message, digest), 1000)
    say(f"raw ES256 sign                {signing:10.0f}/s")
    say(f"raw ES256 verify              {verifying:10.0f}/s")
    with temporary_registry() as registry:
        example = dict(registry.catalogue.newest(TYPE).example)
        requests = [IssueRequest(TYPE, example, OPERATOR)] * BATCH
        registry.certificates.issue_many(requests)
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)  # as the service sets it
        batch = BATCH * rate(lambda: registry.certificates.issue_many(requests), 1)
        single = rate(lambda: registry.certificates.issue(TYPE, example, by=OPERATOR), 50)
        record = registry.certificates.issue(TYPE, example, by=OPERATOR).record
        say(
            f"issue in batches of {BATCH}      {batch:10.0f}/s   with seal, audit row and log entry"
        )
        say(f"issue one by one              {single:10.0f}/s   each durable by itself")
        package = _sd_jwt_package(record.body["fields"])
        say(f"sd-jwt package, issue alone   {package:10.0f}/s   no schema, no seal, no store")
        source = _Fixed(registry.status.token(record.status_list))
        verifier = Verifier(
            registry.trust(), status=source, catalogue=registry.catalogue, clock=registry.clock
        )
        verify = rate(lambda: verifier.verify(record.credential), 300)
        seal = rate(lambda: verifier.verify(record.seal), 300)
        agency_key = registry.keys.ring.signing_key(Role.AGENCY, record.issuer).signer.public_key
        decoded = rate(lambda: verify_seal(parse_seal(record.seal), agency_key), 300)
        say(
            f"verify a credential           {verify:10.0f}/s   all steps, schema and status included"
        )
        say(f"verify a seal                 {seal:10.0f}/s   all steps")
        say(f"decode and verify a seal      {decoded:10.0f}/s   base32, CBOR, COSE")
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)
    return {
        "batch issue with seals / raw ES256 sign": batch / signing,
        "single issue with seal / raw ES256 sign": single / signing,
        "batch issue with seals / sd-jwt package, issue alone": batch / package,
        "verify / raw ES256 verify": verify / verifying,
        "verify seal / raw ES256 verify": seal / verifying,
        "seal decoded and verified / raw ES256 verify": decoded / verifying,
    }


def _sd_jwt_package(fields: dict[str, Any]) -> float:
    key = JWK.generate(kty="EC", crv="P-256")
    claims = {SDObj(name): value for name, value in fields.items()}

    def issue() -> str:
        return str(SDJWTIssuer(dict(claims), key).sd_jwt_issuance)

    return rate(issue, 100)
