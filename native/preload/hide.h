// hide.h: our two variables, out of the os.environ that a program will see. C's environ keeps them for its children.
// Through functions of the stable ABI only: it works in Pythons for which there is no agent.
#ifndef ASY_PRELOAD_HIDE_H
#define ASY_PRELOAD_HIDE_H

// Once, in a Python: find the functions.
void asy_hide_init(void);

// With the GIL, as soon as posix.environ exists and before `os` copies it. Cleans the interpreter that runs; from 3.13 on that is
// the main one even where a sub-interpreter imports, whose os.environ shows the two variables.
void asy_hide_session(void);

#endif
