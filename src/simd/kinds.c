/* What the lists of kinds.h say about a kind. Floor 0. */
#include "kinds.h"

enum { SLOPE_READS_A = 0, SLOPE_READS_Z = 1, SLOPE_READS_Z_OR_A = 0 };

const char *activation_name(int kind) {
    switch (kind) {
        /* clang-format off */
#define NAME(KIND, name, source) case ACTIVATION_##KIND: return #name;
#define ROW_NAME(KIND, name) case ROW_##KIND: return #name;
        /* clang-format on */
        EACH_ACTIVATION(NAME)
        EACH_ROW_ACTIVATION(ROW_NAME)
#undef NAME
#undef ROW_NAME
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
