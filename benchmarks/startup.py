"""Starting: importing xseg, and one explained row as a process, beside importing pandas and scikit-learn."""

import subprocess
import sys
import tempfile
from pathlib import Path

from harness import seconds, show

import xseg


def run(*words: str) -> None:
    subprocess.run([sys.executable, *words], check=True, capture_output=True)


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    customers = xseg.make_customers(1_000, random_state=0)
    customers.to_csv(folder / "customers.csv", index_label="customer_id")
    xseg.save(xseg.TreeSegmenter(random_state=0).fit(customers), folder / "model.json")
    nothing = seconds(lambda: run("-c", "pass"), 5)
    own = seconds(lambda: run("-c", "import xseg"), 5)
    stack = seconds(lambda: run("-c", "import pandas, sklearn.base"), 5)
    words = ("-m", "xseg", "explain", str(folder / "model.json"), str(folder / "customers.csv"), "--row", "3")
    explained = seconds(lambda: run(*words), 5)
    rows = [
        ("import xseg, an empty process", f"{own:.2f} s", f"{nothing:.2f} s", f"{own / nothing:.1f}"),
        ("xseg explain, import pandas and sklearn", f"{explained:.2f} s", f"{stack:.2f} s", f"{explained / stack:.2f}"),
    ]
    show("Starting", rows)


if __name__ == "__main__":
    main()
