"""The deciding tower: a `Network` and what x may be become a `Decision`."""
