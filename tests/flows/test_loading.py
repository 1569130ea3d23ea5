"""Only what is needed is loaded: whoever only verifies loads no database, and help loads nothing of ours.

Seconds differ between machines, so modules are counted; ``dev.py bench`` measures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecert.registry import Registry
from tests.conftest import CLERK, WORKS

Drafts = Callable[..., dict[str, Any]]
LOADED = """
import json, sys
sys.argv = ["ecert", *sys.argv[1:]]
from ecert.cli import main
try:
    main()
except SystemExit as left:
    code = left.code
print(json.dumps([code or 0, sorted(sys.modules)]))
"""
BARE = {"orjson", "rfc8785"}  # what ecert's own innermost modules need
# What typer itself loads: to read words, and to draw help.
TYPER = {
    "typer",
    "rich",
    "pygments",
    "shellingham",
    "annotated_doc",
    "attr",
    "markdown_it",
    "mdurl",
}
READS_WORDS = {
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_extensions",
    "typing_inspection",
}
VERIFIES = {"cryptography", "asn1crypto", "cbor2", "jsonschema_rs", "stdnum"}


def modules_of(*words: str, folder: Path) -> tuple[int, list[str]]:
    """Run the command line in a process of its own; give its exit code and what it had loaded."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    return code, modules


def foreign(modules: list[str]) -> set[str]:
    """Name the packages of others among modules."""
    tops = {name.partition(".")[0] for name in modules}
    known = {*sys.stdlib_module_names, "ecert", "__main__", "sitecustomize"}
    return {name for name in tops - known if not name.startswith("_")}


def test_importing_the_package_loads_nothing_else(tmp_path: Path) -> None:
    code = "import json, sys; import ecert; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    modules = json.loads(done.stdout)
    assert foreign(modules) == set()
    assert [name for name in modules if name.startswith("ecert")] == ["ecert"]


def test_help_loads_no_verb(tmp_path: Path) -> None:
    code, modules = modules_of("--help", folder=tmp_path)
    assert code == 0
    assert foreign(modules) <= BARE | TYPER
    ours = {name for name in modules if name.startswith("ecert.cli.")}
    assert ours == {"ecert.cli._console", "ecert.cli._verbs"}


@pytest.mark.parametrize("is_whole", [False, True], ids=["seal", "credential"])
def test_verifying_loads_no_database_and_draws_nothing(
    registry: Registry, draft_of: Drafts, tmp_path: Path, is_whole: bool
) -> None:
    issued = registry.certificates.issue(WORKS, draft_of(), by=CLERK)
    record = issued.record
    (tmp_path / "shown.txt").write_text(record.credential if is_whole else record.seal)
    (tmp_path / "trust.json").write_text(json.dumps(registry.trust().to_json()))
    code, modules = modules_of(
        *("verify", "shown.txt", "--trust", "trust.json", "--offline"), folder=tmp_path
    )
    assert code == 3, "offline, so no status: it could not be determined"
    assert foreign(modules) <= BARE | TYPER | READS_WORDS | VERIFIES
    assert len([name for name in modules if name.startswith("ecert")]) < 70
