"""The stage that fills the OLTP database out of ``sql/sample_data``, and proves that it agrees."""
