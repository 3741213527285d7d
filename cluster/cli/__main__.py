"""`python -m cluster.cli`: the command without an installed entry point."""

from cluster.cli import main

main()
