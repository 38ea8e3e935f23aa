"""The learning tower: a table becomes a `Surrogate`."""
