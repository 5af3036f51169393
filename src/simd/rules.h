/* The list of the optimizers' rules, and what one step of any of them takes. Floor 0. */
#ifndef CNN_CORE_RULES_H
#define CNN_CORE_RULES_H

#include <math.h>
#include <stdint.h>

/* DO(RULE, name, hyperparameters in the order in which Python gives them, number of state vectors), h the
 * hyperparameters. */
/* clang-format off */
#define EACH_RULE(DO) \
    DO(SGD, sgd, "momentum nesterov", h->momentum != 0) \
    DO(RMSPROP, rmsprop, "rho momentum epsilon centered", 1 + (h->momentum > 0) + (h->centered != 0)) \
    DO(ADAM, adam, "beta_1 beta_2 epsilon amsgrad", 2 + (h->amsgrad != 0)) \
    DO(NADAM, nadam, "beta_1 beta_2 epsilon", 2) \
    DO(ADAMAX, adamax, "beta_1 beta_2 epsilon", 2) \
    DO(ADAGRAD, adagrad, "epsilon", 1) \
    DO(ADADELTA, adadelta, "rho epsilon", 2) \
    DO(LION, lion, "beta_1 beta_2", 1) \
    DO(FTRL, ftrl, "learning_rate_power l1 l2 shrinkage beta", 2) \
    DO(SCHEDULE_FREE_ADAMW, schedule_free_adamw, "beta_1 beta_2 epsilon warmup_steps", 2)

/* Those whose step depends on a whole tensor, too: a sweep leaves a direction for src/training/tensor_steps.pxd. */
#define EACH_RULE_OF_TENSORS(DO) \
    DO(LAMB, lamb, "beta_1 beta_2 epsilon", 2) \
    DO(ADAFACTOR, adafactor, "beta_2_decay epsilon_1 epsilon_2 clip_threshold", 2) \
    DO(MUON, muon, "beta_1 beta_2 epsilon muon_a muon_b muon_c adam_lr_ratio momentum ns_steps nesterov rms_rate", 2)

#define EACH_HYPERPARAMETER(DO) \
    DO(momentum) DO(nesterov) DO(rho) DO(centered) DO(beta_1) DO(beta_2) DO(epsilon) DO(amsgrad) \
    DO(learning_rate_power) DO(l1) DO(l2) DO(shrinkage) DO(beta) DO(warmup_steps) \
    DO(beta_2_decay) DO(epsilon_1) DO(epsilon_2) DO(clip_threshold) \
    DO(muon_a) DO(muon_b) DO(muon_c) DO(adam_lr_ratio) DO(ns_steps) DO(rms_rate)
/* clang-format on */

enum optimizer_rule {
#define NUMBER(RULE, name, hyperparameters, slots) RULE_##RULE,
    EACH_RULE(NUMBER)
    EACH_RULE_OF_TENSORS(NUMBER)
#undef NUMBER
        RULE_COUNT
};
enum { MAX_SLOTS = 3 };

/* Those that a rule does not have are 0. */
typedef struct {
#define FIELD(name) double name;
    EACH_HYPERPARAMETER(FIELD)
#undef FIELD
} hyperparameters;

/* What differs from step to step and from group to group. Double also for float parameters, so that 1 - beta_2 is
   rounded once, as in Keras. */
typedef struct {
    double lr;
    double shrink;         /* what w is multiplied by first: decoupled weight decay, 1 - lr * decay; 1 for none */
    double epsilon_factor; /* of the hyperparameter epsilon */
    double nadam_product;  /* of Nadam's momenta up to this step */
    double row_scale;      /* of a row's mean squares, in Adafactor */
    int64_t t;             /* the number of the step, from 1 */
} step_scalars;

static inline int rule_is_of_tensors(int rule) { return rule >= RULE_LAMB; }

const char *rule_name(int rule);

/* The names of its hyperparameters, one blank between two. */
const char *rule_hyperparameters(int rule);

int rule_slots(int rule, const hyperparameters *h);

/* The hyperparameter of that name, NULL if there is none. */
double *hyperparameter_named(hyperparameters *h, const char *name);

/* Nadam's momentum of step t. */
static inline double nadam_momentum(double beta_1, int64_t t) { return beta_1 * (1 - 0.5 * pow(0.96, (double)t)); }

#endif
