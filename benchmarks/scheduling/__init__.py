"""Scheduling: what a task costs that does no I/O. `part` says what is measured."""
