"""Settings → Registry: where a registry's home is, what is in it, and how it is opened."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import platformdirs
from pydantic import ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ecert._encoding import Clock, Randomness, utc_now
from ecert.catalogue import built_in_root, load_catalogue
from ecert.errors import HomeError, IdentifierError, InputError, SettingFixed
from ecert.home import default_home
from ecert.ids import check_credit_code
from ecert.keys import make_secret, open_secret, passphrase_from
from ecert.keys.file import write_private
from ecert.keys.passphrase import PLAIN, AskPassphrase
from ecert.model import Actor, Agency
from ecert.registry import Charter, Premises, Registry, TimeStamping, check_agency
from ecert.store import Store, certificates, trees
from ecert.store import settings as kept_settings

SETTINGS = "settings.toml"
VERIFY_PER_MINUTE = 60
SYSTEM_STATE = Path("/var/lib/ecert-state")
FIRST_USER = 1000  # below it are the system's own users, whose homes come and go
TRIAL_URL = "http://127.0.0.1:8000"
TRIAL_AGENCY = Agency(
    "11440114MA00000915", "花都区示范审批局（虚构）", "440114", short_name="穗花示范"
)
_LOG = logging.getLogger("ecert")
_URL = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
_HTTP = re.compile(r"https?://[^\s/]")
_LOOPBACK = re.compile(r"http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?")


class Settings(BaseSettings):
    """What ``settings.toml`` holds; every member may be overridden by ``ECERT_<NAME>``.

    ``base_url`` and ``origin`` are inside everything that was signed and cannot change after the
    first issue. ``database`` is an address; a relative SQLite path starts at the home.
    ``time_stamp_url`` is an RFC 3161 authority for documents; with ``time_stamp_required`` they
    wait while it is silent, otherwise they are made without a time-stamp (B-B).
    ``verify_per_minute`` bounds ``POST /verify`` for each address, 0 for no limit; the address is
    what ``X-Forwarded-For`` says where the caller is one of ``trusted_proxies``. ``metrics_port``
    gives metrics to whoever reaches it on ``metrics_host``; 0: only ``/metrics`` with its scope.
    ``sign_in_minutes`` is how old a holder's sign-in may be where he opens his own certificates.
    ``mirrors`` are folders, on other disks, that get each checkpoint before it is served; PostgreSQL's
    nodes ask them whether their database is the newest. With ``read_only`` nothing is written or signed.
    """

    model_config = SettingsConfigDict(env_prefix="ECERT_", extra="forbid", frozen=True)

    base_url: str
    origin: str
    trial: bool = False
    allow_provisional: bool = False
    defining_body: str = ""
    database: str = "sqlite:///ecert.db"
    state_dir: Path | None = None
    time_stamp_url: str = ""
    time_stamp_required: bool = False
    verify_per_minute: int = VERIFY_PER_MINUTE
    trusted_proxies: str = ""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0
    sign_in_minutes: int = 15
    mirrors: tuple[str, ...] = ()
    read_only: bool = False

    @model_validator(mode="after")
    def check(self) -> Self:
        """Refuse what could be signed into certificates and never be put right again."""
        if not is_base_url(self.base_url):
            raise ValueError("base_url: https://HOST in lower case, without a path")
        host = self.base_url.partition("://")[2]
        if not re.fullmatch(re.escape(host) + r"/log(-[0-9a-z]+)?", self.origin):
            raise ValueError(f"origin: {host}/log, or that with a suffix after a hyphen")
        if self.time_stamp_url and not _HTTP.match(self.time_stamp_url):
            raise ValueError("time_stamp_url: an address that begins with http:// or https://")
        if self.defining_body:
            check_credit_code(self.defining_body)
        if not 1 <= self.sign_in_minutes <= 60:
            raise ValueError("sign_in_minutes: between 1 and 60")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, which comes in as keyword arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What comes from outside: passphrase, clock, randomness, and where state is kept."""

    ask: AskPassphrase | None = None
    clock: Clock = utc_now
    randomness: Randomness = os.urandom
    state: Path | None = None


