/*
 * The loops over an array: dimensions are walked as one run of elements where nobody looks
 * at them apart, and the run is cut where somebody does.
 *
 *   [N, 12, 12, 20] with a bias over the last dimension:   loops of N*144 and 20
 */
#include "passes/emitter.h"

static bool divides(const Dims *dims, int64_t unit, Dim total) {
    Dim quotient;
    return dim_divides((Dims *)dims, total, unit, &quotient);
}

/* The cuts of a run that form a chain of divisors, rising; returns how many. */
static uint32_t chain(Emitter *e, uint32_t id, Dim total, int64_t *unit, uint32_t most) {
    uint32_t count = 0;
    unit[count++] = 1;
    for (uint32_t i = 0; i < e->cuts.count && count < most; i++) {
        int64_t cut = e->cuts.at[i].unit;
        bool fits = e->cuts.at[i].domain == id &&
                    divides(&e->func->module->dims, cut, total) && total != cut;
        for (uint32_t j = 0; j < count && fits; j++)
            fits = cut != unit[j] && (cut % unit[j] == 0 || unit[j] % cut == 0);
        if (!fits) continue;
        uint32_t j = count++;
        for (; unit[j - 1] > cut; j--) unit[j] = unit[j - 1];
        unit[j] = cut;
    }
    return count;
}

static void add_run(Emitter *e, Domain *domain, uint32_t first, uint32_t end) {
    Dims *dims = &e->func->module->dims;
    Dim total = 1;
    int64_t unit[8];
    uint32_t run = domain->runs++;
    domain->first[run] = first;
    domain->first[run + 1] = end;
    for (uint32_t i = first; i < end; i++) total = dim_mul(dims, total, domain->dim[i]);
    uint32_t cuts = chain(e, domain->id + run, total, unit, 8);
    for (uint32_t i = cuts; i-- > 0;) {
        Dim extent =
            i + 1 == cuts ? dim_floor_div(dims, total, unit[i]) : unit[i + 1] / unit[i];
        if (domain->axes == 32) bug(e->arena, "a domain of more than 32 axes");
        domain->axis[domain->axes++] = (DomainAxis){run, unit[i], extent};
    }
}

/* Only the first dimension of a run may depend on n. */
Domain domain_new(Emitter *e, uint32_t id, uint32_t rank, const Dim *dim) {
    Domain domain = {.id = id, .rank = rank};
    if (rank) memcpy(domain.dim, dim, sizeof *dim * rank);
    for (uint32_t i = 0, end; i < rank; i = end) {
        for (end = i + 1; end < rank && dim_is_const(dim[end]); end++) {
        }
        add_run(e, &domain, i, end);
    }
    return domain;
}

const Index *domain_counter(Emitter *e, const Domain *domain, uint32_t axis,
                            const Expr *at, uint32_t lanes) {
    const DomainAxis *a = &domain->axis[axis];
    if (lanes == 1 && at->kind == EXPR_INT) return index_int(e, at->i);
    const Index *counter = index_counter(
        e, at, dim_max(&e->func->module->dims, a->extent), domain->id + a->run, a->unit);
    emit_vector(e, counter, lanes, NULL);
    return counter;
}

void domain_places(Emitter *e, const Domain *domain, const Index *const *axis,
                   const Index **at) {
    for (uint32_t run = 0; run < domain->runs; run++) {
        const Index *linear = index_int(e, 0);
        for (uint32_t i = 0; i < domain->axes; i++)
            if (domain->axis[i].run == run)
                linear =
                    index_add(e, linear, index_scale(e, axis[i], domain->axis[i].unit));
        uint32_t first = domain->first[run];
        Type type = {.rank = domain->first[run + 1] - first};
        memcpy(type.dim, domain->dim + first, sizeof(Dim) * type.rank);
        index_unravel(e, linear, &type, at + first);
    }
}

/* The narrower vectors for the rest of a stretch of known length. */
static uint32_t known_stretches(Emitter *e, const Expr *begin, int64_t length,
                                uint32_t widest, Stretch *stretch) {
    uint32_t count = 0;
    int64_t at = 0;
    for (uint32_t lanes = widest; at < length; lanes /= 2) {
        int64_t end = at + (length - at) / lanes * lanes;
        if (end == at) continue;
        stretch[count++] = (Stretch){
            lanes, expr_add(e->arena, begin, expr_int(e->arena, at)),
            expr_add(e->arena, begin, expr_int(e->arena, end)), end - at == lanes};
        at = end;
    }
    return count;
}

uint32_t domain_stretches(Emitter *e, const Expr *begin, const Expr *end, uint32_t widest,
                          Stretch *stretch) {
    Arena *a = e->arena;
    const Expr *length = expr_add(a, end, expr_mul(a, begin, -1));
    if (length->kind == EXPR_INT)
        return known_stretches(e, begin, length->i, widest, stretch);
    if (widest <= 1) {
        stretch[0] = (Stretch){1, begin, end, false};
        return 1;
    }
    const Expr *whole = expr_scalar(a, OP_div, length, expr_int(a, widest));
    whole = expr_add(a, begin, expr_mul(a, whole, widest));
    stretch[0] = (Stretch){widest, begin, whole, false};
    stretch[1] = (Stretch){1, whole, end, false};
    return 2;
}

/* The stretches of the whole axis, each clipped to the piece; a piece begins at a multiple
 * of the widest. */
uint32_t domain_piece(Emitter *e, int64_t extent, const Expr *begin, const Expr *end,
                      uint32_t widest, Stretch *stretch) {
    Arena *a = e->arena;
    uint32_t count = known_stretches(e, expr_int(a, 0), extent, widest, stretch);
    for (uint32_t i = 0; i < count; i++) {
        Stretch *s = &stretch[i];
        s->begin = i ? expr_scalar(a, OP_max, begin, s->begin) : begin;
        s->end = count > 1 ? expr_scalar(a, OP_min, end, s->end) : end;
        s->once = false;
    }
    return count;
}
