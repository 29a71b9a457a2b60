/* The fields of training blocks and their phases, by a table; --set stands in for what is
 * written; the arguments of a block. */
#include "frontend/load.h"

static const struct {
    const char *name;
    bool required, of_phase; /* a phase may have it too */
    const char *example;
} fields[] = {
    {"data", true, false, "data = fashion_mnist(batch = 300)"},
    {"loss", true, true, "loss = clean"},
    {"optim", true, true, "optim = sgd(rate = 0.1, momentum = 0.9)"},
    {"epochs", true, true, "epochs = 10"},
    {"only", false, true, "only = params(lenet).logits"},
    {"attack", false, false, "attack = pgd(eps = 0.3, step = 0.01, iters = 40)"},
    {"embedding", false, false, "embedding = fn(x, y) = lenet(x).features"},
    {"report", false, false, "report = { accuracy: accuracy(lenet) }"},
};
#define FIELDS (sizeof fields / sizeof *fields)

static const char *const data_args[] = {"batch",    "validate", "augment", "replay",
                                        "examples", "classes",  "shape"};
#define DATA_ARGS (sizeof data_args / sizeof *data_args)

typedef enum Place { PLACE_BLOCK, PLACE_PHASE, PLACE_DATA } Place;
static const char *const place_words[] = {"a training block", "a phase", "the data"};

const Ast *train_setting(Loaded *l, const char *name) {
    for (uint32_t i = 0; i < l->settings.count; i++)
        if (!strcmp(l->settings.at[i].name, name)) return l->settings.at[i].value;
    return NULL;
}

static uint32_t words_of(Place place, const char *words[16]) {
    uint32_t count = 0;
    for (size_t i = 0; i < FIELDS && place != PLACE_DATA; i++)
        if (place == PLACE_BLOCK || fields[i].of_phase) words[count++] = fields[i].name;
    for (size_t i = 0; i < DATA_ARGS && place == PLACE_DATA; i++)
        words[count++] = data_args[i];
    return count;
}

static bool is_word(const char *name, Place place) {
    const char *words[16];
    for (uint32_t i = words_of(place, words); i-- > 0;)
        if (!strcmp(words[i], name)) return true;
    return false;
}

static void check_word(Loaded *l, const char *name, Place place, Span span) {
    const char *words[16];
    if (is_word(name, place)) return;
    diag_error(l->diag, span, "%s has no `%s`", place_words[place], name);
    const char *near = nearest_word(name, words, words_of(place, words));
    if (near) diag_hint(l->diag, "did you mean `%s`?", near);
}

static void check_data(Loaded *l, const Ast *data) {
    if (data->kind != AST_call || data->call.callee->kind != AST_name) {
        diag_error(l->diag, data->span, "`data` names a data set with its batch");
        diag_hint(l->diag, "%s", fields[0].example);
        return;
    }
    for (uint32_t i = 0; i < data->call.args.count; i++) {
        const AstArg *arg = &data->call.args.at[i];
        if (arg->name) check_word(l, arg->name, PLACE_DATA, arg->span);
        if (!arg->name && arg->value->kind != AST_string)
            diag_error(l->diag, arg->span,
                       "an argument without a name is the path of a file");
    }
}

/* Parses each --set once. */
bool read_settings(Loaded *l) {
    const ProgramOptions *options = l->options;
    for (uint32_t i = 0; options && i < options->settings; i++) {
        const char *name = options->setting[i][0], *text = options->setting[i][1];
        const char *path =
            strcmp(name, "attack") ? arena_print(l->arena, "--set %s", name) : "--attack";
        uint32_t source = diag_source(l->diag, path, text, strlen(text));
        if (!is_word(name, PLACE_DATA)) check_word(l, name, PLACE_BLOCK, (Span){0});
        AstArg set = {
            name, {source, 0, 0}, ast_parse_expression(l->arena, l->diag, source)};
        vec_push(l->arena, &l->settings, set);
    }
    return l->diag->errors == 0;
}

static const Ast *find_field(Loaded *l, const AstTrain *part, const char *name) {
    const Ast *set = train_setting(l, name);
    for (uint32_t i = 0; i < part->fields.count && !set; i++)
        if (!strcmp(part->fields.at[i].name, name)) return part->fields.at[i].value;
    return set;
}

