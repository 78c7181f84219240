// calibrate.h: what one counted call costs here and now, so that the report can take it off.
#ifndef ASY_AGENT_CALIBRATE_H
#define ASY_AGENT_CALIBRATE_H

#include <stdbool.h>

#define ASY_CALIBRATE_FILE "<assay>" // of the functions that it calls

// Run a few thousand empty calls with events off and on, on a scratch tree, and store the costs in the process row. About 1 ms.
// Needs the GIL and open callbacks; measuring must be off. Leaves costs at 0 where anything fails.
// False with an exception set: that of a signal's handler. To be called once more then.
bool asy_calibrate(void);

#endif
