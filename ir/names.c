/* Words of stages and roles. */
#include "ir/names.h"

const char *const stage_words[] = {
    [STAGE_TYPED] = "typed",   [STAGE_FLAT] = "flat",   [STAGE_PRIMITIVE] = "primitive",
    [STAGE_GROUPS] = "groups", [STAGE_READY] = "ready",
};

const char *const role_words[] = {
    [ROLE_INPUT] = "input",   [ROLE_PARAM] = "param", [ROLE_STATE] = "state",
    [ROLE_OPTIM] = "optim",   [ROLE_SEED] = "seed",   [ROLE_STEP] = "step",
    [ROLE_OUTPUT] = "output",
};
