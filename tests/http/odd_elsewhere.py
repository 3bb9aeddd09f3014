"""What other readers do otherwise with the table of `odd_responses`: h11, http.client and curl."""

# What h11 0.16, http.client (Python 3.11 to 3.13) and curl (7.88, Debian 12) do otherwise: a row
# that they accept and we refuse, one that they refuse and we accept, one of which they read another
# body.
OTHERS: dict[str, dict[str, frozenset[str]]] = {
    "h11": {
        "accepts": frozenset(
            {
                "blanks inside of a chunk's extension",
                "control character in a value",
                "257 headers",
                "HTTP/2.0 on the status line",
                "both lengths",
                "folded coding",
                "folded length",
                "header of 70 KB",
            }
        ),
        "refuses": frozenset(
            {
                "blanks after a chunk's size",
                "chunked is not the last coding",
                "empty line before the status line",
            }
        ),
        "another body": frozenset(),
    },
    "http.client": {
        "accepts": frozenset(
            {
                "a coding that nobody asked for",
                "control character in a value",
                "blanks inside of a chunk's extension",
                "101 that nobody asked for",
                "NUL in a value",
                "a list of two lengths",
                "bare CR in a value",
                "bare LF ends the line of a chunk's size",
                "both lengths",
                "chunk size 0x2",
                "closed in the head",
                "empty length",
                "empty name",
                "endless trailers",
                "folded coding",
                "folded length",
                "folded status line",
                "length in hexadecimal",
                "length with a plus",
                "name with a space",
                "negative length",
                "no colon",
                "space before the colon",
            }
        ),
        "refuses": frozenset(
            {
                "empty line before the status line",
            }
        ),
        "another body": frozenset(
            {
                "interim answers",  # it takes only 100 for one
            }
        ),
    },
    "curl": {
        "accepts": frozenset(
            {
                "control character in a value",
                "blanks inside of a chunk's extension",
                "257 headers",
                "HTTP/2.0 on the status line",
                "a list of two lengths",
                "bare CR in a value",
                "bare LF ends the line of a chunk's size",
                "both lengths",
                "closed in the head",
                "empty name",
                "folded coding",
                "header of 70 KB",
                "length in hexadecimal",
                "length with a plus",
                "lower case",
                "name with a space",
                "overlong length",
                "space before the colon",
                "two lengths",
            }
        ),
        "refuses": frozenset(
            {
                "chunked is not the last coding",
                "empty line before the status line",
            }
        ),
        "another body": frozenset(),
    },
}
