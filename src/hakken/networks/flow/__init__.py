"""A normalising flow of images of two and of three axes: Glow (Kingma and Dhariwal, NeurIPS 2018).

Notation: x is an image (b, c, y, x) or (b, c, z, y, x), D the number of its values, y = f(x). Every part maps x to y
and to log |det dy/dx| of each sample (b,), in nats, and has an exact inverse. log p(x) is then log N(y) plus the sum of
all these. The same code serves two and three axes; an image's extents are its edges along them.
"""
