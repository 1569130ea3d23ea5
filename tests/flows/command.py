"""The command line in real processes that start quickly: forked from one that has loaded it.

Each command is a process of its own, with its folder, its environment, its three streams and its exit
code; only the imports were done before. What is about starting (tests/flows/test_loading.py), about
signals and about serving starts Python itself.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.conftest import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
MAX_REQUEST = 1 << 20
Done = subprocess.CompletedProcess[str]


def run(
    words: Sequence[str], *, folder: Path, environment: Mapping[str, str], given: str | None = None
) -> Done:
    """Run one command to its end, and give what it said and its exit code."""
    asked = {"words": list(words), "folder": str(folder), "environment": dict(environment)}
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
        socket.socket(socket.AF_UNIX) as connection,
    ):
        stdin.write((given or "").encode())
        stdin.seek(0)
        connection.settimeout(PATIENCE)
        connection.connect(_address())
        streams = [one.fileno() for one in (stdin, stdout, stderr)]
        socket.send_fds(connection, [json.dumps(asked).encode()], streams)
        connection.shutdown(socket.SHUT_WR)
        code = int(connection.recv(16))
        said = []
        for stream in (stdout, stderr):
            stream.seek(0)
            said.append(stream.read().decode())
    return subprocess.CompletedProcess(list(words), code, *said)


_SHIM = """#!{python} -ISE
import json, os, socket, sys

words = sys.argv[1:]
if "serve" in words or "--version" in words:  # what runs long, and what is about starting
    os.execv({ecert!r}, ["ecert", *words])
asked = {{"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}}
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect({address!r})
    socket.send_fds(connection, [json.dumps(asked).encode()], [0, 1, 2])
    connection.shutdown(socket.SHUT_WR)
    sys.exit(int(connection.recv(16)))
"""


@functools.cache
def quick_command() -> str:
    """Give a folder with a program ``ecert`` for shells: it runs its words as ``run`` does."""
    address = _address()
    program = Path(address).parent / "ecert"
    own = str(Path(sys.executable).parent / "ecert")
    program.write_text(_SHIM.format(python=sys.executable, ecert=own, address=address))
    program.chmod(0o755)
    return str(program.parent)


@functools.cache
def _address() -> str:
    """Start the process that the others are forked from; it ends with this one."""
    place = tempfile.TemporaryDirectory(prefix="ecert-command-")
    address = f"{place.name}/socket"
    command = [sys.executable, "-m", "tests.flows.command", address]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n", "the command server did not start"

    def end() -> None:
        server.kill()
        server.wait()
        place.cleanup()

    atexit.register(end)
    return address


def _serve(address: str) -> None:
    """Load every verb and the types, then fork a process for each command that is asked for."""
    from ecert.cli._verbs import VERBS

    for module in {one for verb in VERBS.values() for one in verb.modules}:
        import_module(f"ecert.cli.{module}")
    for module in ("ecert.config", "ecert.pdf.render", "ecert.store", "typer.rich_utils"):
        import_module(module)
    import_module("ecert.catalogue").load_catalogue()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those who ended are not waited for
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(8)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(connection)
            connection.close()


def _answer(connection: socket.socket) -> None:
    """Run the command in a process of its own, and answer with its exit code."""
    data, streams, _, _ = socket.recv_fds(connection, MAX_REQUEST, 3)
    while more := connection.recv(MAX_REQUEST):
        data += more
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        connection.close()
        _become(json.loads(data), streams)
    _, state = os.waitpid(child, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(state)).encode())
    os._exit(0)


def _become(asked: Mapping[str, Any], streams: Sequence[int]) -> None:
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["ecert", *asked["words"]]
    os._exit(_run())


def _run() -> int:
    from ecert.cli._console import main

    code: Any = 0
    try:
        main()
    except SystemExit as left:
        code = left.code
    except BaseException:  # noqa: BLE001 - as the interpreter itself does
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    _serve(sys.argv[1])
