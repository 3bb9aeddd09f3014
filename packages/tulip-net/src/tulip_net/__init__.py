"""tulip-net."""