def load_settings(home: Path) -> Settings:
    """Read a home's settings. Raises: HomeError, naming what is wrong."""
    path = home / SETTINGS
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise HomeError(f"{home} holds no registry; run: ecert --home {home} init") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HomeError(f"{path} is not TOML: {error}") from error
    try:
        return Settings(**values)
    except IdentifierError as error:
        raise HomeError(f"{path}: defining_body: {error.message}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ": ".join((str(path), *map(str, first["loc"])))
        raise HomeError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from error


def open_registry(
    home: Path | str | None = None,
    *,
    around: Surroundings | None = None,
    claims: bool = False,
) -> Registry:
    """Open the registry in a home folder. A copy of it opens too, and only reads (``read_only``).

    ``claims`` lets a new home be the registry of its address on this machine.
    Raises: HomeError, KeyUnavailable, StoreBusy, SettingFixed, TypeFolderError.
    """
    place = default_home() if home is None else Path(home)
    settings = load_settings(place)
    outside = _with_passphrase(around or Surroundings())
    address = database_address(settings.database, place)
    _check_there(address)
    store = Store(address)
    store.check_set_up()
    moved = _moved(store, settings)
    registry = _registry(place, settings, store, open_secret(place, outside.ask), outside)
    registry.take_up(claims=claims or bool(moved))  # nothing was published under the new name
    if moved:
        registry.register.say_again(moved, by=Actor("ecert open"))
    return registry


def _with_passphrase(around: Surroundings) -> Surroundings:
    if around.ask is not None:
        return around
    ask = passphrase_from(os.environ)
    return Surroundings(ask, around.clock, around.randomness, around.state)


def database_address(address: str, home: Path) -> str:
    """Give a database's whole address: a relative path of SQLite starts at the home."""
    prefix = "sqlite:///"
    path = address.removeprefix(prefix)
    if not address.startswith(prefix) or path.startswith("/"):
        return address
    return f"{prefix}{(home / path).resolve()}"


def _check_there(address: str) -> None:
    """Refuse to make an empty database where one is missing. Raises: HomeError."""
    path = Path(address.removeprefix("sqlite:///"))
    if address.startswith("sqlite:///") and not path.is_file():
        raise HomeError(f"the database {path.name} is missing; restore it (docs/how-to/restore.md)")


def _moved(store: Store, settings: Settings) -> dict[str, str]:
    """Refuse settings that contradict what was signed; give those that changed before the first issue.

    Raises: SettingFixed.
    """
    wanted = {name: getattr(settings, name) for name in ("base_url", "origin")}
    with store.reading() as reading:
        kept = {name: kept_settings.get(reading, name) for name in wanted}
        is_fixed = certificates.is_any(reading) or trees.newest_checkpoint(reading) is not None
    changed = [name for name in wanted if kept[name] != wanted[name]]
    for name in changed:
        if is_fixed:
            raise SettingFixed(
                f"{name} may not change after the first issue, nor once the log was published: it is "
                f"inside every signed certificate as {kept[name]}"
            )
    return {name: wanted[name] for name in changed}


def _registry(
    home: Path, settings: Settings, store: Store, secret: bytes, around: Surroundings
) -> Registry:
    charter = Charter(
        base=settings.base_url,
        origin=settings.origin,
        is_trial=settings.trial,
        allow_provisional=settings.allow_provisional,
        defining_body=settings.defining_body,
        sign_in_minutes=settings.sign_in_minutes,
    )
    premises = Premises(
        home=home,
        state=around.state or settings.state_dir or _state_folder(),
        secret=secret,
        clock=around.clock,
        randomness=around.randomness,
        stamping=TimeStamping(settings.time_stamp_url, settings.time_stamp_required),
        mirrors=settings.mirrors,
        is_read_only=settings.read_only,
    )
    catalogue = load_catalogue(built_in_root(), home / "types", reports=_LOG.warning)
    return Registry(store, charter, catalogue, premises)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a new registry is to be: its address (None: a trial), its agency, its database.

    ``may_issue`` names the types that its agency may issue; None: a trial's everything, else nothing.
    """

    url: str | None = None
    agency: Agency | None = None
    database: str = "sqlite:///ecert.db"
    trial: bool | None = None  # unless said otherwise, a registry without an address
    may_issue: tuple[str, ...] | None = None

    @property
    def is_trial(self) -> bool:
        """Tell whether it is to be a trial home."""
        return self.url is None if self.trial is None else self.trial


def init_registry(
    home: Path | str, plan: Plan | None = None, *, around: Surroundings | None = None
) -> Registry:
    """Make a registry: its home, database, root, log key, status key, and its first agency.

    Everything or nothing: the home appears under its name when all of it is there. Without an
    address it is a trial home, which nothing but this machine can reach.
    Raises: HomeError when something is there already, InputError, IdentifierError.
    """
    place, wish = Path(home), plan or Plan()
    outside = _with_passphrase(around or Surroundings())
    settings = _settings_of(wish, outside)
    with fresh_home(place) as fresh:
        _fill(fresh, settings, wish, outside)
    return open_registry(place, around=outside, claims=True)


@contextmanager
def fresh_home(place: Path) -> Iterator[Path]:
    """Give a folder to fill, which appears as the home when all of it is there, or not at all.

    Raises: HomeError when something is there already.
    """
    _check_free(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        yield fresh
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    if place.is_dir():
        place.rmdir()
    fresh.rename(place)


def _state_folder() -> Path:
    """Say where this machine remembers: a system user's own folder, unless another is named or in use."""
    usual = platformdirs.user_state_path("ecert")
    is_system = os.name == "posix" and os.getuid() < FIRST_USER
    if not is_system or "XDG_STATE_HOME" in os.environ or usual.is_dir():
        return usual
    return SYSTEM_STATE


def _settings_of(plan: Plan, around: Surroundings) -> Settings:
    is_trial = plan.is_trial
    url = TRIAL_URL if plan.url is None else _check_url(plan.url)
    host = url.partition("://")[2]
    suffix = f"-{around.randomness(4).hex()}" if is_trial else ""
    agency = _first_agency(plan)
    return Settings(
        base_url=url,
        origin=f"{host}/log{suffix}",
        trial=is_trial,
        allow_provisional=is_trial,
        defining_body=agency.code if agency else "",
        database=plan.database,
    )


def _first_agency(plan: Plan) -> Agency | None:
    if plan.agency is not None:
        check_agency(plan.agency)
        return plan.agency
    return TRIAL_AGENCY if plan.url is None else None


def is_base_url(url: str) -> bool:
    """Tell whether an address can be a registry's: an origin, https unless it is loopback."""
    is_loopback = _LOOPBACK.fullmatch(url) is not None
    return _URL.fullmatch(url) is not None and (url.startswith("https://") or is_loopback)


def _check_url(url: str) -> str:
    if not is_base_url(url):
        raise InputError("the address is https://HOST in lower case, without a path")
    return url


def _check_free(home: Path) -> None:
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise HomeError(f"{home} is there already and not empty; nothing was changed")


def _fill(home: Path, settings: Settings, plan: Plan, around: Surroundings) -> None:
    secret = make_secret(home, around.ask, around.randomness)
    (home / "types").mkdir()
    address = database_address(settings.database, home)
    if address.startswith("sqlite:///"):
        Path(address.removeprefix("sqlite:///")).touch(mode=0o600)
    store = Store(address)
    store.set_up()
    with store.reading() as reading:
        if kept_settings.get(reading, "base_url") is not None:
            raise HomeError("this database holds a registry already; nothing was changed")
    write_private(home / SETTINGS, _toml(settings).encode())  # it may hold a database's password
    registry = _registry(home, settings, store, secret, around)
    _check_forgotten(registry)
    registry.set_up(_first_agency(plan), by=Actor("ecert init"), may_issue=plan.may_issue)
    registry.close()


def _check_forgotten(registry: Registry) -> None:
    """Refuse an address of which this machine knows a published log. Raises: HomeError."""
    if (path := registry.pen.note()) is not None:
        raise HomeError(
            f"this machine remembers another registry of {registry.log.origin}: {path}; restore that one "
            "(docs/how-to/restore.md), or move the file away if nothing it published is in use"
        )


def _toml(settings: Settings) -> str:
    """Write the settings with a word on each."""

    def quote(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)  # strings and booleans are TOML too

    notes = {
        "base_url": "the registry's address; fixed after the first issue",
        "origin": "the log's name; fixed after the first issue",
        "trial": "a trial home serves this machine only",
        "allow_provisional": "issue under type codes that are not confirmed",
        "defining_body": "credit code of the body that defines provisional type codes",
        "database": "sqlite:///FILE (in this folder) or postgresql://...",
    }
    return "".join(
        f"{name} = {quote(getattr(settings, name))}  # {note}\n" for name, note in notes.items()
    )


def is_plain_secret(home: Path) -> bool:
    """Tell whether the home's secret lies unwrapped beside its keys."""
    return (home / PLAIN).is_file()
