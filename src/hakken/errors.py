"""The errors that a user is meant to read."""


class HakkenError(Exception):
    """Something in the user's input or surroundings is wrong; the message says what, where and how to mend it.

    The command line prints the message without a traceback and exits with status 2.
    """
