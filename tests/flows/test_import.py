"""Bulk issue: restartable, with a report, and never twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ecert.cli import app
from ecert.cli._console import chosen
from ecert.ids import Identifier
from tests.conftest import PLANNING, WORKS, Maker

Drafts = Callable[..., dict[str, Any]]
CODE = PLANNING.code + "903"


@pytest.fixture
def run(
    make_registry: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    make_registry()
    monkeypatch.setenv("ECERT_STATE_DIR", str(tmp_path / "state"))

    def command(*words: str, code: int = 0) -> dict[str, Any]:
        result = CliRunner().invoke(app, ["--home", str(tmp_path / "home"), *words, "--json"])
        assert result.exit_code == code, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    return command


def write(path: Path, records: list[Any]) -> str:
    path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in records), "utf-8")
    return str(path)


def test_again_issues_only_what_is_new(run: Any, draft_of: Drafts, tmp_path: Path) -> None:
    one = draft_of(number="建字第440114201900001号", issued_on="2019-05-01")
    same = draft_of()
    file = write(tmp_path / "old.ndjson", [one, same, same])
    assert run("import", WORKS, file)["issued"] == 3
    again = write(tmp_path / "old.ndjson", [one, same, same, same, draft_of(project_code="x")])
    done = run("import", WORKS, again, code=1)
    assert (done["issued"], done["present"], done["rejected"]) == (1, 3, 1)
    (row,) = [json.loads(line) for line in Path(done["report"]).read_text("utf-8").splitlines()]
    assert (row["line"], row["code"]) == (5, "draft_does_not_fit")
    assert row["errors"][0]["pointer"] == "/project_code"
    assert chosen.home == tmp_path / "home"


def test_identifiers_may_be_brought_and_are_checked(
    run: Any, draft_of: Drafts, tmp_path: Path
) -> None:
    kept = str(Identifier(CODE, PLANNING.code, "GG440114201900001"))
    records = [
        {**draft_of(), "id": kept},
        {**draft_of(), "id": kept},
        {**draft_of(), "id": kept[:-1] + ("A" if kept[-1] != "A" else "B")},
        {**draft_of(), "id": str(Identifier(CODE, "11440114MA0000093B", "X1"))},
    ]
    done = run("import", WORKS, write(tmp_path / "ids.ndjson", records), code=1)
    assert (done["issued"], done["rejected"]) == (1, 3)
    lines = Path(done["report"]).read_text("utf-8").splitlines()
    codes = [json.loads(line)["code"] for line in lines]
    assert codes == ["already_exists", "identifier_invalid", "draft_does_not_fit"]
    assert run("show", kept)["id"] == kept


def test_a_broken_line_is_reported_and_the_rest_goes_in(
    run: Any, draft_of: Drafts, tmp_path: Path
) -> None:
    file = tmp_path / "broken.ndjson"
    good = json.dumps(draft_of(), ensure_ascii=False)
    file.write_text(f'{good}\n{{"a": NaN}}\n[1]\nnot json\n\n{good}\n', "utf-8")
    done = run("import", WORKS, str(file), code=1)
    assert (done["issued"], done["rejected"]) == (2, 3)
