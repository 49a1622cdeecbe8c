"""What an application does with campaigns and their content, across the two databases.

Each function is told where it has come (``reached``) after every step that may be its last.
"""

import hashlib
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import psycopg

from oltp_lab.errors import LabError
from oltp_lab.neighbours.content.tiers import ContentUnavailableError, Reached, Session, unheard

LEASE = timedelta(minutes=5)
"""How long an author has from storing a body to committing what refers to it, by default."""
CREATED = ("begun", "reserved", "written", "committed", "confirmed")
"""The steps of whatever saves a version, in their order; ``written`` is before the commit."""
STARTED = ("asked", "started")
DELETED = ("archived", "template deleted", "marked")


@dataclass(frozen=True)
class Saved:
    """A template's version as it was saved."""

    template: UUID
    version: UUID
    key: str
    campaign: UUID | None = None


def save(
    session: Session,
    body: bytes,
    *,
    template: UUID | None = None,
    campaign: str | None = None,
    lease: timedelta = LEASE,
    beside: Callable[[psycopg.Connection, UUID, str], None] | None = None,
    request: UUID | None = None,
    reached: Reached = unheard,
) -> Saved:
    """Store a body and commit a version of a template (new, or ``template``) that refers to it.

    With ``campaign`` a campaign of that name is made with it, in the same transaction, as is what
    ``beside`` does there with the version and its key. Once that is committed, the content database
    may be gone: the reconciler confirms what the author could not. Who has lost the answer repeats
    the same ``request``, and gets what was saved.
    Raises ContentUnavailableError, nothing being saved; psycopg.errors.UniqueViolation for another
    body under the same request; LabError when the plan has no room for a
    campaign, or the body has vanished;
    psycopg.errors.ObjectNotInPrerequisiteState when the lease ended and the body was given up.
    """
    key = f"templates/{template or 'new'}/{request or uuid.uuid4()}"
    reached("begun")
    session.in_content(
        "reserve",
        key=key,
        body=body,
        media_type="text/html",
        sha256=hashlib.sha256(body).digest(),
        lease=lease,
    )
    reached("reserved")
    made = None
    with session.in_oltp() as run:
        if request:
            run("hold_key", key=key)
        if earlier := request and run("saved", key=key):
            found, version, made = earlier
        else:
            found, version = run(
                "save_template", template=template, name="Template", subject="Subject", key=key
            )
            if beside:
                beside(session.oltp, version, key)
            if campaign:
                made, refusal = run("create_campaign", name=campaign)
                if refusal:
                    raise LabError(f"the campaign cannot be made: {refusal}")
                run("add_step", campaign=made, template=found)
        reached("written")
    reached("committed")
    with suppress(ContentUnavailableError):
        (is_there,) = session.in_content("confirm", key=key, version=version)
        if not is_there:  # somebody removed it without the OLTP's word
            raise LabError(f"the content {key} has vanished: save the template again")
        reached("confirmed")
    return Saved(found, version, key, made)


def start(session: Session, campaign: UUID, *, reached: Reached = unheard) -> None:
    """Start a campaign, once the content database has said that what it sends is there.

    The OLTP itself refuses what is known to be missing.
    Raises LabError for what is missing or being deleted, ContentUnavailableError when nobody says.
    """
    keys = keys_of(session, campaign)
    (absent,) = session.in_content("unavailable", keys=keys)
    reached("asked")
    if absent:
        raise LabError(
            f"the content {absent[0]} is missing or being deleted: save its template again"
        )
    with session.in_oltp() as run:
        run("start_campaign", campaign=campaign)
    reached("started")


def fetch(session: Session, campaign: UUID) -> list[bytes | None]:
    """What a campaign sends now: the bodies of its mails, None for one that is lost or damaged."""
    bodies: list[bytes | None] = []
    for key in keys_of(session, campaign):
        body, intact = session.in_content("fetch", key=key)
        bodies.append(body if intact else None)
    return bodies


def keys_of(session: Session, campaign: UUID) -> list[str]:
    """The storage keys of what a campaign sends now."""
    return _keys(session, "keys_of_campaign", campaign=campaign)


def delete(session: Session, template: UUID, *, reached: Reached = unheard) -> None:
    """Archive and remove a template that no campaign has, then mark what it said for deletion."""
    with session.in_oltp() as run:
        run("archive_template", template=template)
    reached("archived")
    keys = _keys(session, "keys_of_template", template=template)
    with session.in_oltp() as run:
        run("delete_template", template=template)
    reached("template deleted")
    session.in_content("mark_deleting", keys=keys)
    reached("marked")


def _keys(session: Session, query: str, **values: UUID) -> list[str]:
    with session.in_oltp() as run:
        (keys,) = run(query, **values)
    return list(keys or [])
