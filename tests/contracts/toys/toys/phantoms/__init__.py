"""Systems that a stranger might bring: the smallest of each kind that the seams are made for."""
