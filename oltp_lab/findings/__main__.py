"""``python -m oltp_lab.findings``: what was found, and where the report is."""

from oltp_lab import settings
from oltp_lab.findings.report import headlines
from oltp_lab.measuring.store import Measurements


def main() -> None:
    current = settings.load()
    for line in headlines(Measurements(current.measurements)):
        print(line)
    print(f"report: {current.report}")


if __name__ == "__main__":
    main()
