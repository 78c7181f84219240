// page.h: what a report prints, as one text. Each fails the test that calls it when anything goes wrong; the caller frees.
#ifndef PAGE_H
#define PAGE_H

#include <stdbool.h>

#include "build.h"
#include "record/profile.h"

char *page_read(int fd); // all of a file, which is closed
char *page_summary(const asy_profile *p, int width, bool color);
char *page_answer(const asy_profile *p); // the summary's first lines, up to the wall time

// What is said of a recording that has ended. The whole answer, and what stands in it or in the summary at 80 columns.
void page_expect_answer(build *b, const char *whole);
void page_expect_in_answer(build *b, const char *part);
void page_expect_in_summary(build *b, const char *part);

#endif
