"""tulip-poll."""
