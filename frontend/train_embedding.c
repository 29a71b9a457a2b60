/* What a training block calls its embedding: an entry in evaluation mode. */
#include "frontend/train.h"

bool train_embedding(Training *t, Measure *m) {
    Elab *e = &t->e;
    const Ast *ast = training_field(t, "embedding");
    if (!ast) return true;
    m->run = measure_begin(t, SITES_EMBEDDING);
    const Span span = ast->span;
    Value f = elab_expression(e, t->env, ast);
    if (f.kind == VALUE_unknown) return false;
    if (f.kind != VALUE_function) {
        elab_error(e, span, "`embedding` is to be a function of the data, found %s",
                   elab_words(e, &f));
        return false;
    }
    Value v = train_call(t, f.function, false, span);
    if (v.kind == VALUE_unknown) return false;
    const Type *type = v.kind == VALUE_tensor ? tensor_type(&v) : NULL;
    if (!type || type->rank != 2 || type->dim[0] != t->block->data.batch) {
        elab_error(e, span,
                   "an embedding gives f32[N, D], a row for each example, found %s",
                   elab_words(e, &v));
        return false;
    }
    m->value = elab_cast(e, v, ELEM_f32, span);
    return true;
}

void train_embedding_finish(Training *t, const Measure *m) {
    if (!m->run) return;
    const char *name = arena_print(t->l->arena, "%s_embedding", t->word);
    Func *func = t->block->embedding = run_finish(&t->e, m->run, name);
    func_result(func, "embedding", ROLE_OUTPUT, m->run->map[m->value.tensor.val], -1);
}
