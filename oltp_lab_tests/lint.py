"""``python -m oltp_lab_tests.lint``: pgspot over all that a build executes, in its order.

Two exceptions, since pgspot expects scripts of extensions and knows bodies as strings alone:

- A body that is not a string (``return ...``, ``begin atomic``) is bound when it is created, so it
  is judged by the search path of the build. pgspot 0.9.4 fails on these: it is not shown them.
- A function with its caller's rights may leave ``pg_temp`` where it is: what is there is the
  caller's own. One that is SECURITY DEFINER must put it last.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from oltp_lab import sql
from oltp_lab.schema import build

PGSPOT = Path(sys.executable).with_name("pgspot")
SETTINGS = "returns integer language sql set search_path = pg_catalog, pg_temp"

# A body ends where its comment begins, which every function of the lab has.
_FUNCTION = re.compile(
    r"^create (?P<replace>or replace )?function .*?"
    r"(?:\bas \$\$.*?^\$\$;|\bbegin atomic\b.*?\bend;(?=\s*(?:comment|\Z))|\breturn\b[^;]*;)",
    re.MULTILINE | re.DOTALL,
)


def issues(files: Iterable[str]) -> int:
    """Print what pgspot finds in files below ``sql/``, read one after another; 0 is nothing."""
    text = "\n".join(_FUNCTION.sub(_as_pgspot_reads, sql.read(file)) for file in files)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(text)
        script.flush()
        done = subprocess.run(
            [PGSPOT, script.name], capture_output=True, text=True, timeout=120, check=False
        )
    print(done.stdout + done.stderr, end="")
    return done.returncode


def _as_pgspot_reads(function: re.Match[str]) -> str:
    text = function[0]
    if "as $$" not in text:
        return f"create {function['replace'] or ''}function bound() {SETTINGS} as 'select 1';"
    if "security definer" in text:
        return text
    return text.replace("search_path = pg_catalog\n", "search_path = pg_catalog, pg_temp\n")


if __name__ == "__main__":
    sys.exit(issues([*build.PREPARATION, *build.layers()]))
