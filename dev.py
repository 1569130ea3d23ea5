"""Set up ``.venv`` from the lock file once, then run one task inside it.

    python3 dev.py demo | test | lint | serve | bench | fuzz | lock

Needs only Python 3.11 with pip: no uv, no make, no ensurepip.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LOCK = ROOT / "requirements.lock"
VENV = ROOT / os.environ.get("ECERT_VENV", ".venv")  # CI keeps one for each Python
PYTHON = str(VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
EVERYTHING = "--all-extras --group dev --universal --python-version 3.11 --no-annotate"
WORKERS = (os.cpu_count() or 1) + 2  # tests wait for browsers, databases and processes of their own
TASKS = {
    "demo": ["ecert demo"],
    "serve": ["ecert serve"],
    "bench": ["tests.bench"],
    "test": [f"pytest -n {WORKERS} --dist loadfile --durations=10"],
    "fuzz": ["pytest -n auto tests/api/test_openapi.py"],
    "lint": ["ruff check .", "ruff format --check .", "mypy"],
    "lock": [f"uv pip compile pyproject.toml {EVERYTHING} --generate-hashes -qo requirements.lock"],
}


def set_up() -> None:
    """Build ``.venv``, unless it already holds exactly what the lock file says."""
    wanted = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = VENV / "installed"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print("Setting up .venv (once; about a minute)…", file=sys.stderr)
    has_pip = importlib.util.find_spec("pip") is not None
    venv.create(VENV, clear=True, with_pip=not has_pip)
    pip = [sys.executable if has_pip else PYTHON, "-m", "pip", "--python", PYTHON, "install", "-q"]
    subprocess.run([*pip, "--require-hashes", "-r", LOCK], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", ROOT], check=True)
    stamp.write_text(wanted)


def main() -> int:
    """Run the task named on the command line; extra words go to its last step."""
    if sys.version_info < (3, 11):
        sys.exit("ecert needs Python 3.11 or newer; this is " + sys.version.split()[0])
    name, *extra = sys.argv[1:] or ["help"]
    if name not in TASKS:
        sys.exit(__doc__)
    if name == "fuzz":  # the same tests as in the suite, with many more tries
        os.environ.setdefault("ECERT_EXAMPLES", "400")
    set_up()
    *steps, last = ([PYTHON, "-m", *step.split()] for step in TASKS[name])
    return max(subprocess.call(step, cwd=ROOT) for step in [*steps, [*last, *extra]])


if __name__ == "__main__":
    raise SystemExit(main())
