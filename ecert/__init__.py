"""ecert."""
