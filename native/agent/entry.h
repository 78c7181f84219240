// entry.h: what the preloaded library calls in an agent that it has opened with dlopen. No Python.h here.
// All of these run in the interpreter's main thread, with the GIL, in the main interpreter only.
#ifndef ASY_AGENT_ENTRY_H
#define ASY_AGENT_ENTRY_H

#include <stdint.h>

#define ASY_AGENT_ABI 2u

typedef struct {
    uint32_t abi; // ASY_AGENT_ABI
    int arena_fd; // borrowed: the agent maps and does not keep it
    uint64_t nonce;
} asy_agent_entry;

// Begin measuring the calling process (from a pending call, early in start-up). Imports nothing, runs nothing of the user's.
// Returns an asy_status; on failure the process runs unmeasured, the preload says nothing.
typedef int (*asy_agent_start_fn)(const asy_agent_entry *entry);
#define ASY_AGENT_START "asy_agent_start"

// Count a loss (ASY_LOSS_*) in the running measurement, if there is one. Any thread, async-signal-safe.
typedef void (*asy_agent_lose_fn)(int which);
#define ASY_AGENT_LOSE "asy_agent_lose"

// `about` 1: exec is about to replace this process by another program, measuring ends now. 0: that has failed, it goes on.
// Does nothing in a fork child that is not measured (yet). Any thread, async-signal-safe.
typedef void (*asy_agent_exec_fn)(int about);
#define ASY_AGENT_EXEC "asy_agent_exec"

// The head of the arena (asy_arena_head), mapped for good; NULL: there is none.
typedef void *(*asy_agent_head_fn)(void);
#define ASY_AGENT_HEAD "asy_agent_head"

// The process is about to end by itself. Does nothing in a fork child that is not measured (yet). Any thread, async-signal-safe.
typedef void (*asy_agent_exit_fn)(int status);
#define ASY_AGENT_EXIT "asy_agent_exit"

#endif
