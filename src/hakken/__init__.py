"""hakken: from a table of annotated medical images to a measured lesion detector and the figures of its paper."""

from importlib.metadata import version

__version__ = version("hakken")
