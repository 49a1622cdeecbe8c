"""The stage that says what was found: the report, and which of the questions are answered."""
