"""Print how fast ecert is, as ratios to limits measured in the same run on the same machine."""

from __future__ import annotations

import sys
import time

from tests.bench import documents, fall, http, library, reuse

AIMS = {
    "batch issue with seals / raw ES256 sign": 0.10,
    "batch issue with seals / sd-jwt package, issue alone": 1.0,
    "verify / raw ES256 verify": 0.45,
    "seal decoded and verified / raw ES256 verify": 0.5,
    "signed document / usual chain": 4.0,
    "audited fetch / bare Starlette JSON": 0.20,
    "audited fetch / usual build": 4.0,
    "limit of a fall with 1,000 dependents / what it took": 1.0,
    "limit of a checklist / its p99, 1 at a time": 1.0,
    "limit of a dossier / its p99, 1 at a time": 1.0,
}


def main() -> int:
    """Run everything, or only what is named: ``library``, ``fall``, ``documents``, ``http``, ``reuse``."""
    wanted = set(sys.argv[1:]) or {"library", "fall", "documents", "http", "reuse"}
    results: dict[str, float] = {}
    start = time.perf_counter()
    if "library" in wanted:
        results |= library.measure(say)
    if "fall" in wanted:
        results |= fall.measure(say)
    if "documents" in wanted:
        results |= documents.measure(say)
    if "http" in wanted:
        results |= http.measure(say)
    if "reuse" in wanted:
        results |= reuse.measure(say)
    say("")
    for name, value in results.items():
        aim = AIMS.get(name)
        mark = "" if aim is None else f"   aim ≥ {aim:g}: {'met' if value >= aim else 'NOT met'}"
        say(f"{name:58} {value:8.3f}{mark}")
    say(f"\n{time.perf_counter() - start:.0f} s, Python {sys.version.split()[0]}")
    return 0


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 - it is what a bench does


if __name__ == "__main__":
    raise SystemExit(main())
