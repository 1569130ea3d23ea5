"""The command line as a person uses it: real processes, real files, real exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ecert import __version__
from ecert.cli._verbs import VERBS, load
from ecert.config import Surroundings, open_registry
from tests.conftest import claim
from tests.flows.command import run as run_ecert

DONE, REFUSED, USAGE, UNDETERMINED = 0, 1, 2, 3
ROOT = Path(__file__).resolve().parents[2]
PERMIT = "construction-permit"
Ecert = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ecert(tmp_path: Path) -> Ecert:
    """Run ``ecert`` in a folder of its own."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "ECERT_HOME": "home"}

    def run(*words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        return run_ecert(words, folder=tmp_path, environment=environment, given=given)

    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A trial home with one certificate, made once by the command line."""
    folder = tmp_path_factory.mktemp("made")
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "ECERT_HOME": "home"}

    def ecert(*words: str) -> subprocess.CompletedProcess[str]:
        return run_ecert(words, folder=folder, environment=environment)

    assert ecert("init").returncode == DONE
    shown = ecert("type", "show", PERMIT, "--example")
    (folder / "draft.json").write_text(shown.stdout, "utf-8")
    found: dict[str, Any] = document(ecert("issue", PERMIT, "draft.json", "--json"))
    return folder, found


@pytest.fixture
def issued(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> dict[str, Any]:
    """A trial home with one certificate: a copy of one's own."""
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    claim(tmp_path / "home", tmp_path / "state" / "ecert")
    return dict(made[1])


def document(done: subprocess.CompletedProcess[str]) -> Any:
    """Read the one JSON document on standard output."""
    assert done.returncode == DONE, done.stderr
    return json.loads(done.stdout)


def test_the_main_job(ecert: Ecert, issued: dict[str, Any], tmp_path: Path) -> None:
    identifier = issued["id"]
    assert {"credential", "seal", "id", "number", "log_index"} <= issued.keys()
    assert document(ecert("show", identifier, "--json"))["status"] == "valid"
    found = document(ecert("find", "--holder", "-", "--json", given="91440114MA00000151\n"))
    assert [one["id"] for one in found["items"]] == [identifier]
    assert ecert("qr", identifier, "-o", "code.png").returncode == DONE
    assert document(ecert("verify", "code.png", "--json"))["verdict"] == "valid"
    assert ecert("trust", "export", "-o", "trust.json").returncode == DONE
    assert ecert("evidence", identifier, "-o", "evidence.zip").returncode == DONE
    away = ecert("verify", "evidence.zip", "--offline", "--trust", "trust.json", "--json")
    assert document(away)["verdict"] == "valid"
    why = ("--reason", "违法", "--basis", "穗建罚〔2026〕1号")
    assert ecert("revoke", identifier, *why).returncode == DONE
    after = ecert("verify", "code.png", "--json")
    assert (after.returncode, json.loads(after.stdout)["status"]) == (REFUSED, "revoked")
    history = document(ecert("history", identifier, "--json"))
    assert [one["operation"] for one in history["items"]] == ["revoke"]
    before = issued["log_index"]  # of the entries of the register
    assert f"{before + 2} entries" in ecert("log", "check").stdout


def test_offline_without_status_could_not_be_determined(
    ecert: Ecert, issued: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "permit.sd-jwt").write_text(issued["credential"], "utf-8")
    done = ecert("verify", "permit.sd-jwt", "--offline", "--json")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (UNDETERMINED, "undetermined")


def test_another_moment(ecert: Ecert, issued: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "seal.txt").write_text(issued["seal"], "utf-8")
    before = json.loads(ecert("verify", "seal.txt", "--at", "2020-01-01", "--json").stdout)
    assert before["steps"][3]["code"] == "not_yet_valid"
    assert ecert("verify", "seal.txt", "--at", "yesterday").returncode == USAGE


def test_change_renew_replace(ecert: Ecert, issued: dict[str, Any]) -> None:
    why = ("--reason", "变更", "--basis", "批复")
    identifier = issued["id"]
    for version, verb in enumerate(("change", "renew", "replace"), start=2):
        shown = document(ecert(verb, identifier, "draft.json", *why, "--json"))
        assert (shown["supersedes"], shown["number"]) == (identifier, issued["number"])
        identifier = shown["id"]
        assert f".{version:03}." in identifier


def test_suspend_and_resume(ecert: Ecert, issued: dict[str, Any]) -> None:
    why = ("--reason", "停工", "--basis", "通知书", "--operator", "赵六")
    assert document(ecert("suspend", issued["id"], *why, "--json"))["status"] == "suspended"
    refused = ecert("suspend", issued["id"], *why, "--json")
    assert refused.returncode == REFUSED
    assert json.loads(refused.stdout)["code"] == "transition_refused"
    assert document(ecert("resume", issued["id"], *why, "--json"))["status"] == "valid"


def test_a_bad_draft_lists_everything_and_changes_nothing(
    ecert: Ecert, issued: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "bad.json").write_text('{"fields": {"surprise": 1}, "holders": []}', "utf-8")
    done = ecert("issue", PERMIT, "bad.json", "--json")
    assert done.returncode == REFUSED
    problem = json.loads(done.stdout)
    assert problem["code"] == "draft_does_not_fit"
    assert len(problem["errors"]) > 5
    assert {"pointer", "rule", "message"} == problem["errors"][0].keys()
    assert document(ecert("log", "info", "--json"))["size"] == issued["log_index"] + 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show",), USAGE),
        (("frobnicate",), USAGE),
        (("show", "nonsense"), REFUSED),
        (("issue", PERMIT, "missing.json"), USAGE),
        (("issue", "no-such-type", "draft.json"), REFUSED),
        (("issue", PERMIT, "draft.json", "--agency", "11440114MA0000093B"), REFUSED),
        (("init",), USAGE),
        (("init", "--url", "http://example.org"), USAGE),
        (("agency", "add", "11440114MA0000093X", "名", "--division", "440114"), REFUSED),
        (("agency", "add", "11440114MA0000093B", "名", "--division", "4401"), REFUSED),
        (("keys", "retire", "zzz"), REFUSED),
        (("type", "check", "nowhere"), REFUSED),
        (("verify", "missing.png"), USAGE),
        (("verify", "draft.json", "--trust", "draft.json"), UNDETERMINED),
        (("serve", "--host", "0.0.0.0"), USAGE),  # noqa: S104 - that is what is refused
    ],
)
def test_mistakes_get_a_clear_message_and_the_right_exit_code(
    ecert: Ecert, issued: dict[str, Any], words: Sequence[str], code: int
) -> None:
    done = ecert(*words)
    assert done.returncode == code, done.stderr
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_a_second_agency_must_be_named(ecert: Ecert, issued: dict[str, Any]) -> None:
    add = ("agency", "add", "11440114MA0000093B", "花都区住建局（演示）", "--division", "440114")
    assert ecert(*add, "--may-issue", PERMIT).returncode == DONE
    assert ecert("issue", PERMIT, "draft.json").returncode == REFUSED
    named = ecert("issue", PERMIT, "draft.json", "--agency", "11440114MA0000093B", "--json")
    assert document(named)["issuer"]["code"] == "11440114MA0000093B"
    assert len(document(ecert("agency", "list", "--json"))["items"]) == 2


