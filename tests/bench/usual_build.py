"""The usual build of an audited read, for comparison: FastAPI, ORM in threads, PyJWT, a commit a row."""

from __future__ import annotations

import json
import os
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException
from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

SECRET = os.environ.get("USUAL_SECRET", "x" * 32)
ENGINE = create_engine(os.environ.get("USUAL_DATABASE", "sqlite://"))


@event.listens_for(ENGINE, "connect")
def durable(connection: Any, _record: Any) -> None:
    """Ask for the same durability that ecert has."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=15000")


class Base(DeclarativeBase):
    """The declarative base."""


class Certificate(Base):
    """A stored certificate."""

    __tablename__ = "certificates"
    id: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[str]


class AuditRow(Base):
    """Who read what."""

    __tablename__ = "audit"
    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    certificate: Mapped[str]
    operator: Mapped[str]
    purpose: Mapped[str]


app = FastAPI()


def caller(authorization: Annotated[str, Header()]) -> str:
    """Check the token, each time."""
    token = authorization.removeprefix("Bearer ")
    try:
        return str(jwt.decode(token, PUBLIC, algorithms=["ES256"], audience="usual")["sub"])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error


def session() -> Any:
    """Open a session for a request."""
    with Session(ENGINE) as opened:
        yield opened


PUBLIC = os.environ.get("USUAL_PUBLIC", "")


@app.get("/certificates/{identifier}")
def fetch(
    identifier: str,
    x_purpose: Annotated[str, Header()],
    x_operator: Annotated[str, Header()],
    who: Annotated[str, Depends(caller)],
    db: Annotated[Session, Depends(session)],
) -> dict[str, Any]:
    """Read one certificate and write one audit row."""
    found = db.get(Certificate, identifier)
    if found is None:
        raise HTTPException(404)
    row = AuditRow(
        id=str(uuid.uuid4()),
        at=datetime.now(UTC),
        certificate=identifier,
        operator=f"{who} {x_operator}",
        purpose=x_purpose,
    )
    db.add(row)
    body = found.body
    db.commit()
    answer: dict[str, Any] = json.loads(body)
    return answer
