/* tenon eval: the reports of a train block with given weights. */
#include "tools/attack.h"
#include <math.h>
#include <stdio.h>

static void print_figures(const Training *t, const char *part, const Figures *figures) {
    if (!figures->there) return;
    printf("%s", part);
    for (uint32_t r = 0; r < t->block->figures; r++)
        printf("  %s %.4f", t->block->figure[r].name, figures->value[r]);
    printf("\n");
}

static Status evaluate_json(Training *t, const Figures *valid, const Figures *test) {
    json_t *row = progress_row(t, 0, valid, test), *out = json_object();
    static const char *const parts[] = {"valid", "test"};
    for (int i = 0; i < 2; i++)
        if (json_object_get(row, parts[i]))
            json_object_set(out, parts[i], json_object_get(row, parts[i]));
    json_decref(row);
    json_t *attack = NULL;
    Status status = t->block->attack ? attack_run(t, &attack) : STATUS_OK;
    if (attack) json_object_set_new(out, "attack", attack);
    if (status == STATUS_OK) {
        json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
        putchar('\n');
    }
    json_decref(out);
    return status;
}

static Status evaluate(Training *t) {
    Figures valid, test;
    Status status = training_evaluate(t, &valid, &test);
    if (status != STATUS_OK) return status;
    if (t->session->options->json) return evaluate_json(t, &valid, &test);
    print_figures(t, "valid", &valid);
    print_figures(t, "test", &test);
    return t->block->attack ? attack_run(t, NULL) : STATUS_OK;
}

static Status eval_body(Session *s) {
    Training t;
    const List *arg = &s->options->arg;
    double eps[MAX_EPS];
    uint32_t grid;
    Status status = attack_grid(s, eps, &grid);
    if (status != STATUS_OK) return status;
    s->settings.with_attack = true;
    for (uint32_t i = 0; i < grid; i++)
        s->settings.greatest_eps = fmax(s->settings.greatest_eps, eps[i]);
    status = training_begin(&t, s, arg->count > 1 ? arg->at[1] : NULL);
    if (status == STATUS_OK) status = attack_check(&t);
    if (status == STATUS_OK) status = session_init(s, t.block->init, 1);
    if (status == STATUS_OK) status = session_weights(s, s->options->weights);
    if (status == STATUS_OK) status = evaluate(&t);
    training_end(&t);
    return status;
}

Status verb_eval(const Options *options) {
    if (!options->weights) {
        fprintf(stderr, "tenon eval: needs --weights FILE.safetensors\n");
        return STATUS_USAGE;
    }
    return session_run(options, options->arg.at[0], eval_body, NULL);
}
