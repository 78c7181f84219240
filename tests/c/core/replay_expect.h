// replay_expect.h: one assertion on a list of events and the whole tree that it must make.
#ifndef ASY_TESTS_CORE_REPLAY_EXPECT_H
#define ASY_TESTS_CORE_REPLAY_EXPECT_H

#include "replay.h"

// Feeds `script` to a new tree in `world` (NULL: the usual one), checks the invariants, compares the text and sees that all
// memory is given back. Fails the running cmocka test otherwise.
void replay_expect_in(const replay_world *world, const char *script, const char *expected);
void replay_expect(const char *script, const char *expected);

#endif
