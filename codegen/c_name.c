/* Names for C: which words it keeps for itself, and a field's name that it takes. */
#include "codegen/c_name.h"
#include <string.h>

/* Keywords of C and C++, each between spaces. */
static const char keywords[] =
    " alignas alignof and and_eq asm auto bitand bitor bool break case "
    "catch char char16_t char32_t char8_t class co_await co_return "
    "co_yield compl concept const const_cast consteval constexpr constinit "
    "continue decltype default delete do double dynamic_cast else enum "
    "explicit export extern false float for friend goto if inline int long "
    "mutable namespace new noexcept not not_eq nullptr operator or or_eq "
    "private protected public register reinterpret_cast requires restrict "
    "return short signed sizeof static static_assert static_cast struct "
    "switch template this thread_local throw true try typedef typeid "
    "typename typeof typeof_unqual union unsigned using virtual void "
    "volatile wchar_t while xor xor_eq ";

/* Macros of the system's headers, and of compilers that say where they run. */
static const char macros[] = " NULL EOF errno stdin stdout stderr linux unix i386 ";

static bool is_listed(const char *list, const char *name) {
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += length)
        if (at[-1] == ' ' && at[length] == ' ') return true;
    return false;
}

static bool is_letter(char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* For compilers and their headers. */
static bool is_reserved(const char *name) {
    return *name == '_' && (name[1] == '_' || (name[1] >= 'A' && name[1] <= 'Z'));
}

bool is_c_identifier(const char *name) {
    if (!is_letter(*name) || is_reserved(name) || is_listed(keywords, name)) return false;
    for (const char *c = name; *c; c++)
        if (!is_letter(*c) && !(*c >= '0' && *c <= '9')) return false;
    return true;
}

/* tn_param and TN_OK are declared by every header. */
const char *c_prefix_fault(const char *name) {
    if (!is_c_identifier(name)) return "cannot begin a name in C";
    bool ours =
        (name[0] | 32) == 't' && (name[1] | 32) == 'n' && (!name[2] || name[2] == '_');
    return ours ? "begins tenon's own names" : NULL;
}

const char *c_spelling(Arena *arena, const char *name) {
    char *copy = arena_print(arena, "%s", name);
    for (char *c = copy; *c; c++)
        if (!is_letter(*c) && !(*c >= '0' && *c <= '9')) *c = '_';
    return copy;
}

static bool is_free(const char *name, const char *const *taken, uint32_t count) {
    if (!is_c_identifier(name) || is_listed(macros, name)) return false;
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(taken[i], name)) return false;
    return true;
}

const char *c_field(Arena *arena, const char *name, const char *const *taken,
                    uint32_t count) {
    const char *spelled = c_spelling(arena, name);
    if (is_reserved(spelled)) spelled = arena_print(arena, "x%s", spelled);
    while (!is_free(spelled, taken, count))
        spelled = arena_print(arena, "%s_%u", spelled, count);
    return spelled;
}
