// log.h: the symbols log of the process: chunks of its own, which outlive the threads that wrote into them, so that a name is to be
// had as long as its id may be met. Under the agent's lock.
#ifndef ASY_AGENT_LOG_H
#define ASY_AGENT_LOG_H

#include "agent/process.h"

// Copy a record to the log's end. Nothing is written before asy_log_open; a full log is counted.
void asy_log_write(uint32_t func, uint32_t kind, uint32_t flags, uint32_t line, const asy_text *texts, uint32_t count);
void asy_log_open(void);

// The record of a function id, whole, in the log; NULL: it has none. Stays as it is while the process lives. Takes the lock itself.
const asy_symbol *asy_log_find(uint32_t func);
// The PROCESS record, as above.
const asy_symbol *asy_log_process(void);

#endif
