"""What is due in the lab's own OLTP database, looked up where its domains are as they last were.

The lab's tenants publish nowhere else: their zones have what was last found of each record, so the
statuses stay and the sample data still agrees, while history and the next date move on.
"""

from datetime import datetime

from oltp_lab import sql
from oltp_lab.neighbours.dns import run, world
from oltp_lab.neighbours.dns.verify import Tally
from oltp_lab.servers import Database
from oltp_lab.settings import Settings


def is_due(database: Database, at: datetime) -> bool:
    """Has any domain to be looked up by that time?"""
    due = sql.queries("neighbours/dns/verify.sql")["due"]
    with database.connect("lab_platform") as session:
        return session.execute(due, {"at": at}).fetchone() == (True,)


def recheck(settings: Settings, database: Database, at: datetime) -> Tally:
    """Look up what is due at that time and note it in this database.

    Raises LabError when the DNS server does not start or answers nothing.
    """
    with database.connect("lab_platform") as session:
        zones = session.execute(sql.queries("neighbours/dns/verify.sql")["last_found"]).fetchall()
    with world.served(settings, zones) as server:
        return run.verified(database, server.port, at)
