"""CPU time to start: import xseg, and one explained row as a process, beside importing pandas and scikit-learn."""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from harness import show

import xseg


def cpu(words: Sequence[str]) -> float:
    """Return the CPU time of a process, which keeps and finds compiled modules as in an installation."""
    keeping = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, capture_output=True, env=keeping)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def in_turn(*commands: Sequence[str], repeats: int = 7) -> list[float]:
    """Return the median CPU time of each command, run in turn, after a run that is not counted."""
    times = [[cpu(words) for words in commands] for _ in range(repeats + 1)]
    return [float(median) for median in np.median(times[1:], axis=0)]


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    customers = xseg.make_customers(1_000, random_state=0)
    customers.to_csv(folder / "customers.csv", index_label="customer_id")
    xseg.save(xseg.TreeSegmenter(random_state=0).fit(customers), folder / "model.json")
    words = ("-m", "xseg", "explain", str(folder / "model.json"), str(folder / "customers.csv"), "--row", "3")
    own, nothing, explained, stack = in_turn(
        ("-c", "import xseg"), ("-c", "pass"), words, ("-c", "import pandas, sklearn.base")
    )
    rows = [
        ("import xseg, an empty process", f"{own:.2f} s", f"{nothing:.2f} s", f"{own / nothing:.1f}"),
        ("xseg explain, import pandas and sklearn", f"{explained:.2f} s", f"{stack:.2f} s", f"{explained / stack:.2f}"),
    ]
    show("Starting", rows)


if __name__ == "__main__":
    main()
