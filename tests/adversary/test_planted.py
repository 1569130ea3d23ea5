"""Corruptions planted behind the registry's back: each is found, by its name, on both databases.

Whoever can write to the database edits one thing and leaves everything else as it was. The database is
put back after each: what was planted is rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    create_engine,
    delete,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from ecert.config import Surroundings, init_registry
from ecert.errors import EcertError
from ecert.inspection import Fault
from ecert.model import Record
from ecert.registry import Registry
from ecert.store import Reading
from ecert.store import tables as t
from ecert.testing import SettableClock
from tests import story
from tests.conftest import database_on
from tests.story import APPROVAL, LAND, LICENCE, PERMIT, SITING, WORKS

pytestmark = pytest.mark.xdist_group("planted")


class Lived:
    """A registry in which everything has happened, and a way to plant something in its database."""

    def __init__(self, registry: Registry, issued: dict[str, Record], address: str) -> None:
        self.registry, self.issued = registry, issued
        self._engine = create_engine(address)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _without_its_own_transactions)

    @contextmanager
    def planting(self) -> Iterator[Connection]:
        """Give a connection that nothing holds back, and undo what was done on it."""
        is_sqlite = self._engine.dialect.name == "sqlite"
        with self._engine.connect() as connection:
            if is_sqlite:
                connection.exec_driver_sql("BEGIN")
            else:
                connection.exec_driver_sql("SET session_replication_role = replica")
            yield connection
            connection.exec_driver_sql("ROLLBACK") if is_sqlite else connection.rollback()

    def faults(self, connection: Connection, *first: str) -> list[Fault]:
        """Give all faults of the parts named, or (when they find nothing) of all parts."""
        found = self._faults(connection, first) if first else []
        return found or self._faults(connection, self.registry.checks.parts())

    def _faults(self, connection: Connection, names: Any) -> list[Fault]:
        made, found = self.registry.checks.parts(), list[Fault]()
        for name in names:
            try:
                part = made[name]()
                cursor: Mapping[str, Any] | None = {}
                while cursor is not None:
                    portion = part.look(Reading(connection), cursor)
                    found += portion.faults
                    cursor = portion.cursor
            except (EcertError, ValueError, TypeError, LookupError):
                found.append(Fault("unreadable", name))
        return found

    def id(self, slug: str) -> str:
        """Give a certificate's identifier by its type."""
        return self.issued[slug].id

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()
        self.registry.close()


def _without_its_own_transactions(connection: Any, _record: Any) -> None:
    connection.isolation_level = None


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lived(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lived]:
    folder = tmp_path_factory.mktemp("lived")
    if request.param == "sqlite":
        yield from _live(folder, "sqlite:///ecert.db", f"sqlite:///{folder}/home/ecert.db")
        return
    with database_on(request.getfixturevalue("postgres_server")) as url:
        yield from _live(folder, url, url.replace("postgresql://", "postgresql+psycopg://"))


def _live(folder: Path, database: str, address: str) -> Iterator[Lived]:
    clock = SettableClock()
    plan = replace(story.PLAN, database=database)
    registry = init_registry(
        folder / "home", plan, around=Surroundings(clock=clock, state=folder / "state")
    )
    made = Lived(registry, story.live(registry, clock), address)
    yield made
    made.close()


def test_of_what_nobody_touched_nothing_is_found(lived: Lived) -> None:
    with lived.planting() as connection:
        assert lived.faults(connection) == []


# -- by name -----------------------------------------------------------------------------------------

Plant = Callable[[Lived, Connection], object]
PLANTED: dict[str, tuple[str, str, Plant]] = {}


def plants(code: str, place: str) -> Callable[[Plant], Plant]:
    """Name a corruption by its function: which fault it is, and in which row."""

    def keep(plant: Plant) -> Plant:
        PLANTED[plant.__name__.strip("_")] = code, place, plant
        return plant

    return keep


def change(connection: Connection, table: Table, where: Any, **values: Any) -> None:
    """Change rows; what is planted changes something, or the test tests nothing."""
    assert connection.execute(update(table).where(where).values(**values)).rowcount


def remove(connection: Connection, table: Table, where: Any) -> None:
    """Remove rows."""
    assert connection.execute(delete(table).where(where)).rowcount


