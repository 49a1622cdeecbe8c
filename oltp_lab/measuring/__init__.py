"""Driving load, sampling beside it, comparing, and keeping what was measured, for every stage."""
