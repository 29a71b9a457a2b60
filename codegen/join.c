/* Sections one after another, names resolved, symbols numbered anew. */
#include "codegen/join.h"
#include <string.h>

#define DROPPED UINT32_MAX

/* One object that is added: its headers, and where its sections went. */
typedef struct Source {
    const uint8_t *at;
    size_t count;
    const Elf64_Shdr *head;
    uint32_t heads;
    uint32_t *place; /* of each section: its number in the result, 0: dropped */
} Source;

static bool source_open(Join *j, Source *s) {
    const Elf64_Ehdr *e = (const void *)s->at;
    bool right = s->count >= sizeof *e && !memcmp(e->e_ident, ELFMAG, SELFMAG) &&
                 e->e_ident[EI_CLASS] == ELFCLASS64 && e->e_type == ET_REL &&
                 e->e_machine == EM_X86_64 && e->e_shoff % 8 == 0 &&
                 e->e_shoff + (uint64_t)e->e_shnum * sizeof *s->head <= s->count;
    if (!right) {
        j->wrong = "not a relocatable object of x86-64";
        return false;
    }
    s->head = (const void *)(s->at + e->e_shoff);
    s->heads = e->e_shnum;
    s->place = arena_array(j->arena, uint32_t, s->heads + 1);
    return true;
}

static const char *source_text(const Source *s, uint32_t table, uint32_t at) {
    return (const char *)s->at + s->head[table].sh_offset + at;
}

static bool is_kept(const Elf64_Shdr *head) {
    bool data = head->sh_type == SHT_PROGBITS || head->sh_type == SHT_NOBITS;
    return data && (head->sh_flags & SHF_ALLOC) && head->sh_size;
}

static void add_sections(Join *j, const Source *s) {
    const Elf64_Ehdr *e = (const void *)s->at;
    for (uint32_t i = 0; i < s->heads; i++) {
        const Elf64_Shdr *head = &s->head[i];
        if (!is_kept(head)) continue;
        JoinSection section = {.name = source_text(s, e->e_shstrndx, head->sh_name),
                               .head = *head,
                               .object = j->objects.count};
        if (head->sh_type != SHT_NOBITS) section.bytes = s->at + head->sh_offset;
        vec_push(j->arena, &j->sections, section);
        s->place[i] = j->sections.count;
    }
    for (uint32_t i = 0; i < s->heads; i++) {
        const Elf64_Shdr *head = &s->head[i];
        if (head->sh_type != SHT_RELA || !s->place[head->sh_info]) continue;
        JoinSection *section = &j->sections.at[s->place[head->sh_info] - 1];
        section->rela = (const void *)(s->at + head->sh_offset);
        section->relas = head->sh_size / sizeof *section->rela;
    }
}

static uint32_t find_global(const Join *j, const char *name) {
    for (uint32_t i = 0; i < j->symbols.count; i++) {
        const JoinSymbol *symbol = &j->symbols.at[i];
        if (ELF64_ST_BIND(symbol->sym.st_info) != STB_LOCAL &&
            !strcmp(symbol->name, name))
            return i;
    }
    return DROPPED;
}

/* Its place in the list.  A name that was only used so far may be given its meaning. */
static uint32_t add_symbol(Join *j, const char *name, Elf64_Sym sym) {
    bool local = ELF64_ST_BIND(sym.st_info) == STB_LOCAL;
    uint32_t had = local ? DROPPED : find_global(j, name);
    if (had == DROPPED) {
        vec_push(j->arena, &j->symbols, (JoinSymbol){.name = name, .sym = sym});
        return j->symbols.count - 1;
    }
    JoinSymbol *symbol = &j->symbols.at[had];
    if (!sym.st_shndx) return had;
    if (symbol->sym.st_shndx)
        j->wrong = arena_print(j->arena, "'%s' is defined twice", name);
    symbol->sym = sym;
    return had;
}

static void add_symbols(Join *j, const Source *s, const Elf64_Shdr *table) {
    const Elf64_Sym *from = (const void *)(s->at + table->sh_offset);
    uint32_t count = (uint32_t)(table->sh_size / sizeof *from);
    uint32_t *place = arena_array(j->arena, uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        Elf64_Sym sym = from[i];
        bool defined = sym.st_shndx != SHN_UNDEF && sym.st_shndx < s->heads;
        place[i] = DROPPED;
        if (i == 0 || ELF64_ST_TYPE(sym.st_info) == STT_FILE) continue;
        if (defined) sym.st_shndx = (uint16_t)s->place[sym.st_shndx];
        if (defined && !sym.st_shndx) continue; /* of a section that is dropped */
        if (!defined && sym.st_shndx != SHN_UNDEF) {
            j->wrong = "a common or absolute symbol";
            return;
        }
        place[i] = add_symbol(j, source_text(s, table->sh_link, sym.st_name), sym);
    }
    j->objects.at[j->objects.count - 1] = place;
}

