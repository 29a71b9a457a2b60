/* A program for the tests of the C API, and what they all do with it. */
#ifndef TN_TESTS_API_H
#define TN_TESTS_API_H

#include "tenon.h"

/* A net `line`, a loss `clean`, a train block `plain`. */
extern const char *const api_text;
/* As api_start leaves them: `program` is the text's. */
extern tn_context *context;
extern tn_program *program;
void api_start(void);
void api_stop(void);

tn_model *compile(const char *name); /* an entry or block of `program` */
/* weight [[1, 2], [3, 4], [5, 6]], bias [10, 20] */
void write_line(tn_model *model);
void read_weight(tn_model *model, float weight[6]);
/* Steps on a fixed batch from `seed`; the losses go to `loss`. */
tn_model *train(int64_t seed, int threads, int steps, float *loss);

#define assert_status(call, wanted)                                                      \
    do {                                                                                 \
        tn_status got_ = (call);                                                         \
        ck_assert_msg(got_ == (wanted), "%s gives %s, not %s: %s", #call,                \
                      tn_status_name(got_), tn_status_name(wanted),                      \
                      tn_context_error(context));                                        \
    } while (0)
#define assert_ok(call) assert_status(call, TN_STATUS_OK)
#define assert_said(words)                                                               \
    ck_assert_msg(strstr(tn_context_error(context), (words)) != NULL,                    \
                  "'%s' is not in: %s", (words), tn_context_error(context))

#endif
