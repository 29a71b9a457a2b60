/*
 * Relocatable ELF objects of x86-64 joined into one, in which all names but the exported
 * ones are local: two such objects never clash, and no linker is needed to make one.
 */
#ifndef TN_CODEGEN_JOIN_H
#define TN_CODEGEN_JOIN_H

#include "base/text.h"
#include "base/vec.h"
#include <elf.h>
#include <stdbool.h>

/* A section that is kept, and what is to be relocated in it. */
typedef struct JoinSection {
    const char *name;
    Elf64_Shdr head; /* name, offset and link are those of the result at last */
    const void *bytes;
    const Elf64_Rela *rela; /* [relas], by the symbols of object number `object` */
    size_t relas;
    uint32_t object;
} JoinSection;

typedef struct JoinSymbol {
    const char *name;
    Elf64_Sym sym;   /* shndx: number of the section in the result, 0: undefined */
    uint32_t number; /* in the result */
} JoinSymbol;

typedef struct Join {
    Arena *arena;
    VEC(JoinSection) sections; /* number i + 1 in the result */
    VEC(JoinSymbol) symbols;
    VEC(uint32_t *) objects; /* of each: its symbols' places in `symbols` */
    const char *wrong;       /* NULL: nothing yet */
} Join;

/* `bytes`, at a multiple of 8, must live as long as the join. */
void join_add(Join *join, const void *bytes, size_t count);
/* Read-only data, at a multiple of 64, under the name `symbol`. */
void join_add_data(Join *join, const char *symbol, const void *bytes, size_t count);

/* The name under which a symbol stays visible; NULL: it does not. */
typedef const char *JoinExports(Arena *arena, const void *context, const char *symbol);
/* The whole object, of the arena; NULL: join->wrong says why. */
uint8_t *join_finish(Join *join, JoinExports *exports, const void *context,
                     size_t *count);

#endif