void join_add(Join *j, const void *bytes, size_t count) {
    Source s = {.at = bytes, .count = count};
    if (!source_open(j, &s)) return;
    add_sections(j, &s);
    vec_push(j->arena, &j->objects, NULL);
    for (uint32_t i = 0; i < s.heads && !j->wrong; i++)
        if (s.head[i].sh_type == SHT_SYMTAB) add_symbols(j, &s, &s.head[i]);
}

void join_add_data(Join *j, const char *name, const void *bytes, size_t count) {
    JoinSection section = {
        .name = ".rodata",
        .head = {.sh_type = SHT_PROGBITS,
                 .sh_flags = SHF_ALLOC,
                 .sh_size = count,
                 .sh_addralign = 64},
        .bytes = bytes,
    };
    vec_push(j->arena, &j->sections, section);
    Elf64_Sym sym = {.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
                     .st_shndx = (uint16_t)j->sections.count,
                     .st_size = count};
    add_symbol(j, name, sym);
}

/* ---- the result ----------------------------------------------------------------------- */

/* Of the result: data sections, their relocations, then these. */
enum { LAST_STACK, LAST_SYMTAB, LAST_STRTAB, LAST_SHSTRTAB, LAST_COUNT };

typedef struct Result {
    Join *join;
    VEC(Elf64_Shdr) head;
    Text names, words; /* of sections, of symbols */
    VEC(Elf64_Sym) symbols;
    uint64_t size;
    uint8_t *at;
} Result;

static uint32_t put_name(Text *names, const char *name) {
    uint32_t at = (uint32_t)names->length;
    text_add(names, name, strlen(name) + 1);
    return at;
}

static void put_symbol(Result *r, JoinSymbol *symbol) {
    Elf64_Sym sym = symbol->sym;
    symbol->number = r->symbols.count;
    sym.st_name = *symbol->name ? put_name(&r->words, symbol->name) : 0;
    vec_push(r->join->arena, &r->symbols, sym);
}

/* Local ones first, as the format wants it; returns their number. */
static uint32_t number_symbols(Result *r, JoinExports *exports, const void *context) {
    Join *j = r->join;
    uint32_t locals = 0;
    vec_push(j->arena, &r->symbols, (Elf64_Sym){0});
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < j->symbols.count; i++) {
            JoinSymbol *symbol = &j->symbols.at[i];
            uint8_t type = ELF64_ST_TYPE(symbol->sym.st_info);
            bool global = ELF64_ST_BIND(symbol->sym.st_info) != STB_LOCAL;
            const char *visible = symbol->name;
            if (global && symbol->sym.st_shndx)
                visible = exports(j->arena, context, symbol->name);
            global = global && visible;
            if (global != (pass == 1)) continue;
            if (global) symbol->name = visible;
            symbol->sym.st_info = ELF64_ST_INFO(global ? STB_GLOBAL : STB_LOCAL, type);
            symbol->sym.st_other = STV_DEFAULT;
            put_symbol(r, symbol);
        }
        if (pass == 0) locals = r->symbols.count;
    }
    return locals;
}

/* Gives the section its place in the file. */
static void place_section(Result *r, const char *name, Elf64_Shdr head) {
    uint64_t align = head.sh_addralign ? head.sh_addralign : 1;
    head.sh_name = put_name(&r->names, name);
    head.sh_offset = (r->size + align - 1) / align * align;
    r->size = head.sh_offset + (head.sh_type == SHT_NOBITS ? 0 : head.sh_size);
    vec_push(r->join->arena, &r->head, head);
}

