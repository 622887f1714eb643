"""The pipeline: prepare -> infer -> deliver, and the sweep that mends what broke."""