def of(lived: Lived, slug: str) -> Any:
    """Choose a certificate by its type."""
    return t.certificates.c.id == lived.id(slug)


def first(connection: Connection, table: Table) -> Any:
    """Give a table's first row."""
    return connection.execute(select(table).order_by(*table.primary_key).limit(1)).one()


@plants("certificate_changed", "certificates/")
def _a_body_is_edited(lived: Lived, connection: Connection) -> None:
    body = lived.issued[WORKS].raw.replace("花都区".encode(), "天河区".encode())
    change(connection, t.certificates, of(lived, WORKS), body=body)


@plants("certificate_changed", "certificates/")
def _a_body_says_a_member_twice(lived: Lived, connection: Connection) -> None:
    body = lived.issued[WORKS].raw[:-1] + b',"number":"0"}'
    change(connection, t.certificates, of(lived, WORKS), body=body)


@plants("certificate_not_logged", "certificates/")
def _a_credential_is_exchanged(lived: Lived, connection: Connection) -> None:
    other = lived.issued[LAND].credential
    change(connection, t.certificates, of(lived, SITING), credential=other)


@plants("certificate_changed", "certificates/")
def _a_disclosure_is_taken_away(lived: Lived, connection: Connection) -> None:
    parts = lived.issued[WORKS].credential.split("~")
    change(connection, t.certificates, of(lived, WORKS), credential="~".join(parts[:-2]) + "~")


@plants("certificate_not_logged", "certificates/")
def _a_signature_is_bent(lived: Lived, connection: Connection) -> None:
    jwt, _, rest = lived.issued[WORKS].credential.partition("~")
    bent = jwt[:-10] + ("A" if jwt[-10] != "A" else "B") + jwt[-9:]
    change(connection, t.certificates, of(lived, WORKS), credential=f"{bent}~{rest}")


@plants("certificate_changed", "certificates/")
def _a_number_is_edited(lived: Lived, connection: Connection) -> None:
    change(connection, t.certificates, of(lived, LAND), number="地字第4401142026YG0000099号")


@plants("certificate_changed", "certificates/")
def _an_end_is_put_off(lived: Lived, connection: Connection) -> None:
    change(connection, t.certificates, of(lived, LAND), exp=4_000_000_000)


@plants("certificate_changed", "certificates/")
def _another_agency_is_the_issuer(lived: Lived, connection: Connection) -> None:
    change(connection, t.certificates, of(lived, LAND), issuer=story.HALL.code)


@plants("certificate_changed", "certificates/")
def _another_project_is_written(lived: Lived, connection: Connection) -> None:
    change(connection, t.certificates, of(lived, LAND), project_code="2602-440114-04-01-999999")


@plants("certificate_changed", "certificates/")
def _a_place_in_the_list_is_moved(lived: Lived, connection: Connection) -> None:
    change(connection, t.certificates, of(lived, LAND), status_index=1)


@plants("certificate_not_logged", "certificates/")
def _a_salt_is_edited(lived: Lived, connection: Connection) -> None:
    change(connection, t.certificates, of(lived, LAND), salt=bytes(16))


@plants("status_changed", "certificates/")
def _a_withdrawn_permit_is_revived(lived: Lived, connection: Connection) -> None:
    since = int(lived.issued[WORKS].since.timestamp())
    values = {"status": "valid", "changes": 0, "since": since}
    change(connection, t.certificates, of(lived, WORKS), **values)


@plants("status_changed", "certificates/")
def _a_good_permit_is_revoked(lived: Lived, connection: Connection) -> None:
    change(connection, t.certificates, of(lived, LAND), status="revoked", changes=1)


@plants("status_changed", "certificates/")
def _changes_are_counted_down(lived: Lived, connection: Connection) -> None:
    change(connection, t.certificates, of(lived, WORKS), changes=0)


@plants("status_changed", "certificates/")
def _a_successor_is_another(lived: Lived, connection: Connection) -> None:
    change(connection, t.certificates, of(lived, PERMIT), superseded_by=lived.id(LAND))


