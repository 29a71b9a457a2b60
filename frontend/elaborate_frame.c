/* Graph functions under construction.  A frame's function takes what it uses from outside as
 * placeholders; when it is finished they are known, become parameters, and its nodes are
 * copied behind them into a function of the module. */
#include "frontend/elaborate.h"
#include <inttypes.h>

Frame *frame_new(Elab *e, Frame *parent) {
    Frame *frame = arena_new(e->arena, Frame);
    frame->parent = parent;
    frame->round = frame->turn = NO_VAL;
    frame->func = arena_new(e->arena, Func);
    *frame->func = (Func){.module = e->module, .name = "", .kind = FUNC_BODY};
    return frame;
}

Val frame_placeholder(Elab *e, Frame *frame, const Type *type, Span span) {
    Builder b = {frame->func, elab_span(e, span)};
    return build_fill(&b, type, 0);
}

static Val frame_take(Elab *e, Frame *frame, Frame *from, Val val) {
    if (frame == from) return val;
    if (!frame->parent) {
        const Node *node = graph_node(from->func, val);
        elab_error(e, e->calls ? e->calls->span : node->span,
                   "the first value of a parameter or state cannot depend on the data");
        return frame_placeholder(e, frame, &node->type, node->span);
    }
    Val outer = frame_take(e, frame->parent, from, val);
    for (uint32_t i = 0; i < frame->imports.count; i++)
        if (frame->imports.at[i].outer == outer) return frame->imports.at[i].inner;
    const Node *node = graph_node(frame->parent->func, outer);
    Val inner = frame_placeholder(e, frame, &node->type, node->span);
    vec_push(e->arena, &frame->imports, (Import){inner, outer});
    return inner;
}

Val frame_use(Elab *e, const Tensor *tensor) {
    return frame_take(e, e->frame, tensor->frame, tensor->val);
}

/* outer turn * count + round; without a loop around just the round. */
static Val turn_of(Elab *e, Frame *frame, Span span) {
    if (frame->turn != NO_VAL || !frame->parent) return frame->turn;
    const Val around = turn_of(e, frame->parent, span);
    const Val outer =
        around == NO_VAL ? NO_VAL : frame_take(e, frame, frame->parent, around);
    Builder b = {frame->func, elab_span(e, span)};
    frame->turn = frame->round == NO_VAL ? outer : frame->round;
    if (frame->round == NO_VAL || outer == NO_VAL) return frame->turn;
    const Val count = build_const(&b, ELEM_i32, (double)frame->count);
    frame->turn = build_add(&b, build_mul(&b, outer, count), frame->round);
    return frame->turn;
}

Val frame_turn(Elab *e, Span span) {
    return turn_of(e, e->frame, span);
}

/* map[inner] is set for what became a parameter of `to`, NO_VAL elsewhere. */
void frame_finish(Elab *e, Frame *frame, Func *to, const Val *outer_params, Val *map) {
    for (uint32_t i = 0; i < frame->imports.count; i++)
        map[frame->imports.at[i].inner] = outer_params[i];
    for (Val v = 0; v < frame->func->nodes.count; v++) {
        const Node *node = graph_node(frame->func, v);
        if (map[v] != NO_VAL) continue;
        Val *arg = arena_array(e->arena, Val, node->args);
        for (uint32_t i = 0; i < node->args; i++) arg[i] = map[node->arg[i]];
        map[v] = graph_emit_like(to, node, arg);
        if (map[v] == NO_VAL) bug(e->arena, "a node changed its type by copying");
    }
}

Func *frame_body(Elab *e, Frame *frame, const char *word, const FramePort *param,
                 uint32_t params, const FramePort *result, uint32_t results, Span span) {
    span = elab_span(e, span);
    Func *body = module_func(e->module, arena_print(e->arena, "%s%u", word, e->bodies++),
                             FUNC_BODY);
    Val *map = arena_array(e->arena, Val, frame->func->nodes.count);
    Val *taken = arena_array(e->arena, Val, frame->imports.count + 1);
    for (Val v = 0; v < frame->func->nodes.count; v++) map[v] = NO_VAL;
    for (uint32_t i = 0; i < params; i++)
        map[param[i].val] = func_param(body, param[i].name, ROLE_INPUT,
                                       *graph_type(frame->func, param[i].val), span);
    for (uint32_t i = 0; i < frame->imports.count; i++)
        taken[i] = func_param(body, arena_print(e->arena, "c%u", i), ROLE_INPUT,
                              *graph_type(frame->func, frame->imports.at[i].inner), span);
    frame_finish(e, frame, body, taken, map);
    for (uint32_t i = 0; i < results; i++)
        func_result(body, result[i].name, ROLE_OUTPUT, map[result[i].val], -1);
    return body;
}

