"""``python -m ecert`` and the ``ecert`` command."""

from ecert.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
