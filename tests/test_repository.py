"""What may never be in the repository, and what must be."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOP = {"ecert", "api", "schemas", "keys", "tests", "docs", ".ci"} | {
    "pyproject.toml",
    "dev.py",
    "requirements.lock",
    "README.md",
    "README.zh.md",
    "CHANGELOG.md",
    "CODEOWNERS",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "LICENSE",
    ".gitignore",
}
PRIVATE = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{16}")
PRIVATE_JWK = re.compile(rb'"d"\s*:\s*"[A-Za-z0-9_-]{43}"')
SPECIFICATION_KEYS = {"tests/vectors/cose/rfc8392_a3.json"}  # published in the RFC itself


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [name for name in done.stdout.decode().split("\0") if name]


def test_no_private_key_is_tracked() -> None:
    for name in tracked():
        data = (ROOT / name).read_bytes()
        assert not PRIVATE.search(data), name
        assert name in SPECIFICATION_KEYS or not PRIVATE_JWK.search(data), name
        assert not name.endswith((".pk8", ".key", ".p12")), name


def test_keys_holds_only_its_readme_and_public_anchors() -> None:
    assert all(
        name == "keys/README.md" or name.endswith((".crt", ".cer"))
        for name in tracked()
        if name.startswith("keys/")
    )


def test_the_top_level_is_the_fixed_one() -> None:
    assert {name.partition("/")[0] for name in tracked()} <= TOP


def test_no_address_of_a_package_registry_is_committed() -> None:
    hosts = re.compile(rb"(?:pypi|pythonhosted|npmjs|crates|maven)\.(?:org|io|com)")
    for name in tracked():
        if name != "tests/test_repository.py":
            assert not hosts.search((ROOT / name).read_bytes()), name
