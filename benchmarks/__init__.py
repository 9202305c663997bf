"""Commands that make the numbers in docs and model cards again; nothing here is asserted in tests."""
