"""The metamorphic oracle: what row level security shows equals an explicit filter."""
