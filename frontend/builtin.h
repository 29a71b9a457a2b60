/* What the primitives share. */
#ifndef TN_FRONTEND_BUILTIN_H
#define TN_FRONTEND_BUILTIN_H

#include "frontend/elaborate.h"

#define BUILTIN(name, signature) BuiltinCall builtin_##name;
#include "frontend/builtin.def"
#undef BUILTIN

/* Each reports what it does not take and answers false; unknown values are silent. */
bool want_tensor(Elab *e, Value *v, const char *what, Span span);
const Closure *want_function(Elab *e, const Value *v, const char *what, Span span);
bool want_int(Elab *e, const Value *v, const char *what, int64_t low, Span span,
              int64_t *out);
/* A list of whole numbers, or one number for all `count` (0: any count). */
bool want_ints(Elab *e, const Value *v, const char *what, int64_t low, uint32_t count,
               Span span, int64_t *out, uint32_t *found);
bool want_dims(Elab *e, const Value *v, Span span, Dim *dim, uint32_t *rank);
/* One axis of a type: a number, or the name of a dimension. */
bool want_axis(Elab *e, const Value *v, const Type *type, Span span, int64_t *axis);
/* Axes in order: a list of them, `...`, one alone. */
bool want_axes(Elab *e, const Value *v, const Type *type, Span span, int64_t *axes,
               uint32_t *count);
int64_t int_or(const Value *v, int64_t otherwise);

#endif
