"""The inspection 核对: what the store says, held against what was signed, logged and told in the trail.

Each part looks at a portion in one snapshot and names every fault; nothing here writes.
"""

from ecert.inspection.fault import FAULTS, Fault, Part, Portion

__all__ = ["FAULTS", "Fault", "Part", "Portion"]
