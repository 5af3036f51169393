# The one door between Python and native code, a room for each thing that Python is given. Floor 2.
# It turns Python's plan into C structures and checks nothing but types and sizes that memory safety depends on:
# values, names and messages for users belong to Python.

import numpy as np

cimport numpy as cnp

cnp.import_array()

include "door/tables.pxi"
include "door/arrays.pxi"
include "door/plain.pxi"
include "door/settings.pxi"
include "door/network.pxi"
include "door/predictor.pxi"
include "door/optimizer.pxi"
include "door/losses.pxi"
include "door/traced.pxi"
include "door/workbench.pxi"
include "door/pass.pxi"
include "door/epochs.pxi"
include "door/kernels.pxi"
include "door/draws.pxi"
include "door/shares.pxi"
include "door/tabular.pxi"

_environment = __import__("os").environ
select_instruction_set(_environment.get("CNN_CORE_ISA") or None)
if _environment.get("CNN_CORE_BFLOAT16"):
    select_bfloat16(_environment["CNN_CORE_BFLOAT16"])
if _environment.get("CNN_CORE_INT8"):
    select_int8(_environment["CNN_CORE_INT8"])
