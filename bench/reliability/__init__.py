"""What `make chaos` measures, and docs/reliability.md."""
