"""The truth: models, states, and every query, one module per noun. Knows neither Slack nor Celery."""
