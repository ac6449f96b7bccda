"""`python -m sr_hub`."""

from sr_hub.cli import main

main()
