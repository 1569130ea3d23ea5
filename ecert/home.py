"""Where a registry's home is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def default_home(environment: Mapping[str, str] = os.environ) -> Path:
    """Say where the registry is: ``$ECERT_HOME``, or ``./ecert-home``."""
    return Path(environment.get("ECERT_HOME", "ecert-home"))
