"""The stage that builds the OLTP database out of ``sql/schema`` and ``sql/operations``."""
