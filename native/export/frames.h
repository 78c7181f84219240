// frames.h: what functions are called in other tools. Each text is the caller's to free; NULL without memory.
#ifndef ASY_EXPORT_FRAMES_H
#define ASY_EXPORT_FRAMES_H

#include "record/profile.h"

// "Store.lines", "time.sleep", "customer=acme"
char *asy_frame_name(const asy_profile *p, uint32_t func);

// The name in a pstats key: of a Python function "lines", as in its code; of others as cProfile shows them, "<built-in method time.sleep>".
char *asy_frame_key_name(const asy_profile *p, uint32_t func);
// The file in one: "~" where there is none. Borrowed from the profile, or static.
const char *asy_frame_key_file(const asy_profile *p, uint32_t func);

// One for each function that `of` makes; the caller frees with asy_frame_names_free. NULL without memory.
char **asy_frame_names(const asy_profile *p, char *(*of)(const asy_profile *p, uint32_t func));
void asy_frame_names_free(char **names, uint32_t count);

// Is there anything known of the function?
bool asy_frame_has_counts(const asy_edge_counts *n);

#endif