Builder elab_builder(Elab *e, Span span) {
    return (Builder){e->frame->func, elab_span(e, span)};
}

const Type *tensor_type(const Value *v) {
    return graph_type(v->tensor.frame->func, v->tensor.val);
}

Value elab_tensor(Elab *e, Val val) {
    if (val == NO_VAL) return value_unknown;
    return (Value){.kind = VALUE_tensor, .tensor = {.frame = e->frame, .val = val}};
}

static bool any_open(const Func *func, const Val *arg, uint32_t args) {
    for (uint32_t i = 0; i < args; i++) {
        const Type *type = graph_type(func, arg[i]);
        for (uint32_t k = 0; k < type->rank; k++)
            if (!dim_is_const(type->dim[k])) return true;
    }
    return false;
}

bool elab_within_memory(Elab *e, const Type *type, Span span) {
    Dim count = type_count(&e->module->dims, type);
    if (count == DIM_OVERFLOW) {
        elab_error(e, span, "%s has more elements than 2^46", type_text(e, type));
        return false;
    }
    if (!dim_is_const(count)) return true;
    if (count <= TENSOR_LIMIT / elem_bytes(type->elem)) return true;
    elab_error(e, span, "a tensor larger than memory: %s takes %.1f TB",
               type_text(e, type), (double)count * elem_bytes(type->elem) * 1e-12);
    return false;
}

/* While a function is checked alone, what the rules cannot prove of an open dimension is not
 * a mistake. */
Val elab_emit(Elab *e, Op op, const Val *arg, uint32_t args, const Attr *attr,
              uint32_t attrs, Span span) {
    uint32_t messages = e->diag->messages.count, errors = e->diag->errors;
    Val val = graph_emit(e->frame->func, op, arg, args, attr, attrs, elab_span(e, span));
    if (val == NO_VAL)
        elab_take_back(e, messages, errors,
                       e->checking && any_open(e->frame->func, arg, args));
    const Type *type = val == NO_VAL ? NULL : graph_type(e->frame->func, val);
    if (type && !type->parts && !elab_within_memory(e, type, span)) return NO_VAL;
    return val;
}

/* ---- repeat --------------------------------------------------------------------------- */

typedef struct Loop {
    uint32_t carries;
    const AstArg *carry;
    Value *first;            /* in the frame around */
    FramePort *param, *next; /* of the body: param[0] is the round, carries follow */
    Frame *frame;
} Loop;

static bool loop_begin(Elab *e, Env env, const Ast *ast, Loop *loop) {
    loop->carries = ast->repeat.carries.count;
    loop->carry = ast->repeat.carries.at;
    loop->first = arena_array(e->arena, Value, loop->carries);
    loop->param = arena_array(e->arena, FramePort, loop->carries + 1);
    loop->next = arena_array(e->arena, FramePort, loop->carries);
    for (uint32_t i = 0; i < loop->carries; i++) {
        Value v = elab_expression(e, env, loop->carry[i].value);
        loop->first[i] = elab_to_tensor(e, v, ELEM_f32, loop->carry[i].span);
        if (loop->first[i].kind != VALUE_tensor) return false;
    }
    loop->frame = frame_new(e, e->frame);
    Type index = type_scalar(ELEM_i32);
    loop->frame->round = frame_placeholder(e, loop->frame, &index, ast->span);
    loop->param[0] = (FramePort){"i", loop->frame->round};
    for (uint32_t i = 0; i < loop->carries; i++)
        loop->param[i + 1] =
            (FramePort){loop->carry[i].name,
                        frame_placeholder(e, loop->frame, tensor_type(&loop->first[i]),
                                          loop->carry[i].span)};
    return true;
}

