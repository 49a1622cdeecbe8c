"""Every attack on every table by every way in, and the mutants that they must catch."""
