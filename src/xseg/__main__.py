"""``python -m xseg`` is the same as ``xseg``."""

from xseg.cli import main

main()
