"""``python -m adverify``: the command line."""

from adverify.cli import main

if __name__ == "__main__":
    main()
