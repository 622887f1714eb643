"""The parts of `python -m playground up`."""
