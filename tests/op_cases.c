/* TABLE: functions that use every op (op_cases.h). */
#include "tests/op_cases.h"
#include "runtime/philox.h"

#define F(params, body) "func @f(" params ") -> (%y) {\n" body "\n}\n"

/* A vector with a tail, a run-time dimension, a scalar. */
#define UNARY(op, low, high, smooth)                                                     \
    {#op ": rows", F("%x: f32[3, 37]", "%y = " #op " %x"), low, high, 0, 0, smooth},     \
        {#op ": N", F("%x: f32[N, 5]", "%y = " #op " %x"), low, high, 0, 0, smooth}, {   \
#op ": scalar", F("%x: f32[]", "%y = " #op " %x"), low, high, 0, 0, smooth       \
    }
#define BINARY(op, low, high, smooth)                                                    \
    {#op ": rows",                                                                       \
     F("%a: f32[3, 37], %b: f32[3, 37]", "%y = " #op " %a, %b"),                         \
     low,                                                                                \
     high,                                                                               \
     0,                                                                                  \
     0,                                                                                  \
     smooth},                                                                            \
    {                                                                                    \
#op ": N", F("%a: f32[N, 5], %b: f32[N, 5]", "%y = " #op " %a, %b"), low, high,  \
            0, 0, smooth                                                                 \
    }
#define INTEGER(op)                                                                      \
    { #op ": i32", F("%a: i32[4, 9], %b: i32[4, 9]", "%y = " #op " %a, %b"), 0, 0, 3 }
#define LOGIC(op)                                                                        \
    { #op ": bool", F("%a: bool[3, 21], %b: bool[3, 21]", "%y = " #op " %a, %b") }

/*
 * A convolution and its two gradients: batch, height, width, in, out channels, filter size,
 * stride, dilation, padding, output height and width.
 */
#define CONV(name, N, H, W, I, O, K, S, D, P, OH, OW)                                    \
    {"contract: conv " name,                                                             \
     F("%x: f32[" #N ", " #H ", " #W ", " #I "], %w: f32[" #K ", " #K ", " #I ", " #O    \
       "]",                                                                              \
       "%y = contract %x, %w {dims = [" #N ", " #OH ", " #OW ", " #O ", " #K ", " #K     \
       ", " #I "], a = [d0, " #S "*d1 + " #D "*d4 - " #P ", " #S "*d2 + " #D "*d5 - " #P \
       ", d6], b = [d4, d5, d6, d3], out = [d0, d1, d2, d3]}"),                          \
     .smooth = true},                                                                    \
        {"contract: conv data " name,                                                    \
         F("%g: f32[" #N ", " #OH ", " #OW ", " #O "], %w: f32[" #K ", " #K ", " #I      \
           ", " #O "]",                                                                  \
           "%y = contract %g, %w {dims = [" #N ", " #H ", " #W ", " #I ", " #K ", " #K   \
           ", " #O "], a = [d0, (d1 - " #D "*d4 + " #P ")/" #S ", (d2 - " #D "*d5 + " #P \
           ")/" #S ", d6], b = [d4, d5, d3, d6], out = [d0, d1, d2, d3]}"),              \
         .smooth = true},                                                                \
    {                                                                                    \
        "contract: conv filter " name,                                                   \
            F("%x: f32[" #N ", " #H ", " #W ", " #I "], %g: f32[" #N ", " #OH ", " #OW   \
              ", " #O "]",                                                               \
              "%y = contract %x, %g {dims = [" #K ", " #K ", " #I ", " #O ", " #N        \
              ", " #OH ", " #OW "], a = [d4, " #S "*d5 + " #D "*d0 - " #P ", " #S        \
              "*d6 + " #D "*d1 - " #P                                                    \
              ", d2], b = [d4, d5, d6, d3], out = [d0, d1, d2, d3]}"),                   \
            .smooth = true                                                               \
    }

/* clang-format off */
const OpCase op_cases[] = {
    /* Sources. */
    {"param", F("%y: f32[3, 5]", ""), .smooth = true},
    {"const: one value", F("", "%y = const {elem = f32, dims = [2, 9], values = [0.5]}")},
    {"const: all values", F("", "%y = const {elem = f32, dims = [2, 3], values = [1, -2, 3, 0.25, 5, 6]}")},
    {"const: scalar", F("%x: f32[5]", "%c = const {elem = f32, dims = [], values = [3]} "
                        "%b = broadcast %c {dims = [5], axes = []} %y = mul %x, %b"), .smooth = true},
    {"const: N", F("%x: f32[N, 3]", "%c = const {elem = f32, dims = [N, 3], values = [2]} %y = add %x, %c"), .smooth = true},
    {"const: i32", F("", "%y = const {elem = i32, dims = [3], values = [1, -2, 2147483647]}")},
    {"const: bool", F("", "%y = const {elem = bool, dims = [2], values = [1, 0]}")},
    {"iota: last", F("", "%y = iota {elem = i32, dims = [3, 10], axis = 1}")},
    {"iota: first", F("", "%y = iota {elem = f32, dims = [5, 3], axis = 0}")},
    {"iota: N", F("", "%y = iota {elem = i32, dims = [N, 3], axis = 0}")},
    {"random", F("%s: i32[], %t: i32[], %i: i32[]", "%y = random %s, %t, %i {dims = [3, 7], site = 2}"), .ints = 1000},
    {"random: N", F("%s: i32[], %t: i32[], %i: i32[]", "%y = random %s, %t, %i {dims = [N, 5], site = 0}"), .ints = 1000},

    /* Elementwise: select, casts, names. */
    {"select", F("%c: bool[3, 19], %a: f32[3, 19], %b: f32[3, 19]", "%y = select %c, %a, %b"), .smooth = true},
    {"select: compared", F("%a: f32[N, 3], %b: f32[N, 3]", "%c = lt %a, %b %y = select %c, %b, %a"), .smooth = true},
    {"select: i32", F("%c: bool[9], %a: i32[9], %b: i32[9]", "%y = select %c, %a, %b")},
    {"cast: i32 to f32", F("%x: i32[3, 9]", "%y = cast %x {elem = f32}"), .ints = 1000},
    {"cast: f32 to i32", F("%x: f32[3, 9]", "%y = cast %x {elem = i32}"), -50, 50},
    {"cast: u8 to f32", F("%x: u8[N, 19]", "%y = cast %x {elem = f32}")},
    {"cast: f32 to u8", F("%x: f32[19]", "%y = cast %x {elem = u8}"), 0, 255},
    {"cast: bool to f32", F("%x: bool[19]", "%y = cast %x {elem = f32}")},
    {"cast: f32 to bool", F("%x: f32[19]", "%y = cast %x {elem = bool}")},
    {"cast: i32 to u8", F("%x: i32[19]", "%y = cast %x {elem = u8}"), .ints = 1000},
    {"copy", F("%x: f32[5]", "%y = copy %x"), .smooth = true},
    {"stop", F("%x: f32[5]", "%y = stop %x")},

    /* Elementwise: the rows of scalar.def. */
    UNARY(neg, -2, 2, true),     UNARY(abs, -2, 2, true),     UNARY(sign, -2, 2, true),
    UNARY(floor, -3, 3, true),   UNARY(round, -3, 3, true),   UNARY(exp, -4, 4, true),
    UNARY(log, 0.1, 5, true),    UNARY(sqrt, 0.1, 5, true),   UNARY(rsqrt, 0.1, 5, true),
    UNARY(tanh, -3, 3, true),    UNARY(erf, -3, 3, true),     UNARY(sin, -6, 6, true),
    UNARY(cos, -6, 6, true),
    {"exp: wide", F("%x: f32[65]", "%y = exp %x"), -60, 60, .smooth = true},
    {"tanh: wide", F("%x: f32[65]", "%y = tanh %x"), -20, 20, .smooth = true},
    {"log: small", F("%x: f32[65]", "%y = log %x"), 1e-30, 1e-20},
    {"not: bool", F("%x: bool[3, 21]", "%y = not %x")},
    BINARY(add, -2, 2, true),    BINARY(sub, -2, 2, true),    BINARY(mul, -2, 2, true),
    BINARY(div, 0.5, 2, true),   BINARY(mod, 0.5, 4, true),   BINARY(pow, 0.3, 2, true),
    BINARY(min, -2, 2, true),    BINARY(max, -2, 2, true),    BINARY(lt, -2, 2, true),
    BINARY(le, -2, 2, true),     BINARY(gt, -2, 2, true),     BINARY(ge, -2, 2, true),
    BINARY(eq, -2, 2, true),     BINARY(ne, -2, 2, true),
    INTEGER(add), INTEGER(sub), INTEGER(mul), INTEGER(min), INTEGER(max),
    INTEGER(lt), INTEGER(le), INTEGER(gt), INTEGER(ge), INTEGER(eq), INTEGER(ne),
    {"div: i32", F("%x: i32[19]", "%c = const {elem = i32, dims = [19], values = [7]} %y = div %x, %c"), .ints = 1000},
    {"mod: i32", F("%x: i32[19]", "%c = const {elem = i32, dims = [19], values = [7]} %y = mod %x, %c"), .ints = 1000},
    LOGIC(and), LOGIC(or), LOGIC(eq),
    {"max: relu", F("%x: f32[N, 33]", "%z = const {elem = f32, dims = [N, 33], values = [0]} %y = max %z, %x"), .smooth = true},
    {"mul: chain", F("%x: f32[4, 21]", "%a = mul %x, %x %b = exp %a %c = add %b, %x %y = mul %c, %a"), .smooth = true},

    /* Moves. */
    {"broadcast: rows", F("%x: f32[5]", "%y = broadcast %x {dims = [3, 5], axes = [1]}"), .smooth = true},
    {"broadcast: columns", F("%x: f32[3]", "%y = broadcast %x {dims = [3, 17], axes = [0]}"), .smooth = true},
    {"broadcast: middle", F("%x: f32[2, 5]", "%y = broadcast %x {dims = [2, 3, 5, 4], axes = [0, 2]}"), .smooth = true},
    {"broadcast: N", F("%x: f32[5]", "%y = broadcast %x {dims = [N, 5], axes = [1]}"), .smooth = true},
    {"broadcast: scalar", F("%x: f32[]", "%y = broadcast %x {dims = [N, 5], axes = []}"), .smooth = true},
    {"reshape: flatten", F("%x: f32[N, 3, 5, 2]", "%y = reshape %x {dims = [N, 30]}"), .smooth = true},
    {"reshape: split", F("%x: f32[4, 15]", "%y = reshape %x {dims = [2, 2, 3, 5]}"), .smooth = true},
    {"reshape: mixed", F("%x: f32[6, 4]", "%y = reshape %x {dims = [8, 3]}"), .smooth = true},
    {"reshape: scalar", F("%x: f32[1, 1]", "%y = reshape %x {dims = []}"), .smooth = true},
    {"reshape: 3N", F("%x: f32[N, 3]", "%y = reshape %x {dims = [3*N]}"), .smooth = true},
    {"transpose: matrix", F("%x: f32[5, 19]", "%y = transpose %x {axes = [1, 0]}"), .smooth = true},
    {"transpose: turn", F("%x: f32[2, 3, 5]", "%y = transpose %x {axes = [2, 0, 1]}"), .smooth = true},
    {"transpose: N", F("%x: f32[N, 3, 4]", "%y = transpose %x {axes = [0, 2, 1]}"), .smooth = true},
    {"slice", F("%x: f32[6, 9]", "%y = slice %x {starts = [1, 2], dims = [4, 5], strides = [1, 1]}"), .smooth = true},
    {"slice: strided", F("%x: f32[7, 20]", "%y = slice %x {starts = [0, 1], dims = [3, 7], strides = [3, 2]}"), .smooth = true},
    {"slice: reversed", F("%x: f32[4, 18]", "%y = slice %x {starts = [0, 17], dims = [4, 18], strides = [1, -1]}"), .smooth = true},
    {"slice: N", F("%x: f32[N, 9]", "%y = slice %x {starts = [0, 3], dims = [N, 4], strides = [1, 1]}"), .smooth = true},
    {"pad", F("%x: f32[3, 5]", "%y = pad %x {low = [1, 0], high = [0, 2], inner = [0, 0], value = [0.5]}"), .smooth = true},
    {"pad: between", F("%x: f32[3, 7]", "%y = pad %x {low = [0, 1], high = [2, 0], inner = [1, 2], value = [0]}"), .smooth = true},
    {"pad: N", F("%x: f32[N, 3, 2]", "%y = pad %x {low = [0, 1, 0], high = [0, 1, 0], inner = [0, 0, 0], value = [0]}"), .smooth = true},
    {"concat: rows", F("%a: f32[2, 5], %b: f32[3, 5]", "%y = concat %a, %b {axis = 0}"), .smooth = true},
    {"concat: three", F("%a: f32[N, 2], %b: f32[N, 7], %c: f32[N, 1]", "%y = concat %a, %b, %c {axis = 1}"), .smooth = true},
    {"concat: itself", F("%a: f32[3, 2, 5]", "%y = concat %a, %a {axis = 1}"), .smooth = true},
    {"windows", F("%x: f32[11]", "%y = windows %x {axes = [0], size = [3], strides = [2], dilations = [1]}"), .smooth = true},
    {"windows: image", F("%x: f32[N, 7, 9, 2]", "%y = windows %x {axes = [1, 2], size = [3, 2], strides = [2, 1], dilations = [1, 3]}"), .smooth = true},
    {"windows: max pool", F("%x: f32[2, 7, 7, 3]", "%w = windows %x {axes = [1, 2], size = [3, 3], strides = [2, 2], dilations = [1, 1]} "
                            "%y = reduce_max %w {axes = [4, 5]}"), .smooth = true},
    {"fold", F("%x: f32[5, 3]", "%y = fold %x {axes = [0], strides = [2], dilations = [1], dims = [12]}"), .smooth = true},
    {"fold: image", F("%x: f32[N, 3, 4, 2, 3, 2]", "%y = fold %x {axes = [1, 2], strides = [2, 1], dilations = [1, 3], dims = [7, 7]}"), .smooth = true},

    /* Places that depend on data. */
    {"gather: rows", F("%x: f32[5, 7], %i: i32[9]", "%y = gather %x, %i {axis = 0, batch = 0}"), .smooth = true},
    {"gather: columns", F("%x: f32[3, 5, 2], %i: i32[4, 2]", "%y = gather %x, %i {axis = 1, batch = 0}"), .smooth = true},
    {"gather: pick", F("%x: f32[N, 5], %i: i32[N]", "%y = gather %x, %i {axis = 1, batch = 1}"), .smooth = true},
    {"gather: clamped", F("%x: f32[3, 4], %i: i32[7]", "%y = gather %x, %i {axis = 0, batch = 0}"), .ints = 6},
    {"scatter_add: rows", F("%i: i32[9], %u: f32[9, 7]", "%y = scatter_add %i, %u {axis = 0, batch = 0, dims = [5]}"), .smooth = true},
    {"scatter_add: columns", F("%i: i32[4, 2], %u: f32[3, 4, 2, 6]", "%y = scatter_add %i, %u {axis = 1, batch = 0, dims = [5]}"), .smooth = true},
    {"scatter_add: pick", F("%i: i32[N], %u: f32[N]", "%y = scatter_add %i, %u {axis = 1, batch = 1, dims = [5]}"), .smooth = true},
    {"scatter_add: outside", F("%i: i32[9], %u: f32[9, 2]", "%y = scatter_add %i, %u {axis = 0, batch = 0, dims = [3]}"), .smooth = true},
    {"read_at", F("%x: f32[5, 3, 4], %i: i32[]", "%y = read_at %x, %i"), .smooth = true},
    {"write_at", F("%x: f32[5, 3, 4], %i: i32[], %v: f32[3, 4]", "%y = write_at %x, %i, %v"), .smooth = true},

    /* Reductions. */
    {"sum: all", F("%x: f32[7, 37]", "%y = sum %x {axes = [0, 1]}"), .smooth = true},
    {"sum: rows", F("%x: f32[N, 37]", "%y = sum %x {axes = [1]}"), .smooth = true},
    {"sum: columns", F("%x: f32[9, 37]", "%y = sum %x {axes = [0]}"), .smooth = true},
    {"sum: over N", F("%x: f32[N, 19]", "%y = sum %x {axes = [0]}"), .smooth = true},
    {"sum: image", F("%x: f32[N, 5, 3, 18]", "%y = sum %x {axes = [0, 1, 2]}"), .smooth = true},
    {"sum: middle", F("%x: f32[3, 5, 7, 2]", "%y = sum %x {axes = [1, 2]}"), .smooth = true},
    {"sum: outer two", F("%x: f32[3, 5, 7]", "%y = sum %x {axes = [0, 2]}"), .smooth = true},
    {"sum: long", F("%x: f32[5000]", "%y = sum %x {axes = [0]}"), .smooth = true},
    {"sum: i32", F("%x: i32[4, 9]", "%y = sum %x {axes = [1]}")},
    {"reduce_max: rows", F("%x: f32[5, 21]", "%y = reduce_max %x {axes = [1]}"), .smooth = true},
    {"reduce_max: columns", F("%x: f32[5, 21]", "%y = reduce_max %x {axes = [0]}"), .smooth = true},
    {"reduce_max: pool", F("%x: f32[N, 3, 2, 4, 2, 5]", "%y = reduce_max %x {axes = [2, 4]}"), .smooth = true},
    {"reduce_min: rows", F("%x: f32[N, 21]", "%y = reduce_min %x {axes = [1]}"), .smooth = true},
    {"argmax: rows", F("%x: f32[N, 10]", "%y = argmax %x {axes = [1]}")},
    {"argmax: columns", F("%x: f32[7, 19]", "%y = argmax %x {axes = [0]}")},
    {"argmax: two", F("%x: f32[3, 4, 5]", "%y = argmax %x {axes = [0, 2]}")},
    {"sum: softmax", F("%x: f32[N, 10]",
        "%m = reduce_max %x {axes = [1]} %b = broadcast %m {dims = [N, 10], axes = [0]} %s = sub %x, %b "
        "%e = exp %s %t = sum %e {axes = [1]} %d = broadcast %t {dims = [N, 10], axes = [0]} %y = div %e, %d"), .smooth = true},

    /* Contractions. */
    {"contract: matrix product", F("%a: f32[13, 7], %b: f32[7, 19]",
        "%y = contract %a, %b {dims = [13, 19, 7], a = [d0, d2], b = [d2, d1], out = [d0, d1]}"), .smooth = true},
    {"contract: N rows", F("%a: f32[N, 33], %b: f32[33, 50]",
        "%y = contract %a, %b {dims = [N, 50, 33], a = [d0, d2], b = [d2, d1], out = [d0, d1]}"), .smooth = true},
    {"contract: over N", F("%a: f32[N, 33], %b: f32[N, 20]",
        "%y = contract %a, %b {dims = [33, 20, N], a = [d2, d0], b = [d2, d1], out = [d0, d1]}"), .smooth = true},
    {"contract: transposed", F("%a: f32[7, 13], %b: f32[19, 7]",
        "%y = contract %a, %b {dims = [13, 19, 7], a = [d2, d0], b = [d1, d2], out = [d0, d1]}"), .smooth = true},
    {"contract: result transposed", F("%a: f32[13, 7], %b: f32[7, 19]",
        "%y = contract %a, %b {dims = [13, 19, 7], a = [d0, d2], b = [d2, d1], out = [d1, d0]}"), .smooth = true},
    {"contract: batched", F("%a: f32[3, 5, 7], %b: f32[3, 7, 4]",
        "%y = contract %a, %b {dims = [3, 5, 4, 7], a = [d0, d1, d3], b = [d0, d3, d2], out = [d0, d1, d2]}"), .smooth = true},
    {"contract: matrix by vector", F("%a: f32[9, 21], %b: f32[21]",
        "%y = contract %a, %b {dims = [9, 21], a = [d0, d1], b = [d1], out = [d0]}"), .smooth = true},
    {"contract: inner", F("%a: f32[37], %b: f32[37]", "%y = contract %a, %b {dims = [37], a = [d0], b = [d0], out = []}"), .smooth = true},
    {"contract: outer", F("%a: f32[5], %b: f32[18]", "%y = contract %a, %b {dims = [5, 18], a = [d0], b = [d1], out = [d0, d1]}"), .smooth = true},
    {"contract: squared", F("%a: f32[5, 7]", "%y = contract %a, %a {dims = [5, 5, 7], a = [d0, d2], b = [d1, d2], out = [d0, d1]}"), .smooth = true},
    {"contract: u8", F("%a: u8[N, 20], %b: f32[20, 17]",
        "%y = contract %a, %b {dims = [N, 17, 20], a = [d0, d2], b = [d2, d1], out = [d0, d1]}")},
    {"contract: u8 filter", F("%x: u8[2, 6, 6, 1], %g: f32[2, 4, 4, 5]",
        "%y = contract %x, %g {dims = [3, 3, 1, 5, 2, 4, 4], a = [d4, d5 + d0, d6 + d1, d2], b = [d4, d5, d6, d3], out = [d0, d1, d2, d3]}")},
    {"contract: conv of one line", F("%x: f32[2, 17, 3], %w: f32[4, 3, 5]",
        "%y = contract %x, %w {dims = [2, 7, 5, 4, 3], a = [d0, 2*d1 + d3, d4], b = [d3, d4, d2], out = [d0, d1, d2]}"), .smooth = true},
    {"contract: conv u8", F("%x: u8[2, 8, 8, 1], %w: f32[3, 3, 1, 20]",
        "%y = contract %x, %w {dims = [2, 6, 6, 20, 3, 3, 1], a = [d0, d1 + d4, d2 + d5, d6], b = [d4, d5, d6, d3], out = [d0, d1, d2, d3]}")},
    {"contract: conv N", F("%x: f32[N, 6, 5, 3], %w: f32[3, 3, 3, 10]",
        "%y = contract %x, %w {dims = [N, 6, 5, 10, 3, 3, 3], a = [d0, d1 + d4 - 1, d2 + d5 - 1, d6], b = [d4, d5, d6, d3], out = [d0, d1, d2, d3]}"), .smooth = true},
    {"contract: conv data N", F("%g: f32[N, 3, 3, 10], %w: f32[3, 3, 2, 10]",
        "%y = contract %g, %w {dims = [N, 6, 6, 2, 3, 3, 10], a = [d0, (d1 - d4 + 1)/2, (d2 - d5 + 1)/2, d6], b = [d4, d5, d3, d6], out = [d0, d1, d2, d3]}"), .smooth = true},
    {"contract: conv filter N", F("%x: f32[N, 6, 6, 2], %g: f32[N, 3, 3, 10]",
        "%y = contract %x, %g {dims = [3, 3, 2, 10, N, 3, 3], a = [d4, 2*d5 + d0 - 1, 2*d6 + d1 - 1, d2], b = [d4, d5, d6, d3], out = [d0, d1, d2, d3]}"), .smooth = true},
    {"contract: conv grouped", F("%x: f32[2, 5, 5, 6], %w: f32[3, 3, 2, 9]",
        "%g = contract %x, %w {dims = [2, 5, 5, 3, 3, 3, 3, 2], a = [d0, d1 + d5 - 1, d2 + d6 - 1, 2*d3 + d7], "
        "b = [d5, d6, d7, 3*d3 + d4], out = [d0, d1, d2, d3, d4]} %y = reshape %g {dims = [2, 5, 5, 9]}"), .smooth = true},
    {"contract: conv of each channel", F("%x: f32[N, 6, 6, 19], %w: f32[3, 3, 19]",
        "%y = contract %x, %w {dims = [N, 3, 3, 19, 3, 3], a = [d0, 2*d1 + d4 - 1, 2*d2 + d5 - 1, d3], b = [d4, d5, d3], out = [d0, d1, d2, d3]}"), .smooth = true},
    {"contract: conv of each channel, filter", F("%x: f32[2, 6, 6, 19], %g: f32[2, 6, 6, 19]",
        "%y = contract %x, %g {dims = [3, 3, 19, 2, 6, 6], a = [d3, d4 + d0 - 1, d5 + d1 - 1, d2], b = [d3, d4, d5, d2], out = [d0, d1, d2]}"), .smooth = true},
    {"contract: conv uneven", F("%x: f32[2, 9, 7, 3], %w: f32[2, 5, 3, 4]",
        "%y = contract %x, %w {dims = [2, 4, 7, 4, 2, 5, 3], a = [d0, 2*d1 + 3*d4 - 1, d2 + d5 - 2, d6], b = [d4, d5, d6, d3], out = [d0, d1, d2, d3]}"), .smooth = true},
    {"contract: conv flipped", F("%x: f32[1, 8, 8, 2], %w: f32[3, 3, 2, 3]",
        "%y = contract %x, %w {dims = [1, 6, 6, 3, 3, 3, 2], a = [d0, d1 - d4 + 2, d2 - d5 + 2, d6], b = [d4, d5, d6, d3], out = [d0, d1, d2, d3]}"), .smooth = true},
    {"contract: outside all", F("%x: f32[3], %w: f32[4]", "%y = contract %x, %w {dims = [9, 4], a = [d0 + d1 - 5], b = [d1], out = [d0]}"), .smooth = true},
    {"contract: bias and relu", F("%x: f32[N, 21], %w: f32[21, 10], %c: f32[10]",
        "%m = contract %x, %w {dims = [N, 10, 21], a = [d0, d2], b = [d2, d1], out = [d0, d1]} "
        "%b = broadcast %c {dims = [N, 10], axes = [1]} %s = add %m, %b "
        "%z = const {elem = f32, dims = [N, 10], values = [0]} %y = max %z, %s"), .smooth = true},
    {"contract: conv, bias, relu, pool", F("%x: f32[2, 8, 8, 3], %w: f32[3, 3, 3, 18], %c: f32[18]",
        "%m = contract %x, %w {dims = [2, 6, 6, 18, 3, 3, 3], a = [d0, d1 + d4, d2 + d5, d6], b = [d4, d5, d6, d3], out = [d0, d1, d2, d3]} "
        "%b = broadcast %c {dims = [2, 6, 6, 18], axes = [3]} %s = add %m, %b "
        "%z = const {elem = f32, dims = [2, 6, 6, 18], values = [0]} %r = max %z, %s "
        "%p = reshape %r {dims = [2, 3, 2, 3, 2, 18]} %y = reduce_max %p {axes = [2, 4]}"), .smooth = true},
    /*    name               N  H  W  I  O   K  S  D  P  OH OW */
    CONV("1x1",              2, 5, 7, 3, 18, 1, 1, 1, 0, 5, 7),
    CONV("3x3",              2, 6, 5, 3, 10, 3, 1, 1, 0, 4, 3),
    CONV("3x3 same",         2, 6, 5, 5, 17, 3, 1, 1, 1, 6, 5),
    CONV("5x5 grey",         3, 9, 9, 1, 20, 5, 1, 1, 0, 5, 5),
    CONV("strided",          2, 9, 7, 3, 4,  3, 2, 1, 1, 5, 4),
    CONV("strided even",     1, 8, 8, 4, 8,  3, 2, 1, 1, 4, 4),
    CONV("strided 1x1",      2, 7, 7, 3, 5,  1, 2, 1, 0, 4, 4),
    CONV("stride past size", 1, 11, 11, 2, 3, 2, 3, 1, 0, 4, 4),
    CONV("dilated",          2, 9, 8, 2, 5,  3, 1, 2, 2, 9, 8),
    CONV("strided, dilated", 1, 11, 10, 3, 4, 3, 2, 3, 2, 5, 4),
    CONV("wide padding",     1, 3, 4, 2, 3,  3, 1, 1, 2, 5, 6),

    /* Control. */
    {"grad: square", F("%x: f32[5]", "%c = copy %x %s = mul %c, %c %t = sum %s {axes = [0]} %y = grad %t, %c")},
    {"get: repeat",
     "body @b(%i: i32[], %z: f32[N, 3], %w: f32[N, 3]) -> (%r) { %s = sin %z %r = add %s, %w }\n"
     F("%x: f32[N, 3], %w: f32[N, 3]", "%t = repeat %x, %w {count = 4, carries = 1, body = @b} %y = get %t {index = 0}"), .smooth = true},
    {"repeat: two carries, counter",
     "body @b(%i: i32[], %p: f32[4], %q: f32[4]) -> (%q, %s) {\n"
     " %c = cast %i {elem = f32} %d = broadcast %c {dims = [4], axes = []} %e = mul %p, %d %s = add %e, %q }\n"
     F("%p: f32[4], %q: f32[4]", "%t = repeat %p, %q {count = 5, carries = 2, body = @b} "
       "%a = get %t {index = 0} %b = get %t {index = 1} %y = sub %a, %b"), .smooth = true},
    {"repeat: never",
     "body @b(%i: i32[], %z: f32[3]) -> (%r) { %r = exp %z }\n"
     F("%x: f32[3]", "%t = repeat %x {count = 0, carries = 1, body = @b} %y = get %t {index = 0}"), .smooth = true},
    {"repeat: nested",
     "body @a(%i: i32[], %z: f32[3], %w: f32[3]) -> (%r) { %p = mul %z, %w %r = tanh %p }\n"
     "body @b(%i: i32[], %z: f32[3], %w: f32[3]) -> (%r) {\n"
     " %t = repeat %z, %w {count = 2, carries = 1, body = @a} %g = get %t {index = 0} %r = add %g, %w }\n"
     F("%x: f32[3], %w: f32[3]", "%t = repeat %x, %w {count = 3, carries = 1, body = @b} %y = get %t {index = 0}"), .smooth = true},
    {"repeat: random",
     "body @b(%i: i32[], %z: f32[N, 5], %s: i32[], %t: i32[]) -> (%r) {\n"
     " %u = random %s, %t, %i {dims = [N, 5], site = 1} %r = add %z, %u }\n"
     F("%x: f32[N, 5], %s: i32[], %t: i32[]", "%p = repeat %x, %s, %t {count = 3, carries = 1, body = @b} %y = get %p {index = 0}"), .ints = 1000},
    {"repeat: dense",
     "body @b(%i: i32[], %h: f32[N, 9], %w: f32[9, 9]) -> (%r) {\n"
     " %m = contract %h, %w {dims = [N, 9, 9], a = [d0, d2], b = [d2, d1], out = [d0, d1]} %r = tanh %m }\n"
     F("%x: f32[N, 9], %w: f32[9, 9]", "%p = repeat %x, %w {count = 3, carries = 1, body = @b} %y = get %p {index = 0}"), .smooth = true},
    {"call",
     "group @g(%a: f32[3, 5], %b: f32[3, 5]) -> (%s, %m) { %s = add %a, %b %m = mul %a, %s }\n"
     F("%a: f32[3, 5], %b: f32[3, 5]", "%t = call %a, %b {body = @g} %y = get %t {index = 1}")},
};
/* clang-format on */
const int op_case_count = sizeof op_cases / sizeof *op_cases;

Module *op_case_parse(const OpCase *c, Arena *arena, Diag *diag) {
    const char *text = arena_print(arena, "module\nsymbol N max 9\n%s", c->text);
    return graph_parse(arena, diag, diag_source(diag, c->name, text, strlen(text)));
}

Func *op_case_entry(const Module *module) {
    return module->funcs.at[module->funcs.count - 1];
}

int64_t op_case_n(const OpCase *c) {
    return c->n ? c->n : 7;
}

/* Uniform in [0, 1), a multiple of 2^-24. */
static double draw(uint32_t seed, uint32_t param, uint32_t element) {
    uint32_t word[4];
    philox((uint32_t[]){element, param, 0, 0}, (uint32_t[]){seed, 1}, word);
    return (double)(word[0] >> 8) * 0x1p-24;
}

static double draw_value(const OpCase *c, Elem elem, double u) {
    double low = c->low, high = c->high;
    if (low == 0 && high == 0) low = -1, high = 1;
    switch (elem) {
    case ELEM_bool: return u < 0.5;
    case ELEM_u8: return (double)(int)(u * 256);
    case ELEM_i32: return (double)(int64_t)(u * (double)(c->ints ? c->ints : 5));
    case ELEM_f32: return (float)(low + u * (high - low));
    case ELEM_f64: return low + u * (high - low);
    case ELEM_COUNT: break;
    }
    return 0;
}

Array *op_case_inputs(const OpCase *c, const Func *entry, uint32_t seed, Arena *arena) {
    Array *args = arena_array(arena, Array, entry->params.count);
    const int64_t n = op_case_n(c);
    for (uint32_t i = 0; i < entry->params.count; i++) {
        const Type *type = &entry->params.at[i].type;
        int64_t dim[MAX_RANK];
        for (uint32_t k = 0; k < type->rank; k++)
            dim[k] = dim_value(&entry->module->dims, type->dim[k], &n);
        args[i] = array_new(arena, type->elem, type->rank, dim);
        for (int64_t k = 0; k < array_count(&args[i]); k++)
            args[i].at[k] = draw_value(c, type->elem, draw(seed, i, (uint32_t)k));
    }
    return args;
}
