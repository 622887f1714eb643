"""What a person can do, one thing per file; each has a `register(app, resources)`."""
