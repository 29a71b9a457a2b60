/*
 * Dimensions as polynomials in normal form.
 *
 * A polynomial is a list of terms, coefficient * product of atoms, in graded order (the
 * constant first, then by degree, then by atoms), without zero coefficients.  An atom is
 * a symbol or a floor division that could not be resolved.  Polynomials are interned:
 * equal ones get the same code.  floor(a / b) with a constant b is normalised by
 *
 *     floor((b*q + r) / b)        = q + floor(r / b)          coefficients of r in [0, b)
 *     floor((g*x + c) / (g*b))    = floor((x + floor(c / g)) / b)
 *     floor((floor(x / a) + c)/b) = floor((x + a*c) / (a*b))
 */
#include "ir/type.h"
#include <inttypes.h>

/* Beyond these a dimension is no longer one that anybody wrote; it overflows. */
#define MAX_TERMS  32
#define MAX_DEGREE 6
#define MAX_DEPTH  4 /* of floors within floors */
#define MAX_POLYS  (1 << 16)

typedef struct Poly {
    uint32_t count;
    DimTerm term[MAX_TERMS];
    bool overflow;
} Poly;

static bool in_limit(int64_t c) {
    return c <= DIM_LIMIT && c >= -DIM_LIMIT;
}

static int64_t floor_div(int64_t a, int64_t b) { /* b > 0 */
    return a / b - (a % b < 0);
}

static int64_t gcd(int64_t a, int64_t b) {
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a < 0 ? -a : a;
}

void dims_init(Dims *dims, Arena *arena) {
    *dims = (Dims){.arena = arena};
}

static int term_order(const DimTerm *a, const DimTerm *b) {
    if (a->count != b->count) return a->count < b->count ? -1 : 1;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->atoms[i] != b->atoms[i]) return a->atoms[i] < b->atoms[i] ? -1 : 1;
    return 0;
}

static void poly_load(const Dims *dims, Dim d, Poly *p) {
    p->count = 0, p->overflow = d == DIM_OVERFLOW; /* the rest is never read */
    if (d >= 0) {
        if (d) p->term[p->count++] = (DimTerm){.coefficient = d};
        return;
    }
    const DimPoly *from = &dims->polys.at[-(d + 1)];
    p->count = from->count;
    memcpy(p->term, from->terms, sizeof *p->term * from->count);
}

/* p += factor * t, keeping the order. */
static void poly_add_term(Poly *p, DimTerm t, int64_t factor) {
    int64_t c;
    if (p->overflow) return;
    if (__builtin_mul_overflow(t.coefficient, factor, &c)) c = DIM_OVERFLOW;
    uint32_t at = 0;
    while (at < p->count && term_order(&p->term[at], &t) < 0) at++;
    bool same = at < p->count && !term_order(&p->term[at], &t);
    if (same && __builtin_add_overflow(c, p->term[at].coefficient, &c)) c = DIM_OVERFLOW;
    t.coefficient = c;
    if (!in_limit(c) || (!same && p->count == MAX_TERMS)) {
        p->overflow = true;
    } else if (same && c) {
        p->term[at].coefficient = c;
    } else if (same) {
        memmove(p->term + at, p->term + at + 1, sizeof t * (--p->count - at));
    } else if (c) {
        memmove(p->term + at + 1, p->term + at, sizeof t * (p->count++ - at));
        p->term[at] = t;
    }
}

static void poly_add(Poly *p, const Poly *q, int64_t factor) {
    if (q->overflow) p->overflow = true;
    for (uint32_t i = 0; i < q->count; i++) poly_add_term(p, q->term[i], factor);
}

static bool poly_equal(const DimPoly *a, const Poly *b) {
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->terms[i].coefficient != b->term[i].coefficient ||
            term_order(&a->terms[i], &b->term[i]))
            return false;
    return true;
}

static Dim poly_intern(Dims *dims, const Poly *p) {
    if (p->overflow) return DIM_OVERFLOW;
    if (!p->count) return 0;
    if (p->count == 1 && !p->term[0].count && p->term[0].coefficient > 0)
        return p->term[0].coefficient;
    for (uint32_t i = 0; i < dims->polys.count; i++)
        if (poly_equal(&dims->polys.at[i], p)) return -(Dim)i - 1;
    if (dims->polys.count == MAX_POLYS) return DIM_OVERFLOW;
    DimPoly made = {p->count,
                    arena_copy(dims->arena, p->term, sizeof *p->term * p->count)};
    vec_push(dims->arena, &dims->polys, made);
    return -(Dim)dims->polys.count;
}

