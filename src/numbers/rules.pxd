# The list of the optimizers' rules of src/simd/rules.h, and what a step of theirs takes. Floor 1.

from libc.stdint cimport int64_t

cdef extern from "simd/rules.h" nogil:
    enum:
        MAX_SLOTS
        RULE_ADAM
        RULE_NADAM
        RULE_LAMB
        RULE_ADAFACTOR
        RULE_MUON
        RULE_COUNT
    ctypedef struct hyperparameters:
        double beta_1
        double beta_2_decay
        double epsilon_1
        double epsilon_2
        double clip_threshold
        double muon_a
        double muon_b
        double muon_c
        double adam_lr_ratio
        double ns_steps
        double rms_rate
    ctypedef struct step_scalars:
        double lr
        double shrink
        double epsilon_factor
        double nadam_product
        double row_scale
        int64_t t
    bint rule_is_of_tensors(int rule)
    const char *rule_name(int rule)
    const char *rule_hyperparameters(int rule)
    int rule_slots(int rule, const hyperparameters *h)
    double *hyperparameter_named(hyperparameters *h, const char *name)
    double nadam_momentum(double beta_1, int64_t t)
