"""The errors that a user is meant to read, and the one that a search learns from."""


class HakkenError(Exception):
    """Something in the user's input or surroundings is wrong; the message says what, where and how to mend it.

    The command line prints the message without a traceback and exits with status 2.
    """


class InvalidArchitecture(ValueError):  # noqa: N818 - the name says what it is
    """These parameters describe no network: the patch is too small for its layers, or poolings lack layers."""