@plants("entry_without_row", "log_entries/")
def _a_revived_permit_loses_its_statement(lived: Lived, connection: Connection) -> None:
    remove(connection, t.statements, t.statements.c.certificate == lived.id(WORKS))
    _a_withdrawn_permit_is_revived(lived, connection)


@plants("statement_changed", "statements/")
def _a_reason_is_edited(lived: Lived, connection: Connection) -> None:
    change(connection, t.statements, t.statements.c.certificate == lived.id(WORKS), reason="误")


@plants("statement_changed", "statements/")
def _an_operation_is_edited(lived: Lived, connection: Connection) -> None:
    where = t.statements.c.certificate == lived.id(WORKS)
    change(connection, t.statements, where, operation="suspend")


@plants("statement_not_logged", "statements/")
def _a_statement_is_exchanged(lived: Lived, connection: Connection) -> None:
    s = t.statements.c
    token = connection.execute(select(s.token).where(s.operation == "suspend")).scalar_one()
    change(connection, t.statements, s.operation == "resume", token=token)


@plants("entry_without_row", "log_entries/")
def _a_certificate_is_removed_with_all_that_is_its(lived: Lived, connection: Connection) -> None:
    of_it = (t.holders, t.foundations, t.statements, t.copies, t.documents, t.fallen_foundations)
    for table in (*of_it, t.objections):
        connection.execute(delete(table).where(table.c.certificate == lived.id(SITING)))
    remove(connection, t.certificates, of(lived, SITING))


@plants("seal_changed", "certificates/")
def _a_seal_is_exchanged(lived: Lived, connection: Connection) -> None:
    change(connection, t.certificates, of(lived, LAND), seal=lived.issued[SITING].seal)


@plants("signature_bad", "certificates/")
def _the_last_bits_of_a_seal_are_bent(lived: Lived, connection: Connection) -> None:
    seal = lived.issued[LAND].seal
    bent = seal[:-30] + ("A" if seal[-30] != "A" else "B") + seal[-29:]
    change(connection, t.certificates, of(lived, LAND), seal=bent)


@plants("holder_changed", "certificates/")
def _a_holder_is_another(lived: Lived, connection: Connection) -> None:
    h = t.holders.c
    change(connection, t.holders, h.certificate == lived.id(LAND), code_hmac=bytes(32))


@plants("holder_changed", "certificates/")
def _a_holder_is_added(lived: Lived, connection: Connection) -> None:
    row = {"certificate": lived.id(LAND), "position": 7, "code_hmac": bytes(32)}
    connection.execute(insert(t.holders).values(**row))


@plants("foundation_changed", "certificates/")
def _what_it_rests_on_is_removed(lived: Lived, connection: Connection) -> None:
    remove(connection, t.foundations, t.foundations.c.certificate == lived.id(PERMIT))


@plants("warning_changed", "fallen_foundations/")
def _a_warning_is_removed(lived: Lived, connection: Connection) -> None:
    f = t.fallen_foundations.c
    remove(connection, t.fallen_foundations, f.foundation == lived.id(WORKS))


@plants("warning_changed", "fallen_foundations/")
def _a_warning_is_lifted(lived: Lived, connection: Connection) -> None:
    f = t.fallen_foundations.c
    change(connection, t.fallen_foundations, f.foundation == lived.id(WORKS), lifted_index=3)


@plants("warning_changed", "fallen_foundations/")
def _a_warning_is_invented(lived: Lived, connection: Connection) -> None:
    row = {
        "certificate": lived.id(LAND),
        "foundation": lived.id(LICENCE),
        "log_index": 1,
        "status": "revoked",
        "since": 0,
    }
    connection.execute(insert(t.fallen_foundations).values(**row))


@plants("list_changed", "status_lists/0")
def _places_are_to_be_given_again(_lived: Lived, connection: Connection) -> None:
    change(connection, t.status_lists, t.status_lists.c.list == 0, allocated=2)


@plants("copy_changed", "copies/")
def _a_copy_is_lent_to_another(_lived: Lived, connection: Connection) -> None:
    change(connection, t.copies, text("1=1"), recipient="另一银行")


@plants("copy_not_logged", "copies/")
def _a_copy_s_salt_is_edited(_lived: Lived, connection: Connection) -> None:
    change(connection, t.copies, text("1=1"), salt=bytes(16))