static uint32_t dim_depth(const Dims *dims, Dim d) {
    uint32_t depth = 0;
    if (d >= 0) return 0;
    const DimPoly *p = &dims->polys.at[-(d + 1)];
    for (uint32_t i = 0; i < p->count; i++)
        for (uint32_t j = 0; j < p->terms[i].count; j++) {
            uint32_t inner = dims->atoms.at[p->terms[i].atoms[j]].depth;
            if (inner > depth) depth = inner;
        }
    return depth;
}

static Dim dim_atom(Dims *dims, DimAtom wanted) {
    uint32_t at = 0;
    for (; at < dims->atoms.count; at++) {
        const DimAtom *a = &dims->atoms.at[at];
        if (a->is_floor == wanted.is_floor && a->symbol == wanted.symbol &&
            a->numerator == wanted.numerator && a->denominator == wanted.denominator)
            break;
    }
    if (at == dims->atoms.count) vec_push(dims->arena, &dims->atoms, wanted);
    Poly p = {.count = 1};
    p.term[0] = (DimTerm){1, 1, arena_copy(dims->arena, &at, sizeof at)};
    return poly_intern(dims, &p);
}

static Dim dim_floor_atom(Dims *dims, Dim a, Dim b) {
    uint32_t depth = dim_depth(dims, a), other = dim_depth(dims, b);
    if (other > depth) depth = other;
    if (depth == MAX_DEPTH) return DIM_OVERFLOW;
    return dim_atom(dims, (DimAtom){true, 0, depth + 1, a, b});
}

Dim dim_symbol(Dims *dims, const char *name, int64_t max) {
    uint32_t at = 0;
    while (at < dims->symbols.count && strcmp(dims->symbols.at[at].name, name)) at++;
    if (at == dims->symbols.count) {
        Symbol symbol = {arena_string(dims->arena, name, strlen(name)), max};
        vec_push(dims->arena, &dims->symbols, symbol);
    }
    if (dims->symbols.at[at].max == 1) return 1;
    return dim_atom(dims, (DimAtom){.symbol = at});
}

static Dim add_scaled(Dims *dims, Dim a, Dim b, int64_t factor) {
    Poly p, q;
    if (a == DIM_OVERFLOW || b == DIM_OVERFLOW) return DIM_OVERFLOW;
    if (!b) return a;
    int64_t c;
    if (dim_is_const(a) && dim_is_const(b) && !__builtin_mul_overflow(b, factor, &c) &&
        !__builtin_add_overflow(a, c, &c) && c >= 0)
        return c <= DIM_LIMIT ? c : DIM_OVERFLOW;
    poly_load(dims, a, &p);
    poly_load(dims, b, &q);
    poly_add(&p, &q, factor);
    return poly_intern(dims, &p);
}

Dim dim_add(Dims *dims, Dim a, Dim b) {
    return add_scaled(dims, a, b, 1);
}
Dim dim_sub(Dims *dims, Dim a, Dim b) {
    return add_scaled(dims, a, b, -1);
}

/* The product of two monomials; false beyond MAX_DEGREE. */
static bool term_mul(Dims *dims, const DimTerm *a, const DimTerm *b, DimTerm *out) {
    uint32_t atoms[2 * MAX_DEGREE], n = 0, i = 0, j = 0;
    if (a->count + b->count > MAX_DEGREE) return false;
    while (i < a->count || j < b->count) {
        bool left = j == b->count || (i < a->count && a->atoms[i] <= b->atoms[j]);
        atoms[n++] = left ? a->atoms[i++] : b->atoms[j++];
    }
    int64_t c;
    if (__builtin_mul_overflow(a->coefficient, b->coefficient, &c)) return false;
    *out = (DimTerm){c, n, arena_copy(dims->arena, atoms, sizeof *atoms * n)};
    return true;
}

static void poly_mul_term(Dims *dims, Poly *sum, const Poly *p, const DimTerm *t,
                          int64_t factor) {
    for (uint32_t i = 0; i < p->count && !sum->overflow; i++) {
        DimTerm product;
        if (term_mul(dims, &p->term[i], t, &product))
            poly_add_term(sum, product, factor);
        else
            sum->overflow = true;
    }
}

