"""What a tenant may do with the infrastructure, and what only the platform may."""

import psycopg
import pytest
from psycopg import sql as pg

from oltp_lab_tests.infrastructure.world import KEY, NOW, World, call


def test_a_tenant_adds_and_manages_what_is_its_own(world: World) -> None:
    tenant = world.tenant()
    with world.database.connect("lab_app") as app:
        app.execute("select lab.enter_tenant(%s)", [tenant])
        (row,) = call(app, "add_domain", tenant, "acme.example", KEY, NOW)
        domain = row["domain_id"]
        app.commit()
        world.answer(tenant, domain, world.good(domain))
        app.execute("select lab.enter_tenant(%s)", [tenant])
        (made,) = call(
            app, "create_email_account", tenant, domain, "ada", "smtp", 50, "1 minute", NOW
        )
        account = made["email_account_id"]
        call(app, "set_email_account_limits", tenant, account, 20, "1 minute", NOW)
        call(app, "set_email_account_status", tenant, account, "paused", NOW)
        seen = app.execute(
            "select d.status, v.usable from infrastructure.domains d"
            " join infrastructure.domain_verification v on v.domain_id = d.id"
        ).fetchall()
        assert seen == [("verified", True)]


def test_a_tenant_sees_its_own_addresses_only(world: World) -> None:
    first, _, own = world.sender()
    second, _, other = world.sender()
    world.call("release_smtp_ip", other, NOW)
    world.call("assign_smtp_ip", second, other, NOW)
    with world.database.connect("lab_app") as app:
        for tenant, addresses in ((first, {own}), (second, {other}), (None, set())):
            app.execute("select lab.enter_tenant(%s)", [tenant])
            for query in (
                "select id from infrastructure.smtp_ips",
                "select smtp_ip_id from infrastructure.ip_assignments",
            ):
                assert {key for (key,) in app.execute(query)} == addresses  # type: ignore[call-overload]
            app.commit()


@pytest.mark.parametrize(
    "forbidden",
    [
        "update infrastructure.email_accounts set sent_in_period = 0",
        "update infrastructure.email_accounts set health = 'healthy'",
        "update infrastructure.email_accounts set allowance = 1000",
        "update infrastructure.domains set status = 'verified'",
        "update infrastructure.dns_records set status = 'ok', checked_at = now()",
        "delete from infrastructure.daily_sends",
        "update infrastructure.smtp_ips set daily_cap = 1",
        "delete from infrastructure.ip_assignments",
        "select from infrastructure.verified_domains",
        "select from infrastructure.vps_instances",
        "select from infrastructure.costs",
        "select from infrastructure.cost_shares",
        "select infrastructure.take_send_slot(lab.current_tenant())",
        "select infrastructure.tenant_costs('2026-01-01', '2026-02-01')",
    ],
)
def test_what_only_the_platform_may(world: World, forbidden: str) -> None:
    tenant, _, _ = world.sender()
    with world.database.connect("lab_app") as app:
        app.execute("select lab.enter_tenant(%s)", [tenant])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(forbidden)  # type: ignore[arg-type]


def test_nobody_changes_curves_and_bands_but_the_owner(world: World) -> None:
    for table in ("warmup_steps", "reputation_bands"):
        statement = pg.SQL("delete from infrastructure.{}").format(pg.Identifier(table))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            world.platform.execute(statement)
