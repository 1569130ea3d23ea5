"""What crosses every act, once: who may, one transaction with its audit row, the trail, the log."""