Dim dim_mul(Dims *dims, Dim a, Dim b) {
    Poly p, q, sum;
    int64_t c;
    if (a == DIM_OVERFLOW || b == DIM_OVERFLOW) return DIM_OVERFLOW;
    if (a == 1 || b == 1) return a == 1 ? b : a;
    if (dim_is_const(a) && dim_is_const(b))
        return __builtin_mul_overflow(a, b, &c) || c > DIM_LIMIT ? DIM_OVERFLOW : c;
    sum.count = 0, sum.overflow = false;
    poly_load(dims, a, &p);
    poly_load(dims, b, &q);
    for (uint32_t i = 0; i < q.count; i++) poly_mul_term(dims, &sum, &p, &q.term[i], 1);
    return poly_intern(dims, &sum);
}

/* a / b for monomials; false where b does not divide a. */
static bool term_div(Dims *dims, const DimTerm *a, const DimTerm *b, DimTerm *out) {
    uint32_t atoms[MAX_DEGREE], n = 0, j = 0;
    if (!b->coefficient || a->coefficient % b->coefficient) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (j < b->count && a->atoms[i] == b->atoms[j])
            j++;
        else
            atoms[n++] = a->atoms[i];
    }
    if (j < b->count) return false;
    *out = (DimTerm){a->coefficient / b->coefficient, n,
                     arena_copy(dims->arena, atoms, sizeof *atoms * n)};
    return true;
}

/* Long division; the order of terms is a monomial order, so the leading one decreases. */
bool dim_divides(Dims *dims, Dim a, Dim b, Dim *quotient) {
    Poly rest, divisor, sum = {0};
    if (a == DIM_OVERFLOW || b == DIM_OVERFLOW || !b) return false;
    poly_load(dims, a, &rest);
    poly_load(dims, b, &divisor);
    while (rest.count) {
        DimTerm t;
        if (!term_div(dims, &rest.term[rest.count - 1], &divisor.term[divisor.count - 1],
                      &t))
            return false;
        poly_add_term(&sum, t, 1);
        poly_mul_term(dims, &rest, &divisor, &t, -1);
        if (rest.overflow || sum.overflow) return false;
    }
    *quotient = poly_intern(dims, &sum);
    return *quotient != DIM_OVERFLOW;
}

/* The floor atom that is all of p but its constant, which goes to *constant; or NULL. */
static const DimAtom *lone_floor(const Dims *dims, const Poly *p, int64_t *constant) {
    uint32_t at = 0;
    *constant = 0;
    if (p->count && !p->term[0].count) *constant = p->term[at++].coefficient;
    if (at + 1 != p->count || p->term[at].count != 1 || p->term[at].coefficient != 1)
        return NULL;
    const DimAtom *atom = &dims->atoms.at[p->term[at].atoms[0]];
    return atom->is_floor && atom->denominator > 0 ? atom : NULL;
}

/* floor(rest / b) for a constant b; coefficients of `rest` are in [0, b). */
static Dim floor_of_rest(Dims *dims, Poly *rest, int64_t b) {
    int64_t g = b, constant;
    if (!rest->count || (rest->count == 1 && !rest->term[0].count)) return 0;
    for (uint32_t i = 0; i < rest->count; i++)
        if (rest->term[i].count) g = gcd(g, rest->term[i].coefficient);
    Poly small = {0};
    for (uint32_t i = 0; i < rest->count; i++) {
        DimTerm t = rest->term[i];
        t.coefficient /= g;
        poly_add_term(&small, t, 1);
    }
    b /= g;
    const DimAtom *inner = lone_floor(dims, &small, &constant);
    int64_t joined;
    if (inner && !__builtin_mul_overflow(inner->denominator, b, &joined) &&
        in_limit(joined)) {
        Dim shift = dim_mul(dims, inner->denominator, constant);
        return dim_floor_div(dims, dim_add(dims, inner->numerator, shift), joined);
    }
    Dim numerator = poly_intern(dims, &small);
    if (numerator == DIM_OVERFLOW) return DIM_OVERFLOW;
    return dim_floor_atom(dims, numerator, b);
}

Dim dim_floor_div(Dims *dims, Dim a, Dim b) {
    Poly p, whole = {0}, rest = {0};
    Dim exact;
    if (a == DIM_OVERFLOW || b == DIM_OVERFLOW || !b) return DIM_OVERFLOW;
    if (a >= 0 && b > 0) return a / b;
    if (dim_divides(dims, a, b, &exact)) return exact;
    if (b < 0) return dim_floor_atom(dims, a, b);
    poly_load(dims, a, &p);
    for (uint32_t i = 0; i < p.count; i++) {
        DimTerm t = p.term[i];
        t.coefficient = floor_div(p.term[i].coefficient, b);
        poly_add_term(&whole, t, 1);
        t.coefficient = p.term[i].coefficient - t.coefficient * b;
        poly_add_term(&rest, t, 1);
    }
    return dim_add(dims, poly_intern(dims, &whole), floor_of_rest(dims, &rest, b));
}

