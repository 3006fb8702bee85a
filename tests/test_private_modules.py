"""The check of the lint step that keeps private modules within their package."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[1] / ".ci" / "check_imports.py"


def run(*arguments):
    command = [sys.executable, str(CHECK), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_no_package_imports_a_private_module_of_another():
    assert run().returncode == 0, run().stdout


@pytest.mark.parametrize(
    "line",
    [
        "from xseg.segmenters._tree import TreeSegmenter",
        "import xseg.segmenters._tree",
        "from xseg.segmenters import _tree",
        "if TYPE_CHECKING:\n    from xseg.segmenters._tree import TreeSegmenter",
        "def fit():\n    from xseg.segmenters._tree import TreeSegmenter",
    ],
)
def test_such_an_import_fails_the_check_wherever_it_stands(tmp_path, line):
    module = tmp_path / "xseg" / "cards" / "_cards.py"
    module.parent.mkdir(parents=True)
    module.write_text(line)
    found = run(tmp_path)
    assert found.returncode == 1
    assert "xseg.segmenters._tree" in found.stdout
    assert "_cards.py" in found.stdout


def test_imports_within_a_package_and_of_its_own_parents_pass(tmp_path):
    module = tmp_path / "xseg" / "segmenters" / "_tree.py"
    module.parent.mkdir(parents=True)
    module.write_text("from xseg._files import write_whole\nfrom xseg.segmenters._base import Segmenter")
    assert run(tmp_path).returncode == 0
