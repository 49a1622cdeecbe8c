"""Which indexes row level security leaves usable."""
