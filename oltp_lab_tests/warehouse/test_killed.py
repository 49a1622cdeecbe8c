"""A sync or refresh that is killed leaves the warehouse as it was, and the next one heals."""

import random
import subprocess
import sys
import time

from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.servers import Database
from oltp_lab.warehouse import marts, reconciliation
from oltp_lab.warehouse.tables import describe
from oltp_lab_tests.warehouse.business import assert_equal, modes, stale, sync

ROUNDS = 3

# Syncs and refreshes until it is killed, in turns as a whole, so that it is nearly always inside.
_SYNCING = """
import itertools, sys
import duckdb
from oltp_lab import servers, settings
from oltp_lab.warehouse import extraction, marts
from oltp_lab.warehouse.tables import describe

database = servers.oltp(settings.load()).sibling(sys.argv[1])
descriptions = describe(database)
for turn in itertools.count():
    with duckdb.connect(sys.argv[2]) as connection:
        extraction.sync(connection, database, descriptions, full_refresh=turn % 2 == 1)
        marts.refresh(connection, full_refresh=turn % 4 == 2)
    print(turn, flush=True)
"""


def test_a_killed_sync_heals(oltp: Database, warehouse: Warehouse) -> None:
    choice = random.Random(1)
    with oltp.connect("lab_platform", autocommit=True) as platform:
        platform.execute(
            "insert into campaigns.leads (tenant_id, email) "
            "select id, 'many' || n || '@one.example' "
            "from public.tenants, generate_series(1, 1000) as n"
        )
        with warehouse.open() as connection:
            sync(connection, oltp)
            marts.refresh(connection)
        for turn in range(ROUNDS):
            command = [sys.executable, "-c", _SYNCING, oltp.name, warehouse.database]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
                assert child.stdout
                assert child.stdout.readline() == b"0\n"
                changed = "update campaigns.leads set first_name = %s where email like %s"
                platform.execute(changed, [f"turn {turn}", f"%{turn}@%"])
                platform.execute(
                    "delete from campaigns.leads where email like %s", [f"many{turn}%7@%"]
                )
                time.sleep(choice.random() * 0.6)
                child.kill()
            with warehouse.open() as connection:
                assert "full" not in modes(sync(connection, oltp))
                assert_equal(connection, oltp)
                marts.refresh(connection)
                assert not any(stale(connection, mart) for mart in marts.discovered())
    with warehouse.open() as connection:
        compared = reconciliation.reconcile(connection, oltp, describe(oltp))
    assert [result.differences for result in compared] == [()] * len(compared)
