# Everything of src/simd as seen from Cython: kernels as fused functions, and the lists of kinds. Floor 1.

from kernels cimport *
from kinds cimport *
from rules cimport *
