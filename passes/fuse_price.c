/* What an op is to fusing, and what it costs to compute a value once more. */
#include "passes/fuse.h"

bool op_is_fill(const Node *node) {
    const Attr *values = node_attr(node, ATTR_values);
    return node->op == OP_const && values && values->count == 1;
}

/* One update a row, put to the place that the index says. */
bool op_is_one_hot(const Fuse *f, const Node *node) {
    if (node->op != OP_scatter_add) return false;
    uint32_t batch = (uint32_t)node_int(node, ATTR_batch, 0);
    return graph_type(f->func, node->arg[0])->rank == batch &&
           node_int(node, ATTR_axis, 0) == batch &&
           graph_type(f->func, node->arg[1])->rank == batch;
}

/* One element of each row, by its index. */
bool op_is_row_pick(const Fuse *f, const Node *node) {
    if (node->op != OP_gather) return false;
    uint32_t batch = (uint32_t)node_int(node, ATTR_batch, 0);
    return graph_type(f->func, node->arg[1])->rank == batch &&
           node_int(node, ATTR_axis, 0) == batch &&
           graph_type(f->func, node->arg[0])->rank == batch + 1;
}

/* Computed from its operands at a fixed place, in a few instructions. */
bool op_is_light(const Fuse *f, const Node *node) {
    OpClass class = op_info[node->op].class;
    if (node->op == OP_concat) return false;
    if (op_is_one_hot(f, node)) return true;
    return class == CLASS_ELEMWISE || class == CLASS_MOVE || node->op == OP_iota ||
           op_is_fill(node);
}

bool op_is_reduce(const Node *node) {
    return node->op == OP_sum || node->op == OP_reduce_max || node->op == OP_reduce_min ||
           node->op == OP_argmax;
}

bool op_is_main(const Node *node) {
    return node->op == OP_param || node->op == OP_repeat || node->op == OP_get ||
           node->op == OP_call || (node->op == OP_const && !op_is_fill(node));
}

static int weight_of(Op op) {
    switch ((int)op) {
    case OP_exp:
    case OP_log:
    case OP_tanh:
    case OP_erf:
    case OP_sin:
    case OP_cos:
    case OP_pow: return 8;
    case OP_div:
    case OP_sqrt:
    case OP_rsqrt: return 2;
    default: return 1;
    }
}

#define TOO_DEAR 1000

static void add_price(Fuse *f, Val v, bool first, int64_t elements, Price *price) {
    const Node *node = fuse_node(f, v);
    if (f->stamp[v] == f->stamps || op_is_fill(node) || node->op == OP_iota) return;
    f->stamp[v] = f->stamps;
    if (!op_is_light(f, node) || (f->anchored[v] && !first)) {
        bool again = node->op == OP_random || node->op == OP_concat;
        if (again) price->ops = TOO_DEAR;
        price->streams += 2 * fuse_size(f, v) > elements;
        return;
    }
    bool small = fuse_size(f, v) * 16 < elements;
    if (op_info[node->op].class == CLASS_ELEMWISE && !small)
        price->ops += weight_of(node->op);
    for (uint32_t i = 0; i < node->args; i++)
        add_price(f, node->arg[i], false, elements, price);
}

Price fuse_price(Fuse *f, Val v) {
    Price price = {0};
    f->stamps++;
    add_price(f, v, true, fuse_size(f, v), &price);
    return price;
}
