"""What the parts of the benchmark share.

Reading order: `meter` (one sample), `part` (cases and competitors), `processes` (one process each,
on a core of its own), `certificates`, `rounds` (competitors in turn), `results`, `machine`,
`tables`, `chart`, `compare`, `publish`.
"""