@plants("document_changed", "documents/")
def _a_file_is_edited(_lived: Lived, connection: Connection) -> None:
    row = first(connection, t.documents)
    data = bytes(row.data).replace(b"%%EOF", b"%%EOG")
    change(connection, t.documents, t.documents.c.log_index == row.log_index, data=data)


@plants("row_changed", "documents/")
def _a_file_is_edited_with_its_digest(_lived: Lived, connection: Connection) -> None:
    row = first(connection, t.documents)
    where = t.documents.c.log_index == row.log_index
    change(connection, t.documents, where, digest=bytes(32), data=b"%PDF-1.7")


@plants("row_changed", "clients/")
def _a_scope_is_widened(_lived: Lived, connection: Connection) -> None:
    change(connection, t.clients, text("1=1"), scopes="certificates:issue certificates:read")


@plants("row_added", "client_keys/")
def _a_key_is_given_to_a_client(_lived: Lived, connection: Connection) -> None:
    row = first(connection, t.client_keys)
    values = {"client": row.client, "kid": "x", "jwk": b"{}", "created_at": 0}
    connection.execute(insert(t.client_keys).values(**values))


@plants("row_changed", "sharing_rules/")
def _a_rule_opens_everything(_lived: Lived, connection: Connection) -> None:
    where = t.sharing_rules.c.id == first(connection, t.sharing_rules).id
    change(connection, t.sharing_rules, where, fields="*")


@plants("row_removed", "sharing_rules/")
def _a_rule_is_removed(_lived: Lived, connection: Connection) -> None:
    where = t.sharing_rules.c.id == first(connection, t.sharing_rules).id
    remove(connection, t.sharing_rules, where)


@plants("row_changed", "grants/")
def _a_grant_lives_on(_lived: Lived, connection: Connection) -> None:
    change(connection, t.grants, text("1=1"), expires_at=4_000_000_000)


@plants("row_changed", "delegations/")
def _a_delegation_lives_on(_lived: Lived, connection: Connection) -> None:
    change(connection, t.delegations, text("1=1"), until="2099-12-31")


@plants("row_changed", "identity_providers/")
def _another_provider_signs_in(_lived: Lived, connection: Connection) -> None:
    change(connection, t.identity_providers, text("1=1"), settings=b"{}")


@plants("row_changed", "receptions/")
def _a_window_may_issue(_lived: Lived, connection: Connection) -> None:
    change(connection, t.receptions, text("1=1"), acts="receive issue")


@plants("row_changed", "matters/")
def _a_matter_asks_for_less(_lived: Lived, connection: Connection) -> None:
    where = t.matters.c.code == first(connection, t.matters).code
    change(connection, t.matters, where, definition=b"{}")


@plants("row_changed", "webhooks/")
def _changes_are_told_elsewhere(_lived: Lived, connection: Connection) -> None:
    change(connection, t.webhooks, text("1=1"), url="https://evil.example/")


@plants("row_changed", "agencies/")
def _an_agency_s_name_is_edited(_lived: Lived, connection: Connection) -> None:
    where = t.agencies.c.code == story.HALL.code
    change(connection, t.agencies, where, name="广州市规划和自然资源局")


@plants("register_changed", "agency_versions/")
def _an_agency_s_past_name_is_edited(_lived: Lived, connection: Connection) -> None:
    where = t.agency_versions.c.agency == story.HALL.code
    change(connection, t.agency_versions, where, name="广州市规划和自然资源局")


@plants("register_changed", "competences/")
def _a_competence_is_added(_lived: Lived, connection: Connection) -> None:
    values = {
        "agency": story.HALL.code,
        "slug": WORKS,
        "from_day": "2026-03-01",
        "basis": "无",
        "register_index": 1,
    }
    connection.execute(insert(t.competences).values(**values))


@plants("register_changed", "competences/")
def _an_ended_competence_goes_on(_lived: Lived, connection: Connection) -> None:
    where = (t.competences.c.slug == APPROVAL) & t.competences.c.to_day.is_not(None)
    change(connection, t.competences, where, to_day=None, successor=None)


