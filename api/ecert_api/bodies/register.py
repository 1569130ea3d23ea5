"""Bodies about the register."""

from __future__ import annotations

from ecert_api.bodies._common import Listing, Shape


class RegisterShape(Shape):
    """A signed act upon the register, with the proof that it is in the log."""

    statement: str
    receipt: str


RegisterList = Listing[RegisterShape]
