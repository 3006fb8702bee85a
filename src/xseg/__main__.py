"""The command ``xseg``, which ``python -m xseg`` is too."""

import gc

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    # Imports make objects that live as long as the process; looking for garbage among them is a tenth of its time.
    gc.set_threshold(100_000)
    from xseg.cli import main as run

    run()


if __name__ == "__main__":
    main()