@plants("register_not_logged", "register_statements/")
def _a_register_statement_s_salt_is_edited(_lived: Lived, connection: Connection) -> None:
    row = first(connection, t.register_statements)
    where = t.register_statements.c.log_index == row.log_index
    change(connection, t.register_statements, where, salt=bytes(16))


@plants("row_changed", "keys/")
def _an_anchor_is_exchanged(_lived: Lived, connection: Connection) -> None:
    change(connection, t.keys, t.keys.c.role == "status", anchor=b"0")


@plants("row_changed", "keys/")
def _a_retired_key_is_active_again(_lived: Lived, connection: Connection) -> None:
    change(connection, t.keys, t.keys.c.state == "retired", state="active", retired_at=None)


@plants("row_changed", "types/")
def _a_type_s_metadata_is_edited(_lived: Lived, connection: Connection) -> None:
    change(connection, t.types, t.types.c.slug == WORKS, metadata=b"{}")


@plants("row_changed", "settings/origin")
def _the_log_s_origin_is_edited(_lived: Lived, connection: Connection) -> None:
    change(connection, t.settings, t.settings.c.name == "origin", value="elsewhere/log")


@plants("row_changed", "dossiers/")
def _a_dossier_s_outcome_is_edited(_lived: Lived, connection: Connection) -> None:
    change(connection, t.dossiers, text("1=1"), outcome=bytes(32))


@plants("row_removed", "dossier_items/")
def _what_a_dossier_gave_is_removed(_lived: Lived, connection: Connection) -> None:
    remove(connection, t.dossier_items, text("1=1"))


@plants("row_changed", "objections/")
def _an_objection_is_answered(_lived: Lived, connection: Connection) -> None:
    change(connection, t.objections, text("1=1"), state="rejected", answer="无")


@plants("row_changed", "agency_images/")
def _a_picture_of_a_seal_is_exchanged(_lived: Lived, connection: Connection) -> None:
    change(connection, t.agency_images, text("1=1"), image=b"png")


@plants("entry_changed", "log_entries/3")
def _a_log_entry_is_edited(_lived: Lived, connection: Connection) -> None:
    change(connection, t.log_entries, t.log_entries.c.index == 3, entry=b"{}")


@plants("checkpoint_changed", "log_entries/checkpoint")
def _a_log_entry_is_edited_with_its_leaf(_lived: Lived, connection: Connection) -> None:
    from ecert.formats.merkle import leaf_hash

    values = {"entry": b"{}", "leaf": leaf_hash(b"{}")}
    change(connection, t.log_entries, t.log_entries.c.index == 3, **values)


@plants("entry_missing", "log_entries/3")
def _a_log_entry_is_removed(_lived: Lived, connection: Connection) -> None:
    remove(connection, t.log_entries, t.log_entries.c.index == 3)


@plants("head_changed", "log_entries/head")
def _the_head_is_edited(_lived: Lived, connection: Connection) -> None:
    row = first(connection, t.log_head)
    change(connection, t.log_head, text("1=1"), edge=bytes(len(row.edge)))


@plants("entry_beyond", "log_entries/")
def _the_head_is_put_back(_lived: Lived, connection: Connection) -> None:
    change(connection, t.log_head, text("1=1"), size=0, edge=b"")


@plants("checkpoint_changed", "log_entries/checkpoint")
def _a_checkpoint_is_edited(_lived: Lived, connection: Connection) -> None:
    note = first(connection, t.checkpoints).note
    change(connection, t.checkpoints, t.checkpoints.c.id == 1, note=note.replace("\n", "\nx", 1))


@plants("checkpoint_missing", "log_entries/checkpoints")
def _a_checkpoint_is_removed(_lived: Lived, connection: Connection) -> None:
    remove(connection, t.checkpoints, t.checkpoints.c.id == 1)


@plants("entry_changed", "audit/")
def _a_row_of_the_trail_is_edited(_lived: Lived, connection: Connection) -> None:
    change(connection, t.audit, t.audit.c.index == 4, operator="别人")


@plants("entry_missing", "audit/")
def _a_row_of_the_trail_is_removed(_lived: Lived, connection: Connection) -> None:
    remove(connection, t.audit, t.audit.c.index == 4)


