"""dlt's ``sql_table`` loading a table into DuckDB, in a process of its own: prints the seconds.

Arguments: backend, table, file. Standard input: the database's URL as SQLAlchemy and as connectorx
understand it, a line each (they hold a password). Imports are not timed.
"""

import sys
import time
from pathlib import Path


def main() -> None:
    backend, label, file = sys.argv[1:]
    sqlalchemy_url, plain_url = sys.stdin.read().split()

    import dlt  # type: ignore[reportMissingImports]
    from dlt.sources.sql_database import sql_table  # type: ignore[reportMissingImports]

    options = {}
    if backend == "connectorx":
        import connectorx  # type: ignore[reportMissingImports]  # noqa: F401

        options = {"backend_kwargs": {"conn": plain_url, "return_type": "arrow"}}
    schema, table = label.split(".")
    began = time.perf_counter()
    rows = sql_table(sqlalchemy_url, schema=schema, table=table, backend=backend, **options)
    pipeline = dlt.pipeline(
        f"benchmark_{backend}",
        pipelines_dir=str(Path(file).parent / "pipelines"),
        destination=dlt.destinations.duckdb(file),
        dataset_name="staging",
    )
    pipeline.run(rows).raise_on_failed_jobs()
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