/* In the block, or in each of its phases. */
static void check_required(Loaded *l, const AstTrain *train, size_t field) {
    const char *name = fields[field].name;
    if (!fields[field].required || find_field(l, train, name)) return;
    uint32_t lacks = 0;
    while (fields[field].of_phase && lacks < train->phases &&
           find_field(l, train->phase[lacks], name))
        lacks++;
    if (train->phases && lacks == train->phases) return;
    if (fields[field].of_phase && train->phases)
        diag_error(l->diag, train->phase[lacks]->span,
                   "neither the phase `%s` nor its block says `%s`",
                   train->phase[lacks]->name, name);
    else
        diag_error(l->diag, train->span, "the training block `%s` lacks `%s`",
                   train->name, name);
    diag_hint(l->diag, "as in: %s", fields[field].example);
}

static void check_phases(Loaded *l, const AstTrain *train) {
    for (uint32_t i = 0; i < train->phases; i++) {
        const AstTrain *phase = train->phase[i];
        for (uint32_t k = 0; k < phase->fields.count; k++)
            check_word(l, phase->fields.at[k].name, PLACE_PHASE,
                       phase->fields.at[k].span);
        for (uint32_t k = 0; k < i; k++)
            if (!strcmp(train->phase[k]->name, phase->name))
                diag_error(l->diag, phase->span, "the phase `%s` stands twice",
                           phase->name);
    }
}

bool check_train(Loaded *l, const AstTrain *train) {
    uint32_t errors = l->diag->errors;
    for (uint32_t i = 0; i < train->fields.count; i++)
        check_word(l, train->fields.at[i].name, PLACE_BLOCK, train->fields.at[i].span);
    check_phases(l, train);
    for (size_t i = 0; i < FIELDS; i++) check_required(l, train, i);
    const Ast *data = find_field(l, train, "data");
    const Ast *report = find_field(l, train, "report");
    if (data) check_data(l, data);
    if (report && report->kind != AST_record) {
        diag_error(l->diag, report->span, "`report` is a record of figures");
        diag_hint(l->diag, "%s", fields[FIELDS - 1].example);
    }
    return l->diag->errors == errors;
}

/* ---- arguments -------------------------------------------------------------------------- */

static bool has_param(const AstTrain *train, const char *name) {
    for (uint32_t i = 0; i < train->params; i++)
        if (!strcmp(train->param[i].name, name)) return true;
    return false;
}

/* The parameter that argument i is for, or NULL. */
static const char *param_for(const AstTrain *train, const AstArgs *args, uint32_t i) {
    uint32_t position = 0;
    if (args->at[i].name)
        return has_param(train, args->at[i].name) ? args->at[i].name : NULL;
    for (uint32_t k = 0; k < i; k++) position += !args->at[k].name;
    return position < train->params ? train->param[position].name : NULL;
}

static bool check_given(Loaded *l, const AstTrain *train, const AstArgs *args) {
    for (uint32_t i = 0; i < args->count; i++) {
        const AstArg *arg = &args->at[i];
        const char *param = param_for(train, args, i);
        if (!param) {
            if (arg->name)
                diag_error(l->diag, arg->span,
                           "the training block `%s` has no parameter `%s`", train->name,
                           arg->name);
            else
                diag_error(l->diag, arg->span,
                           "the training block `%s` takes %u argument%s", train->name,
                           train->params, train->params == 1 ? "" : "s");
            return false;
        }
        for (uint32_t k = 0; k < i; k++)
            if (param_for(train, args, k) == param ||
                !strcmp(param_for(train, args, k), param)) {
                diag_error(l->diag, arg->span, "`%s` is given twice", param);
                return false;
            }
    }
    return true;
}

bool check_train_call(Loaded *l, const AstTrain *train, const AstArgs *args, Span span) {
    if (args && !check_given(l, train, args)) return false;
    for (uint32_t i = 0; i < train->params; i++) {
        const AstParam *param = &train->param[i];
        bool given = param->value != NULL;
        for (uint32_t k = 0; args && k < args->count; k++)
            given |= !strcmp(param_for(train, args, k), param->name);
        if (given) continue;
        diag_error(l->diag, span.source ? span : param->span,
                   "the training block `%s` wants `%s`", train->name, param->name);
        diag_hint(l->diag, "call it with a value: %s(%s = ...)", train->name,
                  param->name);
        return false;
    }
    return true;
}
