"""Speed as ratios in one run. Each module's public functions named ``measure...`` return rows."""