def test_keys_rotate_and_what_was_signed_stays_good(
    ecert: Ecert, issued: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "seal.txt").write_text(issued["seal"], "utf-8")
    rotated = document(ecert("keys", "rotate", "--json"))
    assert not (tmp_path / "home" / "keys" / f"{rotated['retired']}.pk8").exists()
    assert ecert("verify", "seal.txt").returncode == DONE
    again = document(ecert("issue", PERMIT, "draft.json", "--json"))
    (tmp_path / "again.txt").write_text(again["seal"], "utf-8")
    assert ecert("verify", "again.txt").returncode == DONE


def test_an_agency_brings_its_own_certificate(
    ecert: Ecert, issued: dict[str, Any], tmp_path: Path
) -> None:
    from tests.flows.authority import certify

    code = "11440114MA0000093B"
    add = ("agency", "add", code, "花都区住建局（演示）", "--division", "440114")
    assert ecert(*add, "--may-issue", PERMIT, "--csr", "request.pem").returncode == DONE
    assert ecert("issue", PERMIT, "draft.json", "--agency", code).returncode == REFUSED
    chain = certify((tmp_path / "request.pem").read_bytes(), code)
    (tmp_path / "chain.pem").write_bytes(chain)
    new = ("keys", "new", "--agency", code, "--certificate", "chain.pem")
    assert ecert(*new).returncode == DONE
    named = document(ecert("issue", PERMIT, "draft.json", "--agency", code, "--json"))
    (tmp_path / "seal.txt").write_text(named["seal"], "utf-8")
    assert ecert("verify", "seal.txt").returncode == DONE


