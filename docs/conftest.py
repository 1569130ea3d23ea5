"""Run every Python block and every ``$`` transcript of the documentation, in a fresh folder a page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from tests.flows.command import quick_command


class TranscriptParser(CodeBlockParser):
    """Run every ``$ command`` of a console block and compare what it prints; ``…`` stands for anything."""

    language = "console"

    def evaluate(self, example: Example) -> str | None:
        shown = example.parsed.strip()
        got = []
        for line in shown.splitlines():
            if line.startswith("$ "):
                got += [line, *_run(line[2:], example.namespace)]
        printed = "\n".join(got)
        if _pattern(shown).fullmatch(printed):
            return None
        return f"shown:\n{shown}\n\ngot:\n{printed}"


def _run(command: str, namespace: dict[str, Any]) -> list[str]:
    folder = namespace["folder"]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join(
            [quick_command(), str(Path(sys.executable).parent), os.environ["PATH"]]
        ),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout + (done.stderr if done.returncode else "")).splitlines()


def _pattern(shown: str) -> re.Pattern[str]:
    return re.compile(re.escape(shown).replace("…", ".*"), re.DOTALL)


def _set_up(namespace: dict[str, Any]) -> None:
    namespace["temporary"] = tempfile.TemporaryDirectory(prefix="ecert-docs-")
    namespace["folder"] = Path(namespace["temporary"].name)
    namespace["back"] = Path.cwd()
    os.chdir(namespace["folder"])
    namespace["state"] = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(namespace["folder"] / "state")  # for Python's blocks, too


def _tear_down(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["back"])
    del os.environ["XDG_STATE_HOME"]
    if namespace["state"] is not None:
        os.environ["XDG_STATE_HOME"] = namespace["state"]
    namespace["temporary"].cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), TranscriptParser()],
    patterns=["*.md"],
    setup=_set_up,
    teardown=_tear_down,
).pytest()
