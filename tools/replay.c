/* A step that gave no number, run again in the evaluator: which op began it. */
#include "base/alloc.h"
#include "ir/eval.h"
#include "tools/training.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A copy of the state is kept every so many steps: they are what a replay has to repeat. */
#define KEEP_EVERY 64

void replay_keep(Training *t) {
    const Session *s = t->session;
    if (t->kept && t->at % KEEP_EVERY) return;
    if (!t->kept) t->kept = mem_alloc((size_t)s->layout->bytes);
    if (!t->kept) return;
    memcpy(t->kept, s->state, (size_t)s->layout->bytes);
    t->kept_at = t->at;
}

/* Repeats steps up to the one that spoils loss or state; leaves the state as it was before
 * that step, and its batch in the rows.  Steps are the same bits each time. */
static bool rewind_steps(Training *t) {
    Session *s = t->session;
    const int64_t end = t->at;
    if (!t->kept || t->kept_at > end) return false;
    memcpy(s->state, t->kept, (size_t)s->layout->bytes);
    for (t->at = t->kept_at; t->at < end;) {
        float loss = 0;
        memcpy(t->kept, s->state, (size_t)s->layout->bytes);
        t->kept_at = t->at;
        if (training_step(t, &loss) != STATUS_OK) return false;
        if (isfinite(loss) && training_is_finite(t)) continue;
        memcpy(s->state, t->kept, (size_t)s->layout->bytes);
        return true;
    }
    return false;
}

/* The step as it was before it was fused; the spans are those of the text. */
static Func *step_graph(Session *s, const TrainBlock *block, const char *name) {
    if (session_load(s, DATA_LOAD, NULL, 0) != STATUS_OK) return NULL;
    if (!session_train(s, block->name)) return NULL;
    if (session_passes(s, "autodiff") != STATUS_OK) return NULL;
    return module_find(s->program->module, name);
}

static double number_at(Elem elem, const void *at, int64_t i) {
    switch (elem) {
    case ELEM_bool:
    case ELEM_u8: return ((const uint8_t *)at)[i];
    case ELEM_i32: return ((const int32_t *)at)[i];
    case ELEM_f32: return (double)((const float *)at)[i];
    case ELEM_f64: return ((const double *)at)[i];
    case ELEM_COUNT: break;
    }
    return 0;
}

static const void *port_data(const Training *t, const Port *port, uint32_t *input) {
    const Layout *layout = t->session->layout;
    if (port->role == ROLE_INPUT) return t->row[(*input)++];
    for (uint32_t i = 0; i < layout->slots; i++)
        if (!strcmp(layout->slot[i].name, port->name))
            return (const char *)t->session->state + layout->slot[i].offset;
    return NULL;
}

static Array *step_arguments(const Training *t, const Func *func, Arena *arena) {
    Array *args = arena_array(arena, Array, func->params.count + 1);
    uint32_t input = 0;
    for (uint32_t i = 0; i < func->params.count; i++) {
        const Port *port = &func->params.at[i];
        const void *data = port_data(t, port, &input);
        if (!data) return NULL;
        args[i] = array_new(arena, port->type.elem, port->type.rank, port->type.dim);
        for (int64_t k = 0; k < array_count(&args[i]); k++)
            args[i].at[k] = number_at(port->type.elem, data, k);
    }
    return args;
}

/* The loss alone takes half of the time, and tells more than what follows from it. */
static Func loss_alone(const Func *step, Arena *arena) {
    Func func = *step;
    memset(&func.results, 0, sizeof func.results);
    memset(&func.outputs, 0, sizeof func.outputs);
    for (uint32_t i = 0; i < step->outputs.count; i++) {
        if (step->outputs.at[i].role != ROLE_OUTPUT) continue;
        vec_push(arena, &func.results, step->results.at[i]);
        vec_push(arena, &func.outputs, step->outputs.at[i]);
    }
    return func;
}

static void add_operand(Text *text, const EvalHealth *h) {
    if (h->nans) text_puts(text, "NaN and ");
    if (h->infinities) text_puts(text, h->low > h->high ? "infinite" : "infinite and ");
    if (h->low == h->high) text_printf(text, "%.4g", h->low);
    if (h->low < h->high) text_printf(text, "%.4g to %.4g", h->low, h->high);
}

static void report(Session *s, const EvalOrigin *o) {
    const Node *node = graph_node(o->func, o->value);
    const EvalHealth *h = &o->result;
    Text text;
    text_init(&text, &s->arena);
    text_printf(&text, "`%s` gives %s here, in %lld of %lld elements",
                op_info[node->op].name, h->nans ? "the first NaN" : "the first infinity",
                (long long)(h->nans ? h->nans : h->infinities), (long long)h->count);
    if (o->iteration >= 0)
        text_printf(&text, ", in iteration %lld of a repeat", (long long)o->iteration);
    for (uint32_t i = 0; i < o->operands; i++) {
        text_puts(&text, i ? "; " : "; of operands: ");
        add_operand(&text, &o->operand[i]);
    }
    diag_error(&s->diag, node->span, "%s", text.at);
    if (o->infinity == NO_VAL) return;
    node = graph_node(o->func, o->infinity);
    diag_note(&s->diag, node->span, "`%s` gave the infinity among them",
              op_info[node->op].name);
}

/* Memory that ends while evaluating is no reason to lose what is known already. */
static void evaluate(Training *t, const Func *step) {
    Session *s = t->session;
    const int64_t *symbols =
        arena_array(&s->arena, int64_t, step->module->dims.symbols.count + 1);
    Guard guard;
    Arena arena;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) {
        fprintf(stderr, "the evaluator stopped: %s\n", guard.message);
        arena_free(&arena);
        return;
    }
    const Array *args = step_arguments(t, step, &arena);
    if (!args) bug(&arena, "the step of '%s' is another one", t->block->name);
    const Func loss = loss_alone(step, &arena);
    EvalOrigin origin = eval_origin(&loss, args, symbols, &arena);
    if (!origin.func) origin = eval_origin(step, args, symbols, &arena);
    if (origin.func)
        report(s, &origin);
    else
        fprintf(stderr, "the evaluator finds numbers only: it computes f32 in another "
                        "order, and rounds less\n");
    arena_free(&arena);
}

void replay_step(Training *t) {
    const char *name = training_phase(t)->func->name;
    if (!rewind_steps(t)) return;
    fprintf(stderr,
            "replaying step %lld of epoch %lld in the evaluator, which takes time; "
            "a second Ctrl-C ends it\n",
            (long long)t->kept_at + 1, (long long)t->epoch + 1);
    const Func *step = step_graph(t->session, t->block, name);
    if (step) evaluate(t, step);
}
