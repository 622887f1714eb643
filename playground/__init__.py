"""A Slack and a model server in one small process: to try the product, to test it, to break it."""
