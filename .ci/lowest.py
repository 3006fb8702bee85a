"""Print the lowest declared version of every dependency, as constraints for pip."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
wanted = list(project["dependencies"])
for extra in sys.argv[1:]:
    wanted += project["optional-dependencies"][extra]
for requirement in wanted:
    name, _, lowest = requirement.partition(">=")
    if lowest:
        print(f"{name.split('[')[0].strip()}=={lowest}")
