"""The systems beside the OLTP database, each over its real protocol; no transaction spans two."""
