"""``python -m havre``: the command line."""

from havre.cli import main

if __name__ == "__main__":
    main()
