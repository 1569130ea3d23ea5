"""How long it takes when a certificate falls that many others rest on, beside one raw signature."""

from __future__ import annotations

import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ecert.model import Actor, Basis, Operation
from ecert.registry import Issued, IssueRequest, Registry
from ecert.testing import temporary_registry
from tests.bench.library import rate

BY = Actor("bench")
WHY = Basis("bench", "bench", "bench")
BELOW, ABOVE = "land-use-planning-permit", "construction-works-planning-permit"
MOST = 50_000  # raw ES256 signatures, for a fall with 1,000 dependents
BATCH = 128


def measure(say: Callable[[str], None]) -> dict[str, float]:
    """Measure falls with 1,000 and with 10,000 dependents, and give the ratios."""
    key, digest = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    one_signature = 1 / rate(lambda: key.sign(b"x" * 1000, digest), 2000)
    took = {}
    for count in (1_000, 10_000):
        with temporary_registry() as registry:
            took[count] = _fall(registry, count)
        say(
            f"a fall with {count:6,} dependents  {took[count] * 1000:10.0f} ms  "
            f"as long as {took[count] / one_signature:,.0f} raw signatures"
        )
    return {
        "limit of a fall with 1,000 dependents / what it took": MOST * one_signature / took[1_000],
        "a fall with 10,000 dependents / one with 1,000": took[10_000] / took[1_000],
    }


def _fall(registry: Registry, count: int) -> float:
    """Let many rest on one, and give the seconds that its withdrawal takes."""
    example = dict(registry.catalogue.newest(BELOW).example)
    below = registry.certificates.issue(BELOW, example, by=BY).record
    draft = {**registry.catalogue.newest(ABOVE).example, "rests_on": [below.id]}
    requests = [IssueRequest(ABOVE, draft, BY)] * BATCH
    for start in range(0, count, BATCH):
        for one in registry.certificates.issue_many(requests[: min(BATCH, count - start)]):
            assert isinstance(one, Issued), one
    start_at = time.perf_counter()
    registry.certificates.operate(below.id, Operation.WITHDRAW, basis=WHY, by=BY)
    return time.perf_counter() - start_at
