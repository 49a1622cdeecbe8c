"""The stage that attacks tenant isolation. Each attack is a file in ``sql/isolation/attacks``."""
