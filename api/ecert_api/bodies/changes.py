"""Bodies about what happened since: the feed of changes, and a holder's list of uses."""

from __future__ import annotations

from ecert_api.bodies._common import Listing, Shape


class UsedInShape(Shape):
    """A case in which a client was given a certificate."""

    dossier: str
    matter: str
    case_number: str


class FallenShape(Shape):
    """What became of a foundation, and since which day."""

    code: str
    status: str
    since: str


class ChangeShape(Shape):
    """What was done to a certificate; ``corrected``: it answers an objection.

    ``foundation_fallen`` and ``foundation_restored`` say that nothing was done to it itself (no
    ``status``): something that it rests on was suspended, ended or resumed.
    """

    index: int
    certificate: str
    operation: str
    status: str | None
    warning: FallenShape | None
    at: str
    successor: str | None
    corrected: bool
    cases: list[UsedInShape]


class ChangeListing(Listing[ChangeShape]):
    """One page of the feed of changes; ``cursor`` is how far it has told everything."""

    cursor: str


class UserShape(Shape):
    """The agency that was shown a certificate."""

    code: str
    name: str | None


class UsedShape(Shape):
    """The certificate that was shown."""

    id: str
    type: str
    number: str


class UseShape(Shape):
    """That somebody was shown a holder's certificate, for which matter, and on what strength."""

    index: int
    at: str
    action: str
    agency: UserShape | None
    received_by: UserShape | None
    certificate: UsedShape
    purpose: str
    matter: str
    case_number: str | None
    fields: list[str] | None
    basis: dict[str, str] | None


UseListing = Listing[UseShape]
