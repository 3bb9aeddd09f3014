"""What requests and responses carry.

In reading order: `_encode` (what a caller passes becomes bytes).
"""
