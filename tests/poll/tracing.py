"""What a program asks of the kernel: the system calls on descriptors, counted by strace."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.opponents import need

CALL = re.compile(r"^(?:\d+ +)?(\w+)\(")


def system_calls(program: Path, folder: Path, *, begin: str, end: str) -> Counter[str]:
    """Run a program under strace; count its calls between two things that it writes.

    Args:
        program: A Python program.
        folder: For strace's output.
        begin: What the program writes to its standard output when counting begins.
        end: What it writes when counting ends.
    """
    strace = need.program("strace", package="strace")
    output = folder / "strace.txt"
    done = subprocess.run(
        [strace, "-f", "-e", "trace=%desc,%network", "-o", output, sys.executable, program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "PTRACE" in done.stderr or "ptrace" in done.stderr:
        need.missing(f"strace may not trace here: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    lines = output.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if f'write(1, "{begin}' in line)
    last = next(number for number, line in enumerate(lines) if f'write(1, "{end}' in line)
    found = (CALL.match(line) for line in lines[first + 1 : last])
    # To strace mmap() is about descriptors, too. Here it is the allocator's: when it needs another
    # arena is a matter of luck.
    return Counter(match[1] for match in found if match and match[1] != "mmap")
