"""``python -m mailsuite``: the same as the ``mailsuite`` command."""

from mailsuite.cli.main import main

if __name__ == "__main__":
    main()
