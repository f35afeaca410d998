"""The polynomial of `src/host/normal.rs`: P(t) = Φ(−x)·exp(x²/2) with t = 1/(1 + 0.325·x), for x from 0 to 14.

    pip install numpy mpmath
    python crates/asym-kernels/scripts/fit_normal.py

The method is Lawson's algorithm: least squares with weights that increase where the error is large, until the fit is nearly
minimax. The error has the weight exp(−x²/2), so that it is the error of Φ, plus 0.02 for the accuracy of the tail.
"""

import mpmath
import numpy
from numpy.polynomial import Chebyshev, Polynomial, chebyshev

P, DEGREE, LIMIT, NODES = 0.325, 7, 14, 400
mpmath.mp.dps = 40
low = 1 / (1 + P * LIMIT)
nodes = numpy.arange(NODES)
t = (low + 1) / 2 + (1 - low) / 2 * numpy.cos(numpy.pi * (nodes + 0.5) / NODES)
x = (1 / t - 1) / P
exact = [mpmath.erfc(mpmath.mpf(v) / mpmath.sqrt(2)) / 2 * mpmath.exp(mpmath.mpf(v) ** 2 / 2) for v in x]
exact = numpy.array([float(v) for v in exact])
weight = numpy.exp(-x * x / 2) + 0.02
basis = chebyshev.chebvander((2 * t - (1 + low)) / (1 - low), DEGREE)
lawson = numpy.ones_like(t)
for _ in range(300):
    root = numpy.sqrt(lawson) * weight
    coefficients = numpy.linalg.lstsq(basis * root[:, None], exact * root, rcond=None)[0]
    error = numpy.abs(basis @ coefficients - exact) * weight
    lawson *= error / error.max() + 1e-12
    lawson /= lawson.max()
print("largest weighted error", error.max())
print([float(v) for v in Chebyshev(coefficients, domain=[low, 1]).convert(kind=Polynomial).coef])
