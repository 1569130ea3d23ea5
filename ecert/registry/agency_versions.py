"""What may be said of an agency from a day on: names of its own, within its parent, above its children."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from ecert.errors import AlreadyExists, InputError, IssuedAfter, NotFound
from ecert.fonts import unprintable
from ecert.ids import check_area, check_credit_code, lies_within
from ecert.ledger.access import lineage
from ecert.model import Agency, AgencyVersion, check_time_zone, is_line, version_of
from ecert.model.calendar import Validity
from ecert.store import Reading, Transaction, agencies, register

MAX_NAME = 100
# By agency: what is true of it on a day, and what follows.
Known = Mapping[str, Sequence[AgencyVersion]]


def check_agency(agency: Agency) -> Agency:
    """Check an agency's code, division and time zone. Raises: IdentifierError, InputError."""
    check_credit_code(agency.code)
    check_area(agency.division)
    for what, text in (("name", agency.name), ("short name", agency.short_name)):
        if text is not None and not is_line(text, MAX_NAME):
            raise InputError(f"the agency's {what} is one line of at most {MAX_NAME} characters")
        if (one := unprintable(text or "")) is not None:
            raise InputError(f"the agency's {what}: {one} (U+{ord(one):04X}) cannot be printed")
    check_time_zone(agency.time_zone)
    return agency


def check_new(reading: Reading, agency: Agency, today: date) -> None:
    """Check an agency that is to be registered today.

    Raises: those of ``check_agency``, AlreadyExists, NotFound (parent), InputError.
    """
    check_agency(agency)
    if agencies.find(reading, agency.code) is not None:
        raise AlreadyExists("this agency is registered already")
    _check_place(reading, version_of(agency, today))


def check_version(tx: Transaction, before: Agency, version: AgencyVersion) -> None:
    """Check a next version of an agency. Raises: those of ``check_new``, IssuedAfter."""
    check_agency(
        replace(
            before,
            name=version.name,
            short_name=version.short_name,
            division=version.division,
            parent=version.parent,
        )
    )
    _check_place(tx, version)
    own = [one for one in agencies.versions(tx) if one.agency == version.agency]
    if own and own[-1].from_day > version.from_day:
        raise InputError(f"a change from {own[-1].from_day} is registered already")
    if own and own[0].from_day > version.from_day:
        raise InputError(f"this agency is known from {own[0].from_day} on")
    start, _ = Validity(version.from_day, None).seconds(before.time_zone)
    count = register.issued_since(tx, before.code, None, start)
    if version.name != before.name and count:
        raise IssuedAfter(
            f"{count} certificates were issued under the old name on {version.from_day} or later: "
            "name a later day"
        )


def newest_version(reading: Reading, agency: Agency) -> AgencyVersion:
    """Give what was last said of an agency: what another act changes is changed from there."""
    own = [one for one in agencies.versions(reading) if one.agency == agency.code]
    return own[-1] if own else version_of(agency, date.min)


def _check_place(reading: Reading, version: AgencyVersion) -> None:
    """Check a version against the other agencies, as they are from its first day on.

    Raises: AlreadyExists, NotFound, InputError.
    """
    listed = agencies.listed(reading)
    known = _known_from(reading, listed, version.from_day)
    open_ones = {one.code for one in listed if not one.is_closed(version.from_day)}
    open_ones -= {version.agency}
    _check_names(version, [one for code in open_ones for one in known[code]])
    children = [one for code in open_ones for one in known[code] if one.parent == version.agency]
    for child in children:
        _check_within(child, version)
    if version.parent is None:
        return
    if version.parent not in known:
        raise NotFound("the parent agency is not registered")
    for at in (0, -1):  # on that day, and when all that is registered has come
        line = [replace(one, parent=known[one.code][at].parent) for one in listed]
        if version.agency in lineage(line, version.parent):
            raise InputError("an agency is not below itself")
    for parent in known[version.parent]:
        _check_within(version, parent)


def _known_from(reading: Reading, listed: Sequence[Agency], day: date) -> Known:
    told = agencies.versions(reading)
    found = {}
    for agency in listed:
        own = [one for one in told if one.agency == agency.code]
        past = [one for one in own if one.from_day <= day]
        now = past[-1] if past else version_of(agency, day)
        found[agency.code] = [now, *(one for one in own if one.from_day > day)]
    return found


def _check_names(version: AgencyVersion, others: Sequence[AgencyVersion]) -> None:
    for what in ("name", "short_name"):
        text = getattr(version, what)
        if text is not None and any(getattr(one, what) == text for one in others):
            raise AlreadyExists(f"another agency has this {what.replace('_', ' ')}")


def _check_within(child: AgencyVersion, parent: AgencyVersion) -> None:
    if not lies_within(child.division, parent.division):
        raise InputError(
            f"the division {child.division} of {child.name} does not lie within that of "
            f"{parent.name}, {parent.division}"
        )
