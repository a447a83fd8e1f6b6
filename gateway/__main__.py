"""`python -m gateway`: the `lectern` command."""

from gateway.cli import main

main()
