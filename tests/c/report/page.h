// page.h: what a report prints, as one text. Each fails the test that calls it when anything goes wrong; the caller frees.
#ifndef PAGE_H
#define PAGE_H

#include <stdbool.h>

#include "record/profile.h"

char *page_read(int fd); // all of a file, which is closed
char *page_summary(const asy_profile *p, int width, bool color);
char *page_answer(const asy_profile *p); // the summary's first lines, up to the wall time

#endif