bool dim_linear(const Dims *dims, Dim d, uint32_t *symbol, int64_t *scale,
                int64_t *offset) {
    *symbol = 0;
    *scale = *offset = 0;
    if (d == DIM_OVERFLOW) return false;
    if (d >= 0) {
        *offset = d;
        return true;
    }
    const DimPoly *p = &dims->polys.at[-(d + 1)];
    for (uint32_t i = 0; i < p->count; i++) {
        const DimTerm *t = &p->terms[i];
        if (!t->count) {
            *offset = t->coefficient;
            continue;
        }
        if (t->count > 1 || *scale || dims->atoms.at[t->atoms[0]].is_floor) return false;
        *symbol = dims->atoms.at[t->atoms[0]].symbol;
        *scale = t->coefficient;
    }
    return true;
}

#define UNBOUNDED (4 * DIM_LIMIT)

/* Products and sums that leave the limit stay outside of it; the sign is kept. */
static int64_t clamp_wide(__int128 x) {
    return x > UNBOUNDED ? UNBOUNDED : x < -UNBOUNDED ? -UNBOUNDED : (int64_t)x;
}

/* `values` NULL: every symbol at its maximum. */
static int64_t evaluate(const Dims *dims, Dim d, const int64_t *values) {
    if (d >= 0) return d;
    const DimPoly *p = &dims->polys.at[-(d + 1)];
    int64_t sum = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        int64_t product = p->terms[i].coefficient;
        for (uint32_t j = 0; j < p->terms[i].count; j++) {
            const DimAtom *atom = &dims->atoms.at[p->terms[i].atoms[j]];
            int64_t value;
            if (atom->is_floor) {
                int64_t a = evaluate(dims, atom->numerator, values);
                int64_t b = evaluate(dims, atom->denominator, values);
                value = b > 0 ? floor_div(a, b) : b < 0 ? floor_div(-a, -b) : 0;
            } else {
                value =
                    values ? values[atom->symbol] : dims->symbols.at[atom->symbol].max;
            }
            product = clamp_wide((__int128)product * value);
        }
        sum = clamp_wide((__int128)sum + product);
    }
    return sum;
}

int64_t dim_value(const Dims *dims, Dim d, const int64_t *symbol_values) {
    return evaluate(dims, d, symbol_values);
}

int64_t dim_max(const Dims *dims, Dim d) {
    return evaluate(dims, d, NULL);
}

/* Bounds of a value; UNBOUNDED where nothing is known. */
typedef struct Range {
    int64_t low, high;
} Range;

static Range dim_range(const Dims *dims, Dim d);

static Range atom_range(const Dims *dims, const DimAtom *atom) {
    if (!atom->is_floor) {
        int64_t max = dims->symbols.at[atom->symbol].max;
        return (Range){1, max ? max : UNBOUNDED};
    }
    Range r = dim_range(dims, atom->numerator);
    int64_t b = atom->denominator;
    if (b <= 0) return (Range){-UNBOUNDED, UNBOUNDED};
    return (Range){r.low == -UNBOUNDED ? r.low : floor_div(r.low, b),
                   r.high == UNBOUNDED ? r.high : floor_div(r.high, b)};
}

static Range term_range(const Dims *dims, const DimTerm *t) {
    Range product = {1, 1};
    for (uint32_t i = 0; i < t->count; i++) {
        Range r = atom_range(dims, &dims->atoms.at[t->atoms[i]]);
        if (t->count > 1 && r.low < 0) return (Range){-UNBOUNDED, UNBOUNDED};
        product.low = clamp_wide((__int128)product.low * r.low);
        product.high = clamp_wide((__int128)product.high * r.high);
    }
    int64_t low = clamp_wide((__int128)product.low * t->coefficient);
    int64_t high = clamp_wide((__int128)product.high * t->coefficient);
    return t->coefficient < 0 ? (Range){high, low} : (Range){low, high};
}