@plants("checkpoint_changed", "audit/checkpoint")
def _a_checkpoint_of_the_trail_is_edited(_lived: Lived, connection: Connection) -> None:
    change(connection, t.audit_checkpoints, t.audit_checkpoints.c.id == 1, note="—\n")


def test_at_least_forty_are_planted() -> None:
    assert len(PLANTED) >= 40


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_corruption_is_found_by_name(lived: Lived, name: str) -> None:
    code, place, plant = PLANTED[name]
    with lived.planting() as connection:
        plant(lived, connection)
        found = lived.faults(connection)
    assert [one for one in found if one.code == code and one.place.startswith(place)], found


# -- every column ------------------------------------------------------------------------------------

UNSEEN = {  # an edit of these is not found, and why nothing comes of it
    ("log_head", "id"): "the one row is found whatever its number",
    ("audit_head", "id"): "the one row is found whatever its number",
    ("checkpoints", "published_at"): "nobody is told: the note says what was published",
    ("audit_checkpoints", "published_at"): "nobody is told",
    ("status_lists", "allocated"): "one more is a place that nobody gets; fewer is found",
    (
        "status_lists",
        "warnings",
    ): "a counter by which a list is signed afresh, at the latest in 30 s",
    ("register_statements", "trail_index"): "another act upon the register may stand there",
    ("webhooks", "cursor"): "what a delivery notes of itself",
    ("webhooks", "failures"): "what a delivery notes of itself",
    ("webhooks", "next_at"): "what a delivery notes of itself",
    ("webhooks", "last_result"): "what a delivery notes of itself",
}
PASSING = {  # tables of what passes: nothing that was signed or allowed rests on them
    "usage": "counted afresh each day",
    "assertions": "forgotten when they expire",
    "idempotency": "forgotten after a day",
    "counters": "minting skips numbers that are taken",
    "checks": "what the last check found",
}
HINTS = {
    "certificates": ("certificates",),
    "holders": ("certificates",),
    "statements": ("certificates", "entries"),
    "copies": ("certificates", "entries"),
    "log_entries": ("log",),
    "audit": ("trail",),
}
EMPTY = {"log_nodes", "audit_nodes"}  # of more entries than the story has: see test_log


@pytest.mark.parametrize("lived", ["sqlite"], indirect=True)
@pytest.mark.parametrize("table", [one.name for one in t.metadata.sorted_tables])
def test_an_edit_of_any_column_is_found(lived: Lived, table: str) -> None:
    if table in PASSING:
        return
    one = t.metadata.tables[table]
    first_parts = HINTS.get(table, ("administration",))
    for column in [*one.columns, None]:
        with lived.planting() as connection:
            rows = connection.execute(select(one).order_by(*one.primary_key)).all()
            assert rows or table in EMPTY
            if not rows:
                return
            if not _plant(connection, one, rows[len(rows) // 2], column):
                continue
            found = lived.faults(connection, *first_parts)
        name = None if column is None else column.name
        assert bool(found) is ((table, name) not in UNSEEN), (table, name, found)


def _plant(connection: Connection, table: Table, row: Any, column: Any) -> bool:
    """Bend a value, or remove the row; False where the database itself refuses."""
    where = [one == getattr(row, one.name) for one in table.primary_key]
    try:
        with connection.begin_nested() if connection.dialect.name != "sqlite" else _plain():
            if column is None:
                connection.execute(delete(table).where(*where))
            else:
                value = _bent(getattr(row, column.name), column)
                connection.execute(update(table).where(*where).values({column.name: value}))
    except DBAPIError:  # a constraint, or a value that is too long
        return False
    return True


@contextmanager
def _plain() -> Iterator[None]:
    yield


def _bent(value: Any, column: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, (bytes, memoryview)):
        data = bytearray(value) or bytearray(1)
        data[len(data) // 2] ^= 1
        return bytes(data)
    if isinstance(value, str):
        return value[:-1] + ("A" if value[-1:] != "A" else "B")
    numbers = (Integer, BigInteger, SmallInteger)
    return (
        1
        if isinstance(column.type, numbers)
        else b"x"
        if isinstance(column.type, LargeBinary)
        else "x"
    )
