/*
 * A contraction and what pools its result, image by image: each task contracts a block of
 * the batch into memory of its own, which stays in the cache, and goes on from there.
 *
 *     task:  sums[B, 24, 24, 20] = contract x[task*B ..], w
 *            y[task*B .., 12, 12, 20] = reduce_max(sums ...) + bias
 *
 * The contraction of one block is lowered like any other; its tasks become a loop.
 */
#include "passes/nest.h"
#include "passes/winograd.h"

/* Of sums: one image stays in the second level cache, several in the first. */
#define IMAGE_BYTES (96 << 10)
#define BLOCK_BYTES (48 << 10)
/* By Winograd's tiles: its products are wide, and need many tiles at a time.  Eight threads are
 * to have a block each. */
#define TILED_BYTES (136 << 10)
#define LEAST_TILED 8
#define MAX_BLOCK   8

typedef struct Blocks {
    Draft *draft;
    Val node;         /* the contraction */
    uint32_t batched; /* operand that is walked along the batch */
    Dim batch;
    int64_t block, image,
        sums;       /* images a task; elements an image of operand and result */
    Lowered inner;  /* of the contraction of one block */
    uint32_t temps; /* of the draft before the inner ones */
} Blocks;

static bool uses_axis(const AffineMap *map, uint32_t axis) {
    for (uint32_t i = 0; i < map->rank; i++)
        if (map->dim[i].coefficient[axis]) return true;
    return false;
}

/* Elements of all dimensions but the first; 0 where they are not constant. */
static int64_t image_size(const Type *type) {
    int64_t size = 1;
    for (uint32_t i = 1; i < type->rank; i++) {
        if (!dim_is_const(type->dim[i])) return 0;
        size *= type->dim[i];
    }
    return size;
}

/* Whether the outermost dimension of the result is the outermost of one operand alone. */
bool blocks_find_batch(const Func *group, Val v, uint32_t *operand) {
    const Node *node = graph_node(group, v);
    const AffineMap *out = node_attr(node, ATTR_out)->map;
    const AffineMap *map[] = {node_attr(node, ATTR_a)->map, node_attr(node, ATTR_b)->map};
    uint32_t axis, own;
    if (!out->rank || !affine_is_axis(&out->dim[0], &axis)) return false;
    *operand = uses_axis(map[0], axis) ? 0 : 1;
    const AffineMap *one = map[*operand], *other = map[!*operand];
    if (!one->rank || uses_axis(other, axis) || !affine_is_axis(&one->dim[0], &own) ||
        own != axis)
        return false;
    for (uint32_t i = 1; i < one->rank; i++)
        if (one->dim[i].coefficient[axis]) return false;
    const Type *from = graph_type(group, node->arg[*operand]);
    return node->type.elem == ELEM_f32 && from->elem == ELEM_f32 &&
           from->dim[0] == node->type.dim[0] && image_size(from) > 0 &&
           image_size(&node->type) > 0 && image_size(&node->type) * 4 <= IMAGE_BYTES;
}

static Type block_type(const Type *type, int64_t block) {
    Type one = *type;
    one.dim[0] = block;
    return one;
}

/* The contraction of one block, a group of its own with the same operands. */
static const Func *inner_group(Blocks *b) {
    const Func *group = b->draft->group;
    const Node *node = graph_node(group, b->node);
    Func *func = arena_new(b->draft->arena, Func);
    *func = (Func){.module = group->module, .name = group->name, .kind = FUNC_GROUP};
    Val arg[2];
    for (uint32_t i = 0; i < 2; i++) {
        const Type *type = graph_type(group, node->arg[i]);
        Type own = i == b->batched ? block_type(type, b->block) : *type;
        arg[i] = func_param(func, i ? "b" : "a", ROLE_INPUT, own, node->span);
    }
    uint32_t axis;
    affine_is_axis(&node_attr(node, ATTR_out)->map->dim[0], &axis);
    Attr attr[8];
    for (uint32_t i = 0; i < node->attrs; i++) {
        attr[i] = node->attr[i];
        if (attr[i].key != ATTR_dims) continue;
        int64_t *dims =
            arena_copy(b->draft->arena, attr[i].ints, sizeof(int64_t) * attr[i].count);
        dims[axis] = b->block;
        attr[i].ints = dims;
    }
    Val v = graph_emit(func, OP_contract, arg, 2, attr, node->attrs, node->span);
    func_result(func, "sums", ROLE_OUTPUT, v, -1);
    return func;
}

static bool touches_images(const Blocks *b, const LoweredKernel *k) {
    for (uint32_t i = 0; i < k->kernel->args.count; i++)
        if (k->arg[i].kind == OPERAND_RESULT ||
            (k->arg[i].kind == OPERAND_PARAM && k->arg[i].index == b->batched))
            return true;
    return false;
}

/* Only the last kernel may go through the images: what is before serves all blocks. */
static bool is_blockwise(const Blocks *b) {
    for (uint32_t i = 0; i < b->inner.kernels; i++)
        if (touches_images(b, &b->inner.kernel[i]) != (i + 1 == b->inner.kernels))
            return false;
    return b->inner.kernels > 0;
}

static Operand outer_operand(const Blocks *b, Operand inner) {
    const Node *node = graph_node(b->draft->group, b->node);
    if (inner.kind == OPERAND_PARAM) inner.index = node->arg[inner.index];
    if (inner.kind == OPERAND_TEMP) inner.index += b->temps;
    return inner;
}

