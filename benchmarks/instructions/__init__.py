"""Instruction counts of a few hot paths: they do not depend on the machine's mood."""
