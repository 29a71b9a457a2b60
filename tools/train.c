/* tenon train: epochs over a data set, with checkpoints. */
#include "tools/training.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t stopped_by;

static void note_signal(int number) {
    stopped_by = number;
}

/* The first signal ends the run after the step under way; a second one kills. */
static void watch_signals(void) {
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static Status diverged(Training *t, const char *what, const char *value) {
    progress_clear();
    int64_t step = t->epoch * t->steps + t->at;
    return session_fail(t->session, STATUS_INPUT,
                        "the %s became %s at step %lld (epoch %lld); lower the rate, or "
                        "look at the data%s%s%s",
                        what, value, (long long)step, (long long)t->epoch + 1,
                        t->folder ? ". " : "", t->folder ? t->folder : "",
                        t->folder ? "/last.safetensors is from before" : "");
}

/* By a step, which can be replayed. */
static Status spoilt(Training *t, const char *what, const char *value) {
    Status status = diverged(t, what, value);
    replay_step(t);
    return status;
}

/* Steps to the end of the epoch, or to a signal. */
static Status run_steps(Training *t) {
    while (t->at < t->steps && !stopped_by) {
        float loss = NAN;
        replay_keep(t);
        Status status = training_step(t, &loss);
        if (status != STATUS_OK) return status;
        if (!isfinite(loss)) return spoilt(t, "loss", isnan(loss) ? "NaN" : "infinite");
        t->loss_sum += (double)loss;
        progress_step(t);
    }
    return STATUS_OK;
}

static Status end_epoch(Training *t) {
    Figures valid, test;
    double loss = t->loss_sum / (double)t->steps;
    if (!training_is_finite(t)) return spoilt(t, "weights", "NaN or infinite");
    Status status = training_evaluate(t, &valid, &test);
    if (status != STATUS_OK) return status;
    const Figures *held = valid.there ? &valid : &test;
    if (held->there && !isfinite(held->value[0]))
        return diverged(t, "loss over held-out data", "NaN or infinite");
    t->epoch++;
    json_t *row = progress_row(t, loss, &valid, &test);
    double score = training_score(t, &valid, &test);
    bool better = !t->best_epoch || score > t->best;
    if (better) t->best = score, t->best_epoch = t->epoch;
    t->at = t->from = 0;
    t->loss_sum = t->epoch_s = 0;
    progress_epoch(t, row);
    status = run_folder_metrics(t, row);
    if (status == STATUS_OK && better) status = run_folder_save(t, "best.safetensors");
    if (status == STATUS_OK) status = run_folder_save(t, "last.safetensors");
    json_decref(row);
    return status;
}

static Status start(Training *t) {
    Session *s = t->session;
    t->seed = s->options->seed < 0 ? 1 : s->options->seed;
    t->folder = s->options->out;
    if (s->options->resume) return run_folder_resume(t);
    Status status = session_init(s, t->block->init, t->seed);
    if (status == STATUS_OK && s->options->weights)
        status = session_weights(s, s->options->weights);
    return status == STATUS_OK && t->folder ? run_folder_open(t) : status;
}

static void announce(const Training *t) {
    const Session *s = t->session;
    int64_t numbers = 0;
    for (uint32_t i = 0; i < s->layout->slots; i++) {
        const Slot *slot = &s->layout->slot[i];
        if (slot->role == ROLE_PARAM)
            numbers += tensor_elements(slot->type.rank, slot->type.dim);
    }
    fprintf(stderr,
            "%s: %s on %lld examples, batch %lld, %lld parameters, %.1f MB of work; "
            "compiled in %.2f s\n",
            s->path, t->block->name, (long long)t->train_count, (long long)t->batch,
            (long long)numbers, 1e-6 * (double)training_phase(t)->plan->work_bytes,
            session_compile_seconds(s));
    if (t->epoch >= t->block->epochs)
        fprintf(stderr, "all %lld epochs are done; --set epochs=N goes on to N\n",
                (long long)t->block->epochs);
}

static void conclude(const Training *t) {
    if (t->session->options->json) return;
    fprintf(stderr, "%lld epochs, %.1f s in steps; best: epoch %lld", (long long)t->epoch,
            t->seconds, (long long)t->best_epoch);
    if (t->folder)
        fprintf(stderr, "; %s/best.safetensors, last.safetensors, metrics.jsonl\n",
                t->folder);
    else
        fprintf(stderr, "; the weights are not kept, --out DIR keeps them\n");
}

static Status interrupted(Training *t) {
    progress_clear();
    if (!training_is_finite(t)) return spoilt(t, "weights", "NaN or infinite");
    Status status = run_folder_save(t, "last.safetensors");
    if (status != STATUS_OK) return status;
    fprintf(stderr, "stopped after step %lld of epoch %lld", (long long)t->at,
            (long long)t->epoch + 1);
    fprintf(stderr,
            t->folder ? "; --resume goes on from there\n" : "; nothing is kept\n");
    return STATUS_OK;
}

static Status run_epochs(Training *t) {
    while (t->epoch < t->block->epochs) {
        Status status = run_steps(t);
        if (status != STATUS_OK) return status;
        if (t->at < t->steps) return interrupted(t);
        status = end_epoch(t);
        if (status != STATUS_OK) return status;
    }
    conclude(t);
    return STATUS_OK;
}

static Status train_body(Session *s) {
    Training t;
    Status status =
        training_begin(&t, s, s->options->arg.count > 1 ? s->options->arg.at[1] : NULL);
    if (status == STATUS_OK) status = start(&t);
    if (status == STATUS_OK) {
        watch_signals();
        announce(&t);
        status = run_epochs(&t);
        run_folder_plot(&t);
    }
    training_end(&t);
    return status;
}

/* A run that was stopped by a signal ends by it, as its parent expects. */
Status verb_train(const Options *options) {
    if (options->resume && (!options->out || options->weights)) {
        fprintf(stderr, options->out
                            ? "tenon train: --resume and --weights exclude another\n"
                            : "tenon train: --resume needs the run's folder, --out\n");
        return STATUS_USAGE;
    }
    SessionBody *body = options->explain ? explain_body : train_body;
    Status status = session_run(options, options->arg.at[0], body, NULL);
    if (stopped_by && status == STATUS_OK) {
        fflush(stdout);
        signal(stopped_by, SIG_DFL);
        raise(stopped_by);
    }
    return status;
}
