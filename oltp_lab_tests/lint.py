"""``python -m oltp_lab_tests.lint``: pgspot over all that a build executes, in its order.

Two exceptions, since pgspot expects scripts of extensions and knows bodies as strings alone:

- A body that is not a string (``return ...``, ``begin atomic``) is bound when it is created, so it
  is judged by the search path of the build. pgspot 0.9.4 fails on these.
- A function with its caller's rights may leave ``pg_temp`` where it is: what is there is the
  caller's own. One that is SECURITY DEFINER must put it last.
"""

import sys
from argparse import Namespace
from collections.abc import Iterable

from pglast import ast, visitors
from pgspot import visitors as pgspot
from pgspot.formatters import format_function
from pgspot.state import Counter, State

from oltp_lab import sql
from oltp_lab.schema import build

OPTIONS = Namespace(
    proc_without_search_path=[],
    summary_only=False,
    plpgsql=True,
    ignore=[],
    ignore_lang=[],
    sql_fn=[],
)


class Visitor(pgspot.SQLVisitor):
    """pgspot's own, with the exceptions above."""

    def visit_CreateFunctionStmt(  # noqa: N802 - named by pglast
        self, ancestors: visitors.Ancestor, node: ast.CreateFunctionStmt
    ) -> None:
        if node.sql_body is not None:
            if node.replace:
                self.state.warn("PS002", format_function(node))
            return
        options = node.options or ()
        if all(option.defname != "security" for option in options):
            for option in options:
                if option.defname == "set" and option.arg.name == "search_path":
                    option.arg.args += (ast.A_Const(val=ast.String("pg_temp")),)
        super().visit_CreateFunctionStmt(ancestors, node)


def issues(files: Iterable[str]) -> int:
    """Print what pgspot finds in files below ``sql/``, read one after another; return how much."""
    pgspot.SQLVisitor = Visitor
    counter = Counter(OPTIONS)
    state = State(counter)
    for file in files:
        before = str(counter)
        pgspot.visit_sql(state, sql.read(file), toplevel=True)
        if str(counter) != before:
            print(f"^ {file}")
    print(f"pgspot: {counter}")
    return counter.errors + counter.warnings + counter.unknowns


if __name__ == "__main__":
    sys.exit(issues([*build.PREPARATION, *build.layers()]) > 0)
