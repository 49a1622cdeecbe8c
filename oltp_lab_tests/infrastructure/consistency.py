"""What holds of addresses and their owners at any time."""

from oltp_lab_tests.infrastructure.world import World

TWO_OWNERS = """
    select a.smtp_ip_id from infrastructure.ip_assignments a
    join infrastructure.ip_assignments b on b.smtp_ip_id = a.smtp_ip_id and b.id <> a.id
    and tstzrange(a.assigned_at, a.released_at) && tstzrange(b.assigned_at, b.released_at)"""
DISAGREEING = """
    select i.id from infrastructure.smtp_ips i
    left join infrastructure.ip_assignments a on a.smtp_ip_id = i.id and a.released_at is null
    where i.owner_tenant_id is distinct from a.owner_tenant_id"""


def assert_consistent(world: World) -> None:
    assert world.rows(TWO_OWNERS) == []
    assert world.rows(DISAGREEING) == []