def test_every_verb_says_that_the_home_is_a_trial(ecert: Ecert, issued: dict[str, Any]) -> None:
    for words in (("agency", "list"), ("show", issued["id"]), ("log", "info"), ("keys", "list")):
        assert "trial" in ecert(*words).stderr


def test_a_passphrase_from_the_environment(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "ECERT_PASSPHRASE": "正确的口令",
    }
    command = [sys.executable, "-m", "ecert", "--home", str(tmp_path / "home")]
    made = subprocess.run([*command, "init"], env=environment, capture_output=True, check=False)
    assert made.returncode == DONE
    assert not (tmp_path / "home" / "passphrase").exists()
    listed = subprocess.run(
        [*command, "keys", "list"], env=environment, capture_output=True, check=False
    )
    assert listed.returncode == DONE
    wrong = subprocess.run(
        [*command, "keys", "list"],
        env={**environment, "ECERT_PASSPHRASE": "错误的口令"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == REFUSED
    assert "passphrase is wrong" in wrong.stderr
    assert "口令" not in wrong.stderr


def test_the_address_may_change_until_the_first_issue(ecert: Ecert, tmp_path: Path) -> None:
    assert ecert("init").returncode == DONE
    settings = tmp_path / "home" / "settings.toml"
    text = settings.read_text("utf-8")
    settings.write_text(text.replace("127.0.0.1:8000", "127.0.0.1:9000"), "utf-8")
    shown = ecert("type", "show", PERMIT, "--example")
    issued = document(ecert("issue", PERMIT, "-", "--json", given=shown.stdout))
    assert issued["seal"].startswith("HTTP://127.0.0.1:9000/V#")
    (tmp_path / "seal.txt").write_text(issued["seal"], "utf-8")
    assert ecert("verify", "seal.txt").returncode == DONE


@pytest.mark.parametrize("url", ["HTTPS://Foo.Example/path?x", "http://example.org", ""])
def test_an_address_that_is_none_is_never_signed(ecert: Ecert, tmp_path: Path, url: str) -> None:
    assert ecert("init").returncode == DONE
    settings = tmp_path / "home" / "settings.toml"
    text = settings.read_text("utf-8")
    settings.write_text(text.replace("http://127.0.0.1:8000", url), "utf-8")
    assert ecert("agency", "list").returncode == USAGE


def test_what_was_issued_is_shown_even_if_the_log_does_not_sign(
    ecert: Ecert, issued: dict[str, Any], tmp_path: Path
) -> None:
    settings = tmp_path / "home" / "settings.toml"
    settings.write_text(settings.read_text("utf-8") + 'mirrors = ["nowhere"]\n', "utf-8")
    done = ecert("issue", PERMIT, "draft.json", "--json")
    assert document(done)["id"] != issued["id"]
    assert "did not sign" in done.stderr


@pytest.mark.parametrize("role", ["log", "root"])
@pytest.mark.parametrize("since", [(), ("--compromised-since", "2026-01-01T00:00:00Z")])
def test_a_key_that_others_know_is_not_destroyed(
    ecert: Ecert, issued: dict[str, Any], role: str, since: Sequence[str]
) -> None:
    assert ecert("keys", "retire", "--role", role, *since).returncode == REFUSED
    assert ecert("issue", PERMIT, "draft.json").returncode == DONE


def test_a_retired_status_key_can_be_followed_by_another(
    ecert: Ecert, issued: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "seal.txt").write_text(issued["seal"], "utf-8")
    assert ecert("keys", "retire", "--role", "status").returncode == DONE
    assert ecert("verify", "seal.txt").returncode == UNDETERMINED
    assert ecert("keys", "rotate", "--role", "status").returncode == DONE
    assert ecert("verify", "seal.txt").returncode == DONE


def test_a_mark_upon_a_key_is_never_loosened(ecert: Ecert, issued: dict[str, Any]) -> None:
    keys = document(ecert("keys", "list", "--json"))["items"]
    kid = next(key["kid"] for key in keys if key["role"] == "agency")
    since = ("--compromised-since", "2026-01-01T00:00:00Z")
    assert ecert("keys", "retire", kid, *since).returncode == DONE
    assert ecert("keys", "retire", kid).returncode == REFUSED
    later = ("--compromised-since", "2026-06-01T00:00:00Z")
    assert ecert("keys", "retire", kid, *later).returncode == DONE
    trust = document(ecert("trust", "export"))
    (mark,) = trust["registries"][0]["compromised"]
    assert mark["since"] == "2026-01-01T00:00:00Z"
    future = ("--compromised-since", "2999-01-01T00:00:00Z")
    assert ecert("keys", "retire", kid, *future).returncode == REFUSED


def test_init_touches_nothing_beside_it(ecert: Ecert, tmp_path: Path) -> None:
    (tmp_path / "home.new").mkdir()
    (tmp_path / "home.new" / "file").write_text("precious", "utf-8")
    assert ecert("init").returncode == DONE
    assert (tmp_path / "home.new" / "file").read_text("utf-8") == "precious"
    assert (tmp_path / "home" / "settings.toml").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_a_database_that_is_gone_or_damaged_is_named(
    ecert: Ecert, issued: dict[str, Any], tmp_path: Path, damage: str
) -> None:
    database = tmp_path / "home" / "ecert.db"
    for path in (tmp_path / "home").glob("ecert.db-*"):
        path.unlink()
    if damage == "missing":
        database.unlink()
    else:
        database.write_bytes(b"no database at all" * 1000)
    done = ecert("agency", "list")
    assert done.returncode == USAGE
    assert "restore" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_type_folder_stops_only_its_type(
    ecert: Ecert, issued: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "home" / "types" / "broken" / "v1"
    folder.mkdir(parents=True)
    (folder / "type.json").write_text("{", "utf-8")
    done = ecert("show", issued["id"])
    assert done.returncode == DONE
    assert "broken" in done.stderr
    assert ecert("issue", "broken", "draft.json").returncode == REFUSED


def test_a_passphrase_that_protects_nothing_is_refused(
    ecert: Ecert, issued: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment = {**os.environ, "ECERT_HOME": "home", "ECERT_PASSPHRASE": "x"}
    done = subprocess.run(
        [sys.executable, "-m", "ecert", "keys", "list"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == REFUSED
    assert "made without one" in done.stderr


def verbs() -> list[list[str]]:
    """List every verb of the command line, groups opened."""
    found: list[list[str]] = []

    def walk(command: Any, path: list[str]) -> None:
        for name, child in sorted(getattr(command, "commands", {}).items()):
            walk(child, [*path, name])
        if not getattr(command, "commands", None):
            found.append(path)

    for name in sorted(VERBS):
        walk(load(name), [name])
    return found


@pytest.mark.parametrize("name", VERBS)
def test_help_says_of_a_verb_what_the_verb_says_of_itself(name: str) -> None:
    command = load(name)
    assert command.help is not None
    assert command.help.split("\n")[0] == VERBS[name].summary
    inside = command.commands.values() if hasattr(command, "commands") else [command]
    modules = {one.callback.__module__.rpartition(".")[2] for one in inside}
    assert modules == set(VERBS[name].modules)


def test_help_names_every_verb() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ecert", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TERM": "dumb", "COLUMNS": "200"},
    )
    for name, verb in VERBS.items():
        assert re.search(rf"\b{name}\s+{re.escape(verb.summary)}", done.stdout), name


def test_the_version_is_the_packages() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ecert", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"ecert {__version__}\n"


@pytest.mark.parametrize("verb", verbs(), ids=" ".join)
def test_every_verb_has_help_with_an_example_and_stands_in_the_reference(verb: list[str]) -> None:
    environment = {**os.environ, "TERM": "dumb", "COLUMNS": "200"}
    done = run_ecert([*verb, "--help"], folder=ROOT, environment=environment)
    assert done.returncode == DONE
    assert "Example" in done.stdout
    assert "--json" in done.stdout
    reference = (ROOT / "docs" / "reference" / "command-line.md").read_text("utf-8")
    assert re.search(rf"`ecert {' '.join(verb)}\b", reference)


def test_a_broken_settings_file_is_named(
    ecert: Ecert, issued: dict[str, Any], tmp_path: Path
) -> None:
    settings = tmp_path / "home" / "settings.toml"
    settings.write_text(settings.read_text("utf-8") + "colour = 'red'\n", "utf-8")
    done = ecert("agency", "list")
    assert done.returncode == USAGE
    assert "colour" in done.stderr


def test_the_address_is_fixed_after_the_first_issue(
    ecert: Ecert, issued: dict[str, Any], tmp_path: Path
) -> None:
    settings = tmp_path / "home" / "settings.toml"
    text = settings.read_text("utf-8")
    settings.write_text(text.replace("127.0.0.1:8000", "127.0.0.1:9000"), "utf-8")
    done = ecert("agency", "list", "--json")
    assert done.returncode == REFUSED
    assert json.loads(done.stdout)["code"] == "setting_fixed"


def test_a_type_is_handed_over_and_a_window_receives(ecert: Ecert, issued: dict[str, Any]) -> None:
    heir, window = "11440114MA0000094E", "11440114MA0000112M"
    for code, name in ((heir, "花都区自然资源局"), (window, "花都区政务服务中心")):
        assert ecert("agency", "add", code, name, "--division", "440114").returncode == DONE
    own, why = issued["issuer"]["code"], ("--basis", "穗编办6号")
    when = ("--to", heir, "--from", "2099-01-01")
    done = document(ecert("agency", "transfer", own, "--type", PERMIT, *when, *why, "--json"))
    assert [(one["type"], one["successor"]) for one in done["items"]] == [(PERMIT, heir)]
    again = ecert("agency", "transfer", own, "--type", PERMIT, *when, *why, "--json")
    assert (again.returncode, json.loads(again.stdout)["code"]) == (REFUSED, "input_invalid")
    acts = ("--acts", "receive,issue")
    row = document(ecert("reception", "add", window, "--for", heir, *acts, *why, "--json"))
    assert (row["agency"], row["principal"], row["acts"]) == (window, heir, ["receive", "issue"])
    assert document(ecert("reception", "list", "--json"))["items"] == [row]
    ended = document(ecert("reception", "end", row["id"], "--json"))
    assert ended["ended_at"] is not None
    assert ecert("reception", "end", "nonsense").returncode == REFUSED


def test_an_upgrade_waits_for_the_operators_word_on_the_register(
    ecert: Ecert, issued: dict[str, Any], tmp_path: Path
) -> None:
    """An older version had no register: nothing is issued until it is signed, and all else goes on."""
    with closing(sqlite3.connect(tmp_path / "home" / "ecert.db")) as database, database:
        database.execute("UPDATE competences SET register_index = NULL")
    refused = ecert("issue", PERMIT, "draft.json", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["code"]) == (
        REFUSED,
        "register_unsigned",
    )
    assert "ecert upgrade" in json.loads(refused.stdout)["detail"]
    assert document(ecert("show", issued["id"], "--json"))["status"] == "valid"
    signed = document(ecert("upgrade", "--json"))["items"]
    assert PERMIT in {one["type"] for one in signed}
    assert ecert("issue", PERMIT, "draft.json").returncode == DONE
    assert "everything is signed" in ecert("upgrade").stdout


def test_what_a_copied_home_issued_is_unknown_at_the_original(
    ecert: Ecert, issued: dict[str, Any], tmp_path: Path
) -> None:
    shutil.copytree(tmp_path / "home", tmp_path / "copied")
    claim(tmp_path / "copied", tmp_path / "other" / "ecert")
    elsewhere = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "other"), "ECERT_HOME": "copied"}
    words = ("issue", PERMIT, "draft.json", "--json")
    made = document(run_ecert(words, folder=tmp_path, environment=elsewhere))
    (tmp_path / "seal.txt").write_text(made["seal"], "utf-8")
    done = ecert("verify", "seal.txt")
    assert done.returncode == REFUSED
    assert "never issued it" in done.stdout
    report = json.loads(ecert("verify", "seal.txt", "--json").stdout)
    codes = {one["step"]: one["code"] for one in report["steps"]}
    assert (codes["signature"], codes["log"]) == ("signature_good", "unknown_here")
    (tmp_path / "own.txt").write_text(issued["seal"], "utf-8")
    assert ecert("verify", "own.txt").returncode == DONE


def test_the_trust_file_is_the_same_bytes_wherever_it_is_had(
    ecert: Ecert, issued: dict[str, Any], tmp_path: Path
) -> None:
    del issued
    assert ecert("trust", "export", "-o", "trust.json").returncode == DONE
    written = (tmp_path / "trust.json").read_bytes()
    registry = open_registry(tmp_path / "home", around=Surroundings(state=tmp_path / "state"))
    with closing(registry):
        assert written == registry.trust().to_bytes()
    assert ecert("trust", "export").stdout.encode() == written + b"\n"


def test_a_right_is_taken_by_its_last_day_or_the_first_without_it(
    ecert: Ecert, issued: dict[str, Any]
) -> None:
    agency = issued["issuer"]["code"]
    words = ("agency", "disallow", agency, PERMIT, "--basis", "穗花编办〔2026〕3号", "--json")
    both = ecert(*words, "--to", "2098-12-31", "--from", "2099-01-01")
    assert both.returncode == USAGE
    assert ecert(*words, "--to", "9999-12-31").returncode == USAGE  # no day follows it
    for days in (("--to", "2098-12-31"), ("--from", "2098-12-31")):
        (ended,) = document(ecert(*words, *days))["items"]
        assert (ended["type"], ended["to"]) == (
            PERMIT,
            "2098-12-31" if "--to" in days else "2098-12-30",
        )
    again = ("agency", "allow", *words[2:], "--from", "2099-01-01", "--to", "9999-12-31")
    assert document(ecert(*again))["items"][0]["to"] == "9999-12-31"
    assert ecert("trust", "export").returncode == DONE
    refused = ecert(*words, "--to", "2026-01-01")
    assert (refused.returncode, json.loads(refused.stdout)["code"]) == (REFUSED, "issued_after")
