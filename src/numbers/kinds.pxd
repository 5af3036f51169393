# The lists of activations and functions of src/simd/kinds.h. Floor 1.

cdef extern from "simd/kinds.h" nogil:
    enum:
        ACTIVATION_LINEAR
        ACTIVATION_RELU
        ACTIVATION_SIGMOID
        ACTIVATION_SOFTPLUS
        ROW_SOFTMAX
        ROW_LOG_SOFTMAX
        ROW_GLU
        ROW_SPARSEMAX
        CUSTOM_ACTIVATION
        ACTIVATION_COUNT
        FUNCTION_COUNT
    const char *activation_name(int kind)
    bint activation_is_elementwise(int kind)
    bint activation_slope_needs_z(int kind)
    const char *function_name(int function)
    int function_arity(int function)
    bint function_is_flat(int function)