static void keep_kernels(Blocks *b) {
    Arena *a = b->draft->arena;
    for (uint32_t i = 0; i < b->inner.temps; i++)
        draft_temp(b->draft, b->inner.temp_bytes[i]);
    for (uint32_t i = 0; i + 1 < b->inner.kernels; i++) {
        const LoweredKernel *k = &b->inner.kernel[i];
        uint32_t count = k->kernel->args.count;
        Operand *arg = arena_array(a, Operand, count + 1);
        for (uint32_t j = 0; j < count; j++) arg[j] = outer_operand(b, k->arg[j]);
        vec_push(a, &b->draft->kernels, (LoweredKernel){k->kernel, arg});
    }
}

typedef struct Arguments {
    Arena *arena;
    Kernel *kernel;
    VEC(Buffer *) buffers;
    VEC(Operand) operands;
} Arguments;

static void add_argument(Arguments *all, Buffer *buffer, Operand operand) {
    buffer->index = all->buffers.count;
    vec_push(all->arena, &all->buffers, buffer);
    vec_push(all->arena, &all->operands, operand);
}

/* Puts the contraction's tasks for one block before the body of the nest, which reads the
 * temporary `staged`: that becomes memory of the task. */
static void join_kernels(Blocks *b, uint32_t staged) {
    Arena *a = b->draft->arena;
    LoweredKernel *outer = &b->draft->kernels.at[b->draft->kernels.count - 1];
    const LoweredKernel *inner = &b->inner.kernel[b->inner.kernels - 1];
    Kernel *kernel = outer->kernel, *from = inner->kernel;
    Arguments all = {.arena = a, .kernel = kernel};
    Buffer *sums = NULL;
    Block body = block_new(a);
    for (uint32_t i = 0; i < kernel->args.count; i++) {
        if (outer->arg[i].kind == OPERAND_TEMP && outer->arg[i].index == staged)
            sums = kernel->args.at[i];
        else
            add_argument(&all, kernel->args.at[i], outer->arg[i]);
    }
    *sums = (Buffer){.kind = BUFFER_VIEW, .name = "block", .elem = sums->elem};
    for (uint32_t i = 0; i < from->args.count; i++) {
        Buffer *buffer = from->args.at[i];
        Operand operand = outer_operand(b, inner->arg[i]);
        if (operand.kind == OPERAND_RESULT) {
            *buffer = *buffer_local(a, "sums_of_block", buffer->elem, b->block * b->sums);
            block_local(&body, buffer);
            block_view(&body, sums, buffer, expr_int(a, 0));
        } else if (inner->arg[i].kind == OPERAND_PARAM &&
                   inner->arg[i].index == b->batched) {
            Buffer *base = arena_copy(a, buffer, sizeof *buffer);
            add_argument(&all, base, operand);
            *buffer = (Buffer){.kind = BUFFER_VIEW, .name = "images", .elem = base->elem};
            block_view(&body, buffer, base,
                       expr_mul(a, expr_var(a, kernel->task), b->block * b->image));
        } else {
            add_argument(&all, buffer, operand);
        }
    }
    block_for(&body, from->task, expr_int(a, 0), from->tasks, 1, 0, from->body);
    block_add(&body, kernel->body);
    kernel->body = block_end(&body);
    memcpy(&kernel->args, &all.buffers, sizeof kernel->args);
    outer->arg = all.operands.at;
}

/* Images whose sums fit: as many as divide the batch, and leave `least` blocks. */
static int64_t images_within(const Blocks *b, int64_t bytes, int64_t least) {
    int64_t images = 1;
    for (int64_t i = 2; i <= MAX_BLOCK && dim_is_const(b->batch); i++)
        if (b->batch % i == 0 && i * b->sums * 4 <= bytes && b->batch / i >= least)
            images = i;
    return images;
}

static int64_t blocks_of(const Blocks *b) {
    return dim_max(&b->draft->group->module->dims, b->batch) / b->block;
}

/* False where the contraction of a block takes kernels that others would have to wait for. */
bool lower_blocks(Draft *draft, Val node) {
    const Func *group = draft->group;
    const Node *n = graph_node(group, node);
    Blocks b = {.draft = draft, .node = node, .block = 1};
    if (!blocks_find_batch(group, node, &b.batched) || n->arg[0] >= group->params.count ||
        n->arg[1] >= group->params.count)
        return false;
    b.batch = n->type.dim[0];
    if (b.batch == 1)
        return false; /* nothing to go through, and tasks within the image */
    b.image = image_size(graph_type(group, n->arg[b.batched]));
    b.sums = image_size(&n->type);
    b.block = images_within(&b, BLOCK_BYTES, 1);
    const Func *inner = inner_group(&b);
    if (winograd_applies(inner, inner->results.at[0], draft->target, blocks_of(&b))) {
        b.block = images_within(&b, TILED_BYTES, LEAST_TILED);
        inner = inner_group(&b);
    }
    lower_contract_runs(draft->arena, draft->target, inner, blocks_of(&b), &b.inner);
    if (!is_blockwise(&b)) return false;
    b.temps = draft->temps.count;
    keep_kernels(&b);
    uint32_t staged = draft_temp(draft, 0);
    lower_nest_staged(draft, &(Staged){node, staged, b.block, b.sums});
    join_kernels(&b, staged);
    return true;
}
