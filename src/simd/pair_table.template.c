/* The table of one way to multiply pairs; dispatch.c hands it out. Floor 0. */
#ifndef PAIR_TABLE
#error "to be included by a template of products of pairs"
#endif

const pair_kernels JOINED(pair_kernels, PAIR_TABLE) = {
    .instruction_set = TEXT(PAIR_TABLE),
    .panel_product = panel_product_f32,
    .row_product = row_product_f32,
    .most_single_rows = 2,
    .reads_rows = READS_ROWS,
    .interleave = interleave,
    .pair_up = pair_up,
    .round_values = round_values,
};
