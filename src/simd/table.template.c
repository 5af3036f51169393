/* The table of one instruction set for one REAL; dispatch.c hands it out. Floor 0. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

const NAMED(kernels) JOINED(NAMED(kernels), INSTRUCTION_SET) = {
    .instruction_set = TEXT(INSTRUCTION_SET),
    .panel_width = PANEL_VECTORS * LANES,
    .panel_product = NAMED(panel_product),
    .row_product = NAMED(row_product),
    .pack_transposed = NAMED(pack_transposed),
    .gather = NAMED(gather),
    .transpose = NAMED(transpose),
    .column_sums = NAMED(column_sums),
    .exp = NAMED(exp_array),
    .log = NAMED(log_array),
    .cosine_sine = NAMED(cosine_sine_array),
    .activation_forward = NAMED(activation_forward),
    .activation_backward = NAMED(activation_backward),
    .function_forward = NAMED(function_forward),
    .function_backward = NAMED(function_backward),
    .softmax = NAMED(softmax),
    .optimizer_step = NAMED(optimizer_step),
    .add_scaled = NAMED(add_scaled),
    .scale = NAMED(scale),
    .sum_of_squares = NAMED(sum_of_squares),
    .all_finite = NAMED(all_finite),
    .column_moments = NAMED(column_moments),
    .column_products = NAMED(column_products),
    .normalize_columns = NAMED(normalize_columns),
    .differentiate_columns = NAMED(differentiate_columns),
    .row_sum = NAMED(row_sum),
    .centred_squares = NAMED(centred_squares),
    .normalize_row = NAMED(normalize_row),
    .row_products = NAMED(row_products),
    .add_row_gradients = NAMED(add_row_gradients),
    .differentiate_row = NAMED(differentiate_row),
    .philox_groups = philox_groups,
};
