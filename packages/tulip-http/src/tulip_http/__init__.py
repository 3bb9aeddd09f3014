"""tulip-http."""
