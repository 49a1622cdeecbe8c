"""Syncs as ``loss_oracle.syncs``, with mistakes in their SQL that the loss oracle must notice."""

from typing import LiteralString, cast

from oltp_lab import sql
from oltp_lab.warehouse.loss_oracle import syncs

OLTP, WAREHOUSE = "warehouse/staging/oltp.sql", "warehouse/staging/warehouse.sql"
MISTAKES = {
    # Whatever began before the last sync passes for seen: rows are lost, or stay as they were.
    (OLTP, "changed"): (
        "not pg_visible_in_snapshot(change_xid::text::xid8, {snapshot})",
        "change_xid >= pg_snapshot_xmax({snapshot})::text::bigint",
    ),
    # Tombstones are not heeded.
    (OLTP, "buried"): ("where ", "where false and "),
    # What changed is added to what was there.
    (WAREHOUSE, "delete_old"): ("where ", "where false and "),
}

if __name__ == "__main__":
    for (file, name), (right, wrong) in MISTAKES.items():
        query = sql.queries(file)[name]
        assert right in query
        sql.queries(file)[name] = cast(LiteralString, query.replace(right, wrong))
    syncs.main()
