"""Routes: each reads, calls one verb of the registry, and writes."""
