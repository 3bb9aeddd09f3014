"""What requests and responses carry.

In reading order: `_encode` (what a caller passes becomes bytes), `_stream` (bytes that come one
piece after the other), `_multipart` (forms with files), `_decode` (content codings), `_text`
(characters and lines from pieces), `_pieces` (of the size that a caller wants).
"""