/* Term by term; an end that is UNBOUNDED stays so. */
static Range dim_range(const Dims *dims, Dim d) {
    Range sum = {0, 0};
    if (d >= 0) return (Range){d, d};
    const DimPoly *p = &dims->polys.at[-(d + 1)];
    for (uint32_t i = 0; i < p->count; i++) {
        Range r = term_range(dims, &p->terms[i]);
        bool no_low = sum.low == -UNBOUNDED || r.low == -UNBOUNDED;
        bool no_high = sum.high == UNBOUNDED || r.high == UNBOUNDED;
        sum.low = no_low ? -UNBOUNDED : clamp_wide((__int128)sum.low + r.low);
        sum.high = no_high ? UNBOUNDED : clamp_wide((__int128)sum.high + r.high);
    }
    return sum;
}

/* p times the denominator of its floor term number `at`, which becomes a bound from below:
 * floor(x / b) is in [(x - b + 1) / b, x / b]. */
static void relax_floor(const Dims *dims, Poly *p, uint32_t at) {
    const DimTerm t = p->term[at];
    const DimAtom *atom = &dims->atoms.at[t.atoms[0]];
    Poly numerator, product = {0};
    poly_load(dims, atom->numerator, &numerator);
    if (t.coefficient > 0)
        poly_add_term(&numerator, (DimTerm){.coefficient = 1}, 1 - atom->denominator);
    poly_add_term(p, t, -1);
    poly_add(&product, p, atom->denominator);
    poly_add(&product, &numerator, t.coefficient);
    *p = product;
}

/* Term by term first; then without floors, so that H and 2*(H/2) may cancel. */
bool dim_at_least(Dims *dims, Dim d, int64_t least) {
    Poly p;
    if (d == DIM_OVERFLOW) return false;
    if (dim_range(dims, d).low >= least) return true;
    poly_load(dims, d, &p);
    poly_add_term(&p, (DimTerm){.coefficient = 1}, -least);
    for (uint32_t i = 0; i < p.count && !p.overflow;) {
        const DimTerm *t = &p.term[i];
        const DimAtom *atom = t->count == 1 ? &dims->atoms.at[t->atoms[0]] : NULL;
        if (atom && atom->is_floor && atom->denominator > 0) {
            relax_floor(dims, &p, i);
            i = 0;
        } else {
            i++;
        }
    }
    Dim rest = poly_intern(dims, &p);
    return rest != DIM_OVERFLOW && dim_range(dims, rest).low >= 0;
}

static bool is_plain(const Dims *dims, Dim d) { /* a number or one symbol */
    if (d >= 0) return true;
    const DimPoly *p = &dims->polys.at[-(d + 1)];
    return p->count == 1 && p->terms[0].count == 1 && p->terms[0].coefficient == 1 &&
           !dims->atoms.at[p->terms[0].atoms[0]].is_floor;
}

static void print_inner(const Dims *dims, Dim d, Text *out) {
    bool plain = is_plain(dims, d);
    if (!plain) text_puts(out, "(");
    dim_print(dims, d, out);
    if (!plain) text_puts(out, ")");
}

static void print_term(const Dims *dims, const DimTerm *t, Text *out) {
    uint64_t size = (uint64_t)(t->coefficient < 0 ? -t->coefficient : t->coefficient);
    bool alone = size == 1 && t->count == 1;
    if (size != 1 || !t->count) text_printf(out, "%" PRIu64, size);
    for (uint32_t i = 0; i < t->count; i++) {
        const DimAtom *atom = &dims->atoms.at[t->atoms[i]];
        if (i || size != 1) text_puts(out, "*");
        if (!atom->is_floor) {
            text_puts(out, dims->symbols.at[atom->symbol].name);
            continue;
        }
        if (!alone) text_puts(out, "(");
        print_inner(dims, atom->numerator, out);
        text_puts(out, "/");
        print_inner(dims, atom->denominator, out);
        if (!alone) text_puts(out, ")");
    }
}

/* The constant comes last: N - 1, 2*N + (H - 2)/2 + 1. */
void dim_print(const Dims *dims, Dim d, Text *out) {
    if (d == DIM_OVERFLOW) {
        text_puts(out, "overflow");
        return;
    }
    if (d >= 0) {
        text_printf(out, "%" PRId64, d);
        return;
    }
    const DimPoly *p = &dims->polys.at[-(d + 1)];
    uint32_t skip = p->count > 1 && !p->terms[0].count;
    for (uint32_t i = 0; i < p->count; i++) {
        const DimTerm *t = &p->terms[(i + skip) % p->count];
        bool minus = t->coefficient < 0;
        text_puts(out, i ? (minus ? " - " : " + ") : (minus ? "-" : ""));
        print_term(dims, t, out);
    }
}
