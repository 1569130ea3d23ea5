"""The rooms of docs/explanation/architecture.md, enforced: layers, homes of libraries, no cycles."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ecert

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
PACKAGE = ROOT / "ecert"
FILES = sorted(PACKAGE.rglob("*.py"))
ONLY_IN = {  # each third-party library has one home in the core
    "alembic": {"store"},
    "asn1crypto": {"keys", "pdf"},
    "cbor2": {"formats"},
    "fontTools": {"fonts"},
    "httpx": {"client", "demo"},
    "jinja2": {"pictures"},
    "jwt": {"formats"},
    "PIL": {"formats"},
    "pikepdf": {"pdf"},
    "pydantic": {"config"},
    "pydantic_settings": {"config"},
    "pyhanko": {"pdf"},
    "pyhanko_certvalidator": {"pdf"},
    "pypdfium2": {"pdf"},
    "qrcode": {"formats"},
    "rich": {"cli", "demo"},
    "sqlalchemy": {"store"},
    "stdnum": {"ids"},
    "typer": {"cli"},
    "typst": {"pdf"},
    "uvicorn": {"demo"},
    "zxingcpp": {"formats"},
    "fastapi": set[str](),
    "starlette": set[str](),
}
SERVICE = sorted((ROOT / "api" / "ecert_api").rglob("*.py"))
SERVICE_SEES = {"registry", "errors", "model", "verification", "config", "pictures"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LAZY = {("demo", "ecert_api"), ("cli", "ecert_api"), ("cli", "ecert.demo")}


def layers() -> dict[str, int]:
    """Read the table of layers from the documentation: it is the one place where it stands."""
    found: dict[str, int] = {}
    layer = -1
    for line in PAGE.read_text("utf-8").splitlines():
        row = re.match(r"\|\s*(\d*)\s*\|\s*((?:`[\w/_]+`\s*)+)\|", line)
        if row:
            layer = int(row[1]) if row[1] else layer
            found |= dict.fromkeys(re.findall(r"`(\w+)/?`", row[2]), layer)
    return found


def home_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_has_its_place_in_the_table() -> None:
    homes = {home_of(path) for path in FILES} - {"__init__"}
    assert homes == set(layers())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_from_its_layer_or_below(path: Path) -> None:
    level, home = layers(), home_of(path)
    for name in imports(path):
        top, _, rest = name.partition(".")
        part = rest.partition(".")[0]
        if top == "ecert" and home != "__init__" and part in level and part != home:
            assert level[part] <= level[home], f"{home} may not import {name}"
        assert home in ONLY_IN.get(top, {home}), f"{name} belongs to {ONLY_IN[top]}"
        if top == "ecert_api":
            assert (home, top) in LAZY, f"{home} may not import {name}"


def test_every_home_that_the_page_names_is_there() -> None:
    """Whoever looks for a rule opens one file: the page names it, so it must exist."""
    _, _, rest = PAGE.read_text("utf-8").partition("## Where things are decided")
    named = re.findall(r"`([\w/]+\.py)`", rest.partition("\n## ")[0])
    assert len(named) > 40
    for name in named:
        assert any(
            (root / name).is_file() for root in (PACKAGE, ROOT / "api", PACKAGE / "verification")
        ), name


def test_signatures_and_keys_of_cryptography_live_in_keys() -> None:
    homes = {
        home_of(path)
        for path in FILES
        for name in imports(path)
        if name.startswith("cryptography.") and "serialization" not in name
    }
    assert homes <= {"keys", "formats", "registry"}, (
        "formats: a note's Ed25519 keys by bytes; registry: PEM chains"
    )


@pytest.mark.parametrize("path", SERVICE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_service_sees_the_registry_and_no_room_behind_it(path: Path) -> None:
    rooms = {name.split(".")[1] for name in imports(path) if name.startswith("ecert.")}
    assert rooms <= SERVICE_SEES | set(ecert.__all__) | {"__version__"}


def reads(path: Path, attribute: str) -> bool:
    """Tell whether a module reads an attribute of that name."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == attribute
        and isinstance(node.ctx, ast.Load)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
    )


def test_only_access_looks_at_an_actors_scopes() -> None:
    """What a client's row allows is ``allowed``; only columns and bodies are called scopes too."""
    readers = {str(path.relative_to(ROOT)) for path in [*FILES, *SERVICE] if reads(path, "scopes")}
    columns_and_bodies = {
        "ecert/store/clients.py",
        "ecert/store/migrations/versions/0008_receptions.py",
        "api/ecert_api/routes/administration.py",
    }
    assert readers - columns_and_bodies == {"ecert/ledger/access.py"}


def calls(path: Path, name: str) -> Iterator[ast.Call]:
    """List the calls of a function in a module, under its name or as a module's member."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and name in (
            getattr(node.func, "id", None),
            getattr(node.func, "attr", None),
        ):
            yield node


def test_only_the_trail_writes_audit_rows() -> None:
    writers = {
        (str(path.relative_to(PACKAGE)), ast.unparse(call.args[1]))
        for path in FILES
        for call in calls(path, "add_leaves")
    }
    log = {("ledger/log.py", "tree"), ("ledger/log.py", "LOG")}
    assert writers == {*log, ("ledger/trail.py", "TRAIL")}
    inserting = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        for call in calls(path, "insert")
        if "audit" in ast.unparse(call)
    }
    assert inserting == set(), "store/trees inserts for either tree"


def test_only_the_trail_counts_quotas() -> None:
    counting = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        for call in calls(path, "use")
        if ast.unparse(call.func) == "quotas.use"
    }
    assert counting == {"ledger/trail.py"}


MOST_LINES, MOST_METHODS, MOST_PARAMETERS = 400, 20, 6
DATA = ("store/tables.py", "store/migrations/")  # columns, and what wrote them once


@pytest.mark.parametrize("path", [*FILES, *SERVICE], ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_classes_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")
    if not any(part in str(path) for part in DATA):
        assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            methods = [one for one in node.body if isinstance(one, FUNCTIONS)]
            assert len(methods) <= MOST_METHODS, node.name
            for one in methods:
                parameters = len(one.args.args) + len(one.args.kwonlyargs) - 1
                assert one.name != "__init__" or parameters <= MOST_PARAMETERS, node.name


def test_no_class_noun_means_two_things() -> None:
    """A private noun counts too: ``_Draft`` beside ``Draft`` would be a second meaning of one word."""
    homes: dict[str, list[str]] = {}
    for path in [*FILES, *SERVICE]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name.strip("_"), []).append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_there_are_no_import_cycles() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        parts = {name.split(".")[1] for name in imports(path) if name.startswith("ecert.")}
        graph.setdefault(home_of(path), set()).update(parts - {home_of(path)})
    while graph:
        ready = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert ready, f"cycle among {sorted(graph)}"
        for name in ready:
            del graph[name]


def test_verification_needs_no_database() -> None:
    """Import the public verifier in a process of its own and look at what came along."""
    import subprocess
    import sys

    code = "import sys; import ecert.verification; print('sqlalchemy' in sys.modules)"
    code = f"import importlib.machinery, types; {_BARE}; {code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


_BARE = (  # the package without its __init__, which opens the whole facade
    "import sys; m = types.ModuleType('ecert'); "
    f"m.__path__ = [{str(PACKAGE)!r}]; sys.modules['ecert'] = m"
)
