/* The algebraic rules of simplify: on random values both sides are equal, and the pass makes
 * the right side of the left one. */
#include "passes/pass.h"
#include "passes/simplify.h"
#include "tests/random_arrays.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>

static const Dim extent[] = {7};

/* Letters: x y z a value, p q a bool, c d e a constant. */
static Val letter(Builder *b, Elem elem, char c) {
    const Type type = type_tensor(elem, 1, extent);
    if (c >= 'c' && c <= 'e')
        return build_fill(b, &type, c == 'c' ? 3 : c == 'd' ? 5 : 4);
    for (uint32_t i = 0; i < b->func->params.count; i++)
        if (b->func->params.at[i].name[0] == c) return i;
    ck_abort_msg("a rule uses the letter %c", c);
}

/* `want`: the type of a number that stands here. */
static Val build_side(Builder *b, Elem elem, Elem want, const char **at) {
    while (**at == ' ') ++*at;
    if (**at >= 'a' && **at <= 'z') return letter(b, elem, *(*at)++);
    if (**at != '(') {
        const Type type = type_tensor(want, 1, extent);
        char *end;
        const double number = strtod(*at, &end);
        *at = end;
        return build_fill(b, &type, number);
    }
    const size_t length = strcspn(++*at, " )");
    Op op;
    Val arg[3];
    uint32_t args = 0;
    char name[16] = {0};
    memcpy(name, *at, length);
    ck_assert_msg(op_parse(name, &op), "%s", name);
    for (*at += length; **at == ' '; args++)
        arg[args] = build_side(b, elem, op == OP_select && !args ? ELEM_bool : elem, at);
    ++*at;
    return build_op(b, op, arg, args, NULL, 0);
}

static Module *build_module(Arena *arena, Diag *diag, Elem elem, const char *side) {
    Module *module = module_new(arena, diag);
    module->stage = STAGE_PRIMITIVE;
    Builder b = {.func = module_func(module, "f", FUNC_ENTRY)};
    static const char *const names[] = {"x", "y", "z", "p", "q"};
    for (int i = 0; i < 5; i++)
        func_param(b.func, names[i], ROLE_INPUT,
                   type_tensor(i < 3 ? elem : ELEM_bool, 1, extent), b.span);
    func_result(b.func, "out", ROLE_OUTPUT, build_side(&b, elem, elem, &side), -1);
    return module;
}

static void check_rule(const ScalarRule *rule, Elem elem) {
    Guard guard;
    Arena arena, scratch;
    Diag diag;
    if (guard_enter(guard)) ck_abort_msg("%s: %s", rule->from, guard.message);
    arena_init(&arena, &guard);
    arena_init(&scratch, &guard);
    diag_init(&diag, &arena);
    Module *from = build_module(&arena, &diag, elem, rule->from);
    Module *to = build_module(&arena, &diag, elem, rule->to);
    check_same_meaning(&arena, rule->from, from, to);
    PassContext cx = {.scratch = &scratch};
    ck_assert(pass_simplify(&cx, from) && pass_simplify(&cx, to));
    check_same_meaning(&arena, rule->from, to, from);
    ck_assert_msg(from->funcs.at[0]->nodes.count == to->funcs.at[0]->nodes.count,
                  "%s does not become %s", rule->from, rule->to);
    arena_free(&scratch);
    arena_free(&arena);
}

START_TEST(rules_hold_and_apply) {
    const ScalarRule *rule = &scalar_rules[_i];
    const char elems = rule->elems;
    if (elems != 'I' && elems != 'B') check_rule(rule, ELEM_f32);
    if (elems != 'F' && elems != 'B') check_rule(rule, ELEM_i32);
    if (elems == 'I') check_rule(rule, ELEM_u8);
    if (elems == 'B') check_rule(rule, ELEM_bool);
}
END_TEST

Suite *suite_simplify(void);
Suite *suite_simplify(void) {
    Suite *suite = suite_create("simplify");
    TCase *tcase = tcase_create("rules");
    tcase_add_loop_test(tcase, rules_hold_and_apply, 0, (int)scalar_rule_count);
    suite_add_tcase(suite, tcase);
    return suite;
}
