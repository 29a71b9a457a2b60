/* What tests of the compiler stand in: memory that raises, and a place for messages. */
#ifndef TN_TESTS_FIXTURE_H
#define TN_TESTS_FIXTURE_H

#include "base/diag.h"
#include "ir/eval.h"

extern Guard guard; /* a raise that a test does not expect fails it */
extern Arena arena;
extern Diag diag;

void fixture_open(void);
void fixture_close(void);

const char *messages(void); /* all of them as a user sees them; "" for none */
/* The module of a text; a mistake in it fails the test. */
Module *module_of(const char *text);
/* The function @f of a program, gradients expanded. */
const Func *func_of(const char *text);
/* The function on arrays that `input` makes for its parameters; [results]. */
Array *run_on(const Func *func, Array (*input)(const Port *port));

#endif
