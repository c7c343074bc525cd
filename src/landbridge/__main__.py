"""`python -m landbridge` is the command line."""

from landbridge.cli.main import main

if __name__ == "__main__":
    main()
