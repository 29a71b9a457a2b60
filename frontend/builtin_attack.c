/*
 * attack(method, f, x, y): method(f, x, y) as a region of its own.
 *
 * The region is elaborated in a frame like a loop's body; what it reads from outside becomes
 * its parameters, and the node `attack` computes it.  Inside, nets are in evaluation mode
 * unless the method asks for the other with in_mode, and their state stays what it is.
 */
#include "frontend/builtin.h"

/* ---- the region -------------------------------------------------------------------------- */

typedef struct Region {
    Frame *frame;
    VEC(Val) value; /* of the results in the frame, then of the parts outside */
    uint32_t at;    /* parts handed out so far */
    Val tuple;
    Span span;
} Region;

static Value take_leaf(Elab *e, void *context, Value v) {
    Region *region = context;
    v = elab_to_tensor(e, v, ELEM_f32, region->span);
    if (v.kind != VALUE_tensor) return v;
    vec_push(e->arena, &region->value, frame_use(e, &v.tensor));
    return v;
}

static Value part_leaf(Elab *e, void *context, Value v) {
    Region *region = context;
    Builder b = elab_builder(e, region->span);
    if (v.kind != VALUE_tensor) return v;
    return elab_tensor(e, build_get(&b, region->tuple, region->at++));
}

static Func *region_body(Elab *e, const Region *region) {
    FramePort *result = arena_array(e->arena, FramePort, region->value.count);
    for (uint32_t i = 0; i < region->value.count; i++)
        result[i] = (FramePort){arena_print(e->arena, "r%u", i), region->value.at[i]};
    return frame_body(e, region->frame, "attack", NULL, 0, result, region->value.count,
                      region->span);
}

/* The node in the frame around, and its parts in the form of `z`. */
static Value region_close(Elab *e, Region *region, Value z) {
    const Frame *frame = region->frame;
    Val *arg = arena_array(e->arena, Val, frame->imports.count + 1);
    for (uint32_t i = 0; i < frame->imports.count; i++)
        arg[i] = frame->imports.at[i].outer;
    Attr attr = attr_func(ATTR_body, region_body(e, region));
    region->tuple =
        elab_emit(e, OP_attack, arg, frame->imports.count, &attr, 1, region->span);
    if (region->tuple == NO_VAL) return value_unknown;
    return tree_map(e, &z, part_leaf, region);
}

static Value run_region(Elab *e, const Closure *method, const Value *arg, uint32_t args,
                        Span span) {
    Frame *outer = e->frame;
    Region region = {.frame = frame_new(e, outer), .span = span};
    const bool training = e->training, fixed = e->fixed;
    const char *attacked = e->attacked;
    e->frame = region.frame;
    e->training = false;
    e->fixed = true;
    e->attacked = closure_name(arg[0].function);
    Value z = elab_call(e, method, arg, args, span);
    if (z.kind != VALUE_unknown) z = tree_map(e, &z, take_leaf, &region);
    e->frame = outer;
    e->training = training;
    e->fixed = fixed;
    e->attacked = attacked;
    if (z.kind == VALUE_unknown) return z;
    return region.value.count ? region_close(e, &region, z) : value_unknown;
}

/* A tensor, or a record of them: weights are attacked as well. */
static bool check_input(Elab *e, const Value *x, Span span) {
    if (x->kind == VALUE_unknown) return false;
    if (x->kind == VALUE_record) {
        for (uint32_t i = 0; i < x->record.count; i++)
            if (!check_input(e, x->record.at[i].value, span)) return false;
        return true;
    }
    if (x->kind != VALUE_tensor) {
        elab_error(e, span, "an attack moves a tensor, found %s", elab_words(e, x));
        return false;
    }
    if (elem_is_float(tensor_type(x)->elem)) return true;
    elab_error(e, span, "an attack on %s: only floats have a gradient", elab_words(e, x));
    elab_hint(e, "f32(x) makes floats of it");
    return false;
}

Value builtin_attack(Elab *e, const Value *arg, Span span) {
    const Closure *method = want_function(e, &arg[0], "the method of `attack`", span);
    const Closure *f = want_function(e, &arg[1], "the loss of `attack`", span);
    if (!method || !f || !check_input(e, &arg[2], span)) return value_unknown;
    return run_region(e, method, arg + 1, arg[3].kind == VALUE_missing ? 2 : 3, span);
}

/* ---- mode -------------------------------------------------------------------------------- */

Value builtin_in_mode(Elab *e, const Value *arg, Span span) {
    const Closure *f = want_function(e, &arg[0], "the first argument of `in_mode`", span);
    if (!f || arg[1].kind == VALUE_unknown) return value_unknown;
    if (arg[1].kind != VALUE_bool) {
        elab_error(e, span, "`training` of `in_mode` is to be true or false, found %s",
                   elab_words(e, &arg[1]));
        return value_unknown;
    }
    Closure *inner = arena_copy(e->arena, f, sizeof *f);
    Closure *closure = arena_new(e->arena, Closure);
    inner->bound = NULL;
    *closure = (Closure){.kind = CALL_mode,
                         .inner = inner,
                         .training = arg[1].truth,
                         .params = f->params,
                         .bound = f->bound};
    return (Value){.kind = VALUE_function, .function = closure};
}
