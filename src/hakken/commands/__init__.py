"""The commands of `hakken`: one module each, the same functions that the workflow calls."""
