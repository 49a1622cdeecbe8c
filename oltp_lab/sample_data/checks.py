"""One blocking check a rule of the sample data; all of them on one connection."""

from collections.abc import Iterator

import dagster as dg

from oltp_lab.resources import Oltp, table_key
from oltp_lab.sample_data import rules


@dg.multi_asset_check(
    name="sample_data_agrees",
    specs=[
        dg.AssetCheckSpec(
            rule.name,
            asset=table_key(rule.schema, rule.table),
            blocking=True,
            description=f"{rule.promise[0].upper()}{rule.promise[1:]}",
        )
        for rule in rules.rules()
    ],
)
def sample_data_agrees(oltp: Oltp) -> Iterator[dg.AssetCheckResult]:
    with oltp.database().connect("lab_platform") as connection:
        rules.prepare(connection)
        for rule in rules.rules():
            yield _result(rule, rules.judge(connection, rule))


def _result(rule: rules.Rule, verdict: rules.Verdict) -> dg.AssetCheckResult:
    broken = f"{verdict.offending:,} rows break it"
    return dg.AssetCheckResult(
        check_name=rule.name,
        asset_key=table_key(rule.schema, rule.table),
        passed=verdict.offending == 0,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{broken}: {rule.promise}" if verdict.offending else "holds",
        metadata={
            "offending_rows": float(verdict.offending),
            "examples": dg.MetadataValue.json(verdict.examples),
            "query": dg.MetadataValue.md(f"```sql\n{rule.query}```"),
        },
    )


checks = [sample_data_agrees]
