/*
 * tenon train --explain: what a training step computes, before and after each pass.
 *
 *     contractions   in the text, the body of a loop once
 *     in loops       those of one round of the loops
 *     run            those of a step, each as often as its loop has rounds
 *     Gflop          of a step: two for each product of a contraction, one for each element
 *                    of other arithmetic
 */
#include "tools/bench.h"
#include "tools/training.h"
#include <stdio.h>
#include <string.h>

typedef struct Count {
    int64_t nodes, grads, contractions, in_loops, run;
    double flop;
} Count;

typedef struct Explain {
    const char *step; /* name of the entry */
    Count last;
    bool json;
    json_t *rows; /* of --json */
} Explain;

static void count_func(const Func *func, double times, bool in_loop, Count *count) {
    for (Val v = func->params.count; v < func->nodes.count; v++) {
        const Node *node = graph_node(func, v);
        const Attr *body = node_attr(node, ATTR_body);
        const bool loops = node->op == OP_repeat;
        const double rounds = loops ? (double)node_int(node, ATTR_count, 1) : 1;
        if (body) count_func(body->func, times * rounds, in_loop || loops, count);
        count->nodes++;
        count->grads += node->op == OP_grad;
        count->flop += times * node_flop(func, node);
        if (node->op != OP_contract) continue;
        count->contractions++;
        count->in_loops += in_loop;
        count->run += (int64_t)times;
    }
}

static void print_row(const char *pass, const Count *c) {
    printf("%-10s %6lld %12lld %9lld %7lld %9.3f%s", pass, (long long)c->nodes,
           (long long)c->contractions, (long long)c->in_loops, (long long)c->run,
           c->flop * 1e-9, c->grads ? "" : "\n");
    if (c->grads) printf("   and %lld gradients\n", (long long)c->grads);
}

static void keep_row(json_t *rows, const char *pass, const Count *c) {
    json_t *row =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:f, s:I}", "pass", pass, "nodes",
                  (json_int_t)c->nodes, "contractions", (json_int_t)c->contractions,
                  "in_loops", (json_int_t)c->in_loops, "run", (json_int_t)c->run, "flop",
                  c->flop, "gradients", (json_int_t)c->grads);
    json_array_append_new(rows, row);
}

/* A pass that changes none of the figures is left out, but for the last. */
static void after_pass(void *context, const char *pass, const Module *module) {
    Explain *explain = context;
    Count count = {0};
    count_func(module_find(module, explain->step), 1, false, &count);
    const bool same = !memcmp(&count, &explain->last, sizeof count);
    explain->last = count;
    if (explain->json)
        keep_row(explain->rows, pass, &count);
    else if (!same)
        print_row(pass, &count);
}

Status explain_body(Session *s) {
    const List *arg = &s->options->arg;
    Status status = session_load(s, DATA_DESCRIBE, NULL, 0);
    if (status != STATUS_OK) return status;
    if (!s->program->trains)
        return session_fail(s, STATUS_INPUT, "%s has no train block", s->path);
    const TrainBlock *block = session_want_train(s, arg->count > 1 ? arg->at[1] : NULL);
    if (!block) return STATUS_INPUT;
    Explain explain = {
        .step = block->step->name, .json = s->options->json, .rows = json_array()};
    if (!explain.json)
        printf("%-10s %6s %12s %9s %7s %9s\n", "after", "nodes", "contractions",
               "in loops", "run", "Gflop");
    after_pass(&explain, "elaborate", s->program->module);
    s->watch = after_pass;
    s->watcher = &explain;
    status = session_passes(s, NULL);
    if (explain.json && status == STATUS_OK) {
        json_dumpf(explain.rows, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
        putchar('\n');
    }
    json_decref(explain.rows);
    return status;
}
