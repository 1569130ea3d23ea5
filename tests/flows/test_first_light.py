from ecert.registry import Registry
from tests.conftest import CLERK, WORKS


def test_issue_and_verify(any_registry: Registry, draft_of) -> None:  # type: ignore[no-untyped-def]
    issued = any_registry.issue(WORKS, draft_of(), by=CLERK)
    assert any_registry.verify(issued.record.credential).verdict == "valid"
