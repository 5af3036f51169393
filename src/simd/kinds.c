/* What the lists of kinds.h and rules.h say about a kind or a rule. Floor 0. */
#include "kinds.h"

#include <string.h>

#include "rules.h"

enum { SLOPE_READS_A = 0, SLOPE_READS_Z = 1, SLOPE_READS_Z_OR_A = 0 };

const char *activation_name(int kind) {
    switch (kind) {
#define NAME(KIND, name, source) \
    case ACTIVATION_##KIND: return #name;
        EACH_ACTIVATION(NAME)
#undef NAME
#define NAME(KIND, name) \
    case ROW_##KIND: return #name;
        EACH_ROW_ACTIVATION(NAME)
#undef NAME
    default: return "custom";
    }
}

int activation_slope_needs_z(int kind) {
    switch (kind) {
#define NEEDS_Z(KIND, name, source) \
    case ACTIVATION_##KIND: return SLOPE_READS_##source;
        EACH_ACTIVATION(NEEDS_Z)
#undef NEEDS_Z
    default: return 0;
    }
}

typedef struct {
    const char *name;
    int arity, is_flat;
} function_row;

enum { SLOPED = 0, FLAT = 1 };
#define ROW(KIND, name, arity, adjoint) {#name, arity, adjoint},
static const function_row functions[] = {EACH_FUNCTION(ROW)};
#undef ROW

const char *function_name(int function) { return functions[function].name; }
int function_arity(int function) { return functions[function].arity; }
int function_is_flat(int function) { return functions[function].is_flat; }

const char *rule_name(int rule) {
    switch (rule) {
#define NAME(RULE, name, hyperparameters, slots) \
    case RULE_##RULE: return #name;
        EACH_RULE(NAME)
        EACH_RULE_OF_TENSORS(NAME)
#undef NAME
    default: return NULL;
    }
}

const char *rule_hyperparameters(int rule) {
    switch (rule) {
#define HYPERPARAMETERS(RULE, name, hyperparameters, slots) \
    case RULE_##RULE: return hyperparameters;
        EACH_RULE(HYPERPARAMETERS)
        EACH_RULE_OF_TENSORS(HYPERPARAMETERS)
#undef HYPERPARAMETERS
    default: return NULL;
    }
}

int rule_slots(int rule, const hyperparameters *h) {
    switch (rule) {
#define SLOTS(RULE, name, hyperparameters, slots) \
    case RULE_##RULE: return slots;
        EACH_RULE(SLOTS)
        EACH_RULE_OF_TENSORS(SLOTS)
#undef SLOTS
    default: return 0;
    }
}

double *hyperparameter_named(hyperparameters *h, const char *name) {
#define FIND(field) \
    if (strcmp(name, #field) == 0) return &h->field;
    EACH_HYPERPARAMETER(FIND)
#undef FIND
    return NULL;
}