/* The body's value for one carry: the value itself, or the field of that name. */
static bool loop_next(Elab *e, const Loop *loop, const Value *body, uint32_t i, Span span,
                      Value *next) {
    const Value *field = body;
    if (body->kind == VALUE_record) field = value_field(body, loop->carry[i].name);
    if (body->kind == VALUE_unknown) return false;
    if (!field || (loop->carries > 1 && body->kind != VALUE_record)) {
        elab_error(e, span, "the body of `repeat` gives no `%s`", loop->carry[i].name);
        elab_hint(e, "end it with a record that holds each carried value");
        return false;
    }
    const Type *type = tensor_type(&loop->first[i]);
    *next = elab_to_tensor(e, *field, type->elem, span);
    if (next->kind != VALUE_tensor) return false;
    if (!next->tensor.ghost_rank && type_equal(type, tensor_type(next))) return true;
    *next =
        elab_expand(e, *next, type,
                    arena_print(e->arena, "the carried `%s`", loop->carry[i].name), span);
    return next->kind == VALUE_tensor;
}

static Value loop_result(Elab *e, const Loop *loop, Val repeat, Span span) {
    Builder b = elab_builder(e, span);
    Field *fields = arena_array(e->arena, Field, loop->carries);
    for (uint32_t i = 0; i < loop->carries; i++) {
        Value *v = arena_new(e->arena, Value);
        *v = elab_tensor(e, build_get(&b, repeat, i));
        fields[i] = (Field){loop->carry[i].name, v};
    }
    if (loop->carries == 1) return *fields[0].value;
    return (Value){.kind = VALUE_record, .record = {loop->carries, fields}};
}

static Value loop_emit(Elab *e, const Loop *loop, int64_t count, Span span) {
    Frame *frame = loop->frame;
    uint32_t args = loop->carries + frame->imports.count;
    Val *arg = arena_array(e->arena, Val, args);
    for (uint32_t i = 0; i < loop->carries; i++)
        arg[i] = frame_use(e, &loop->first[i].tensor);
    for (uint32_t i = 0; i < frame->imports.count; i++)
        arg[loop->carries + i] = frame->imports.at[i].outer;
    Func *body = frame_body(e, frame, "body", loop->param, loop->carries + 1, loop->next,
                            loop->carries, span);
    Attr attr[] = {attr_int(ATTR_count, count), attr_int(ATTR_carries, loop->carries),
                   attr_func(ATTR_body, body)};
    Val repeat = elab_emit(e, OP_repeat, arg, args, attr, 3, span);
    return repeat == NO_VAL ? value_unknown : loop_result(e, loop, repeat, span);
}

static Value loop_run_body(Elab *e, Env env, const Ast *ast, const Loop *loop) {
    if (ast->repeat.index)
        env = env_bind(e, env, ast->repeat.index, elab_tensor(e, loop->frame->round));
    for (uint32_t i = 0; i < loop->carries; i++)
        env =
            env_bind(e, env, loop->carry[i].name, elab_tensor(e, loop->param[i + 1].val));
    Results results = {0}, *outer = e->results;
    e->results = &results;
    Value body = elab_block(e, env, ast->repeat.body);
    e->results = outer;
    if (!results.fields.count) return body;
    return (Value){.kind = VALUE_record,
                   .record = {results.fields.count, results.fields.at}};
}

Value elab_repeat(Elab *e, Env env, const Ast *ast) {
    Value count = elab_expression(e, env, ast->repeat.count);
    Loop loop;
    if (!loop_begin(e, env, ast, &loop) || count.kind == VALUE_unknown)
        return value_unknown;
    if (count.kind == VALUE_dim && e->checking)
        count = value_int(1); /* known by a call */
    if (count.kind != VALUE_int || count.integer < 1) {
        elab_error(e, ast->repeat.count->span,
                   "`repeat` wants a number of rounds, found %s", elab_words(e, &count));
        elab_hint(e, "it must be known when the program is compiled, and 1 or more");
        return value_unknown;
    }
    Frame *outer = e->frame;
    loop.frame->count = count.integer;
    e->frame = loop.frame;
    Value body = loop_run_body(e, env, ast, &loop);
    bool ok = true;
    for (uint32_t i = 0; i < loop.carries && ok; i++) {
        Value next;
        ok = loop_next(e, &loop, &body, i, ast->repeat.body->span, &next);
        if (ok)
            loop.next[i] = (FramePort){loop.carry[i].name, frame_use(e, &next.tensor)};
    }
    e->frame = outer;
    return ok ? loop_emit(e, &loop, count.integer, ast->span) : value_unknown;
}
