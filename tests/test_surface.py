"""The public surface: what is declared is what is there, and every error is accounted for."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import ecert
from ecert import errors
from ecert.errors import EcertError
from ecert.verification import REASONS
from ecert_api.problems import PROBLEMS

ROOT = Path(__file__).resolve().parent.parent
MODULES = {"config", "credential", "errors", "keys", "model", "registry", "verification"}
CLASSES = [
    one
    for _, one in inspect.getmembers(errors, inspect.isclass)
    if issubclass(one, EcertError) and one.__module__ == "ecert.errors"
]


def test_what_is_declared_is_what_is_loaded() -> None:
    """A public name stands in three lists: for checkers, for whoever loads it, and for readers."""
    assert ecert.__all__ == sorted(ecert.__all__)
    assert set(ecert._HOMES) == set(ecert.__all__)
    assert dir(ecert) == sorted([*ecert.__all__, "__version__"])
    tree = ast.parse(Path(ecert.__file__).read_text("utf-8"))
    (typing,) = (node for node in tree.body if isinstance(node, ast.If))
    declared = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in typing.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared == ecert._HOMES
    with pytest.raises(AttributeError):
        ecert.nothing_such  # noqa: B018 - asking for it is the test


@pytest.mark.parametrize("name", ecert.__all__)
def test_every_public_thing_has_a_docstring(name: str) -> None:
    assert inspect.getdoc(getattr(ecert, name))


def test_codes_are_unique() -> None:
    codes = [one.code for one in CLASSES]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.__name__)
def test_every_error_is_in_the_tree_the_problem_table_and_the_docs(one: type[EcertError]) -> None:
    assert errors.__doc__ is not None
    if one is not EcertError:
        assert re.search(rf"{one.__name__}\s+{one.code}\b", errors.__doc__)
    assert one in PROBLEMS
    reference = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
    assert f"`{one.code}`" in reference


def test_every_reason_of_a_verification_is_documented() -> None:
    reference = (ROOT / "docs" / "reference" / "reasons.md").read_text("utf-8")
    for code, (outcome, zh, en) in REASONS.items():
        assert f"| `{code}` | {outcome} | {zh} | {en} |" in reference


def singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def glossary() -> set[str]:
    """List the words of the glossary's tables, one by one."""
    page = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    cells = re.findall(r"^\|([^|]+)\|", page, re.MULTILINE)
    return {singular(word) for cell in cells for word in re.findall(r"[a-z]+", cell.lower())}


def nouns() -> dict[str, str]:
    """Give the last noun of every public class of the core; of ``…Row`` the one before."""
    found = {}
    for path in sorted((ROOT / "ecert").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                words = re.findall(r"[A-Z][a-z]+", node.name.removesuffix("Row"))
                found[node.name] = singular(words[-1].lower())
    refusals = {"ProofError", "TokenRefused", "TokenExpired"}  # of OAuth, outside the error tree
    return {
        name: noun
        for name, noun in found.items()
        if not hasattr(errors, name) and name not in refusals
    }


def test_every_noun_of_the_code_is_in_the_glossary() -> None:
    known = glossary()
    assert {name: noun for name, noun in nouns().items() if noun not in known} == {}
