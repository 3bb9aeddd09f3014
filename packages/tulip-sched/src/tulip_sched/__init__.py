"""tulip-sched."""
