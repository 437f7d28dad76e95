"""hakken: from a table of annotated medical images to a measured lesion detector and the figures of its paper."""


def __getattr__(name: str) -> str:
    """Look up the version when it is asked for: reading a package's metadata takes longer than `hakken --help` may."""
    if name == "__version__":
        from importlib.metadata import version

        return version("hakken")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
