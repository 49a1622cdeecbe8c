"""Who is told what, where; and what they have read."""

import uuid
from datetime import datetime, timedelta

import psycopg
import pytest

from oltp_lab_tests.configuration.conftest import Tenant
from oltp_lab_tests.integration.world import NOW, call, retire, rows


def test_owners_and_admins_are_told_by_default(tenant: Tenant) -> None:
    with tenant.app() as app:
        assert call(app, "notify", tenant.id, "campaign.finished", at=NOW) == 2
    assert [(r["user_id"], r["channel"], r["status"]) for r in rows(tenant)] == [
        (tenant.owner, "email", "pending"),
        (tenant.owner, "in_app", "delivered"),
    ]


def test_one_member_can_be_told(tenant: Tenant) -> None:
    assert (
        call(tenant.platform, "notify", tenant.id, "campaign.started", recipient=tenant.member) == 1
    )
    assert rows(tenant)[0]["user_id"] == tenant.member
    assert (
        call(tenant.platform, "notify", tenant.id, "campaign.started", recipient=uuid.uuid4()) == 0
    )


@pytest.mark.parametrize("channel", ["in_app", "email"])
@pytest.mark.parametrize("wanted", [True, False])
def test_preferences_beat_defaults(tenant: Tenant, channel: str, wanted: bool) -> None:
    default = {"in_app", "email"}  # of campaign.finished
    with tenant.app() as app:
        preference = ("set_notification_preference", tenant.id, tenant.owner, "campaign.finished")
        call(app, *preference, channel, wanted)
        call(app, "notify", tenant.id, "campaign.finished", at=NOW)
        told = {r["channel"] for r in rows(tenant)}
        assert told == (default | {channel} if wanted else default - {channel})
        retire(tenant)
        call(app, *preference, channel, None)
        call(app, "notify", tenant.id, "campaign.finished", at=NOW)
        assert {r["channel"] for r in rows(tenant)} == default


def test_policy_beats_preferences(tenant: Tenant) -> None:
    tenant.call("adopt_policy", "notification_channels", None, ["in_app"])
    preference = (tenant.id, tenant.owner, "campaign.finished", "email", True)
    with tenant.app() as app:
        call(app, "set_notification_preference", *preference)
        assert call(app, "notify", tenant.id, "campaign.finished") == 1


def test_the_same_thing_is_told_once(tenant: Tenant) -> None:
    told = [
        call(tenant.platform, "notify", tenant.id, "campaign.finished", dedupe_key=key)
        for key in ("spring", "spring", "summer", None, None)
    ]
    assert told == [2, 0, 2, 2, 2]


def test_unknown_kinds_and_channels_raise(tenant: Tenant) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"no notification no\.such"):
        call(tenant.platform, "notify", tenant.id, "no.such")
    preference = ("set_notification_preference", tenant.id, tenant.owner)
    with tenant.app() as app:
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"no notification no\.such"):
            call(app, *preference, "no.such", "email", True)
        with pytest.raises(psycopg.errors.CheckViolation, match="channel_check"):
            call(app, *preference, "digest", "pigeon", True)


# Reading.


def test_unread_ones_are_listed_newest_first_and_read_once(tenant: Tenant, other: Tenant) -> None:
    for day in range(4):
        call(tenant.platform, "notify", tenant.id, "campaign.started", at=NOW + timedelta(days=day))
    call(other.platform, "notify", other.id, "campaign.started")
    with tenant.app() as app:

        def unread(at_most: int = 50) -> list[tuple[uuid.UUID, datetime]]:
            return app.execute(
                "select id, created_at from integration.unread_notifications(%s, %s, %s)",
                [tenant.id, tenant.owner, at_most],
            ).fetchall()

        assert [at for _, at in unread()] == [NOW + timedelta(days=day) for day in (3, 2, 1, 0)]
        newest = unread(1)[0][0]
        assert call(app, "mark_read", tenant.id, tenant.owner, [newest], NOW) == 1
        assert call(app, "mark_read", tenant.id, tenant.owner, [newest], NOW) == 0
        assert call(app, "mark_read", tenant.id, tenant.member, None, NOW) == 0
        assert newest not in dict(unread())
        assert call(app, "mark_read", tenant.id, tenant.owner) == 3
        assert unread() == []
    retire(other)
