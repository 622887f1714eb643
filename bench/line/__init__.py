"""One line for everybody, beside what people would put before a model server instead."""
