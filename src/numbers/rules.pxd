# The list of the optimizers' rules of src/simd/rules.h, and what a step of theirs takes. Floor 1.

from libc.stdint cimport int64_t

cdef extern from "simd/rules.h" nogil:
    enum:
        MAX_SLOTS
        RULE_NADAM
        RULE_COUNT
    ctypedef struct hyperparameters:
        double beta_1
    ctypedef struct step_scalars:
        double lr
        double shrink
        double epsilon_factor
        double nadam_product
        int64_t t
    const char *rule_name(int rule)
    const char *rule_hyperparameters(int rule)
    int rule_slots(int rule, const hyperparameters *h)
    double *hyperparameter_named(hyperparameters *h, const char *name)
    double nadam_momentum(double beta_1, int64_t t)
