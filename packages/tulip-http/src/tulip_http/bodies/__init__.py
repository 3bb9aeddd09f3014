"""What requests and responses carry.

In reading order: `_encode` (what a caller passes becomes bytes), `_decode` (content codings),
`_text` (characters and lines from pieces).
"""