static void place_sections(Result *r, uint32_t locals) {
    const Join *j = r->join;
    uint32_t relas = 0;
    r->size = sizeof(Elf64_Ehdr);
    vec_push(j->arena, &r->head, (Elf64_Shdr){0});
    for (uint32_t i = 0; i < j->sections.count; i++) {
        place_section(r, j->sections.at[i].name, j->sections.at[i].head);
        relas += j->sections.at[i].rela != NULL;
    }
    uint32_t last = 1 + j->sections.count + relas;
    for (uint32_t i = 0; i < j->sections.count; i++) {
        const JoinSection *section = &j->sections.at[i];
        if (!section->rela) continue;
        place_section(r, arena_print(j->arena, ".rela%s", section->name),
                      (Elf64_Shdr){.sh_type = SHT_RELA,
                                   .sh_flags = SHF_INFO_LINK,
                                   .sh_size = section->relas * sizeof(Elf64_Rela),
                                   .sh_link = last + LAST_SYMTAB,
                                   .sh_info = i + 1,
                                   .sh_addralign = 8,
                                   .sh_entsize = sizeof(Elf64_Rela)});
    }
    place_section(r, ".note.GNU-stack",
                  (Elf64_Shdr){.sh_type = SHT_PROGBITS, .sh_addralign = 1});
    place_section(r, ".symtab",
                  (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                               .sh_size = r->symbols.count * sizeof(Elf64_Sym),
                               .sh_link = last + LAST_STRTAB,
                               .sh_info = locals,
                               .sh_addralign = 8,
                               .sh_entsize = sizeof(Elf64_Sym)});
    place_section(r, ".strtab",
                  (Elf64_Shdr){.sh_type = SHT_STRTAB,
                               .sh_size = r->words.length,
                               .sh_addralign = 1});
    uint64_t names = r->names.length + sizeof ".shstrtab";
    place_section(
        r, ".shstrtab",
        (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_size = names, .sh_addralign = 1});
}

static void write_relas(const Result *r, const JoinSection *section, uint64_t offset) {
    Join *j = r->join;
    const uint32_t *place = j->objects.at[section->object];
    for (size_t i = 0; i < section->relas; i++) {
        Elf64_Rela rela = section->rela[i];
        uint64_t old = ELF64_R_SYM(rela.r_info), number = 0;
        if (old && place[old] == DROPPED)
            j->wrong = "a use of a section that is not kept";
        else if (old)
            number = j->symbols.at[place[old]].number;
        rela.r_info = ELF64_R_INFO(number, ELF64_R_TYPE(rela.r_info));
        memcpy(r->at + offset + i * sizeof rela, &rela, sizeof rela);
    }
}

static void write_all(const Result *r) {
    const Join *j = r->join;
    uint32_t next = 1 + j->sections.count; /* section of relocations */
    for (uint32_t i = 0; i < j->sections.count; i++) {
        const JoinSection *section = &j->sections.at[i];
        if (section->bytes)
            memcpy(r->at + r->head.at[i + 1].sh_offset, section->bytes,
                   section->head.sh_size);
        if (section->rela) write_relas(r, section, r->head.at[next++].sh_offset);
    }
    memcpy(r->at + r->head.at[next + LAST_SYMTAB].sh_offset, r->symbols.at,
           r->symbols.count * sizeof *r->symbols.at);
    memcpy(r->at + r->head.at[next + LAST_STRTAB].sh_offset, r->words.at,
           r->words.length);
    memcpy(r->at + r->head.at[next + LAST_SHSTRTAB].sh_offset, r->names.at,
           r->names.length);
}

static void write_heads(const Result *r, uint64_t heads) {
    Elf64_Ehdr e = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
                                ELFDATA2LSB, EV_CURRENT},
                    .e_type = ET_REL,
                    .e_machine = EM_X86_64,
                    .e_version = EV_CURRENT,
                    .e_shoff = heads,
                    .e_ehsize = sizeof(Elf64_Ehdr),
                    .e_shentsize = sizeof(Elf64_Shdr),
                    .e_shnum = (uint16_t)r->head.count,
                    .e_shstrndx = (uint16_t)(r->head.count - 1)};
    memcpy(r->at, &e, sizeof e);
    memcpy(r->at + heads, r->head.at, r->head.count * sizeof *r->head.at);
}

uint8_t *join_finish(Join *j, JoinExports *exports, const void *context, size_t *count) {
    Result r = {.join = j};
    if (!j->wrong && 2 * j->sections.count + LAST_COUNT + 1 >= SHN_LORESERVE)
        j->wrong = "more sections than an object can have";
    if (j->wrong) return NULL;
    text_init(&r.names, j->arena);
    text_init(&r.words, j->arena);
    text_add(&r.names, "", 1);
    text_add(&r.words, "", 1);
    place_sections(&r, number_symbols(&r, exports, context));
    uint64_t heads = (r.size + 7) / 8 * 8;
    *count = heads + r.head.count * sizeof *r.head.at;
    r.at = arena_alloc(j->arena, *count);
    write_all(&r);
    write_heads(&r, heads);
    return j->wrong ? NULL : r.at;
}
