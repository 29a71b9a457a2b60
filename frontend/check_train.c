/* The fields of training blocks, by a table; --set stands in for what is written. */
#include "frontend/load.h"

static const struct {
    const char *name;
    bool required;
    const char *example;
} fields[] = {
    {"data", true, "data = fashion_mnist(batch = 300)"},
    {"loss", true, "loss = clean"},
    {"optim", true, "optim = sgd(rate = 0.1, momentum = 0.9)"},
    {"epochs", true, "epochs = 10"},
    {"report", false, "report = { accuracy: accuracy(lenet) }"},
};
#define FIELDS (sizeof fields / sizeof *fields)

static const char *const data_args[] = {"batch",    "validate", "augment", "replay",
                                        "examples", "classes",  "shape"};
#define DATA_ARGS (sizeof data_args / sizeof *data_args)

const Ast *train_setting(Loaded *l, const char *name) {
    for (uint32_t i = 0; i < l->settings.count; i++)
        if (!strcmp(l->settings.at[i].name, name)) return l->settings.at[i].value;
    return NULL;
}

const Ast *train_field(Loaded *l, const AstTrain *train, const char *name) {
    const Ast *set = train_setting(l, name);
    if (set) return set;
    for (uint32_t i = 0; i < train->fields.count; i++)
        if (!strcmp(train->fields.at[i].name, name)) return train->fields.at[i].value;
    return NULL;
}

static bool is_word(const char *name, bool of_data) {
    if (of_data) {
        for (size_t i = 0; i < DATA_ARGS; i++)
            if (!strcmp(data_args[i], name)) return true;
        return false;
    }
    for (size_t i = 0; i < FIELDS; i++)
        if (!strcmp(fields[i].name, name)) return true;
    return false;
}

static void unknown_word(Loaded *l, const char *what, const char *name, Span span,
                         bool data) {
    const char *names[16];
    uint32_t count = 0;
    for (size_t i = 0; i < FIELDS && !data; i++) names[count++] = fields[i].name;
    for (size_t i = 0; i < DATA_ARGS && data; i++) names[count++] = data_args[i];
    diag_error(l->diag, span, "%s has no `%s`", what, name);
    const char *near = nearest_word(name, names, count);
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
        if (arg->name && !is_word(arg->name, true))
            unknown_word(l, "the data", arg->name, arg->span, true);
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
        const char *path = arena_print(l->arena, "--set %s", name);
        uint32_t source = diag_source(l->diag, path, text, strlen(text));
        if (!is_word(name, false) && !is_word(name, true)) {
            Span none = {0};
            unknown_word(l, "a training block", name, none, false);
            continue;
        }
        AstArg set = {
            name, {source, 0, 0}, ast_parse_expression(l->arena, l->diag, source)};
        vec_push(l->arena, &l->settings, set);
    }
    return l->diag->errors == 0;
}

bool check_train(Loaded *l, const AstTrain *train) {
    uint32_t errors = l->diag->errors;
    for (uint32_t i = 0; i < train->fields.count; i++)
        if (!is_word(train->fields.at[i].name, false))
            unknown_word(l, "a training block", train->fields.at[i].name,
                         train->fields.at[i].span, false);
    for (size_t i = 0; i < FIELDS; i++) {
        if (!fields[i].required || train_field(l, train, fields[i].name)) continue;
        diag_error(l->diag, train->span, "the training block `%s` lacks `%s`",
                   train->name, fields[i].name);
        diag_hint(l->diag, "as in: %s", fields[i].example);
    }
    const Ast *data = train_field(l, train, "data");
    const Ast *report = train_field(l, train, "report");
    if (data) check_data(l, data);
    if (report && report->kind != AST_record) {
        diag_error(l->diag, report->span, "`report` is a record of figures");
        diag_hint(l->diag, "%s", fields[FIELDS - 1].example);
    }
    return l->diag->errors == errors;
}
