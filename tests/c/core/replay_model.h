// replay_model.h: the same semantics as core/tree.h and core/suspend.h, written for certainty instead of speed.
// Pointers, linear searches, no limits, no folding, no cap; waiting is what the event list says, not what a clock tells.
#ifndef ASY_TESTS_CORE_REPLAY_MODEL_H
#define ASY_TESTS_CORE_REPLAY_MODEL_H

#include "replay.h"

typedef struct replay_model replay_model;

// `names` is borrowed. Waits no longer than `gap` ticks count as running.
replay_model *replay_model_new(const replay_names *names, uint64_t gap);
void replay_model_free(replay_model *m);
void replay_model_feed(replay_model *m, const replay_event *event);
// In the form of replay_text; the caller frees it.
char *replay_model_text(const replay_model *m);

#endif
