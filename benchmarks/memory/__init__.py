"""Memory: bytes per idle connection and per parked task. `part` says what is measured."""
