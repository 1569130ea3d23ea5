"""Permit → QR → page → signed file: ours against the usual chain, in one run on one machine."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

from ecert.keys import Role
from ecert.pdf.parts import Parts
from ecert.pdf.render import render
from ecert.pdf.sign import sign
from ecert.registry import Registry
from ecert.testing import OPERATOR, temporary_registry
from tests.bench.usual_chain import UsualChain

TYPE = "construction-works-planning-permit"
ROUNDS = 5
SIGNATURE = "signing by pyHanko alone"


def measure(say: Callable[[str], None]) -> dict[str, float]:
    """Measure documents, and give the ratios."""
    with temporary_registry() as registry:
        parts, kind = _parts(registry)
        usual = UsualChain(registry, parts, kind)
        key = registry.keys.ring.signing_key(Role.AGENCY, registry.agencies.get(None).code)

        def ours() -> bytes:
            return sign(render(parts, kind), key, name="示例局", at=registry.clock())

        page, document = render(parts, kind), ours()
        per_page = _seconds(lambda: render(parts, kind), 20)
        per_file = _seconds(ours, 20)
        per_usual = _usual(usual, say)
        per_check = _seconds(lambda: registry.verify(document), 20)
    say(f"page with record inside       {1000 * per_page:10.1f} ms   {len(page)} bytes")
    say(f"permit → QR → page → signed   {1000 * per_file:10.1f} ms   {len(document)} bytes")
    say(f"the usual chain               {1000 * per_usual:10.1f} ms   WeasyPrint, qrcode, pyHanko")
    say(
        f"verify a document             {1000 * per_check:10.1f} ms   page drawn again and compared"
    )
    return {"signed document / usual chain": per_usual / per_file}


def _usual(usual: UsualChain, say: Callable[[str], None]) -> float:
    try:
        return _seconds(usual.make, 3)
    except OSError:  # WeasyPrint draws with the system's Pango
        say("the usual chain was not measured: WeasyPrint needs Pango (libpango-1.0-0)")
        return float("nan")


def _parts(registry: Registry) -> tuple[Parts, Any]:
    kind = registry.catalogue.newest(TYPE)
    record = registry.certificates.issue(TYPE, dict(kind.example), by=OPERATOR).record
    receipt = str(registry.log.receipt(record.log_index))
    return Parts(record.credential, receipt, record.seal), kind


def _seconds(work: Callable[[], object], count: int) -> float:
    """Give how long one takes: the best of several rounds."""
    work()
    gc.collect()
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(count):
            work()
        best = min(best, (time.perf_counter() - start) / count)
    return best
