// dl.c: dl.h, bound to the oldest versions of the symbols.
#include "preload/dl.h"

#include <dlfcn.h>

#if defined(__GLIBC__) && defined(__x86_64__)
#define OLDEST "GLIBC_2.2.5"
#elif defined(__GLIBC__) && defined(__aarch64__)
#define OLDEST "GLIBC_2.17"
#endif
#ifdef OLDEST
__asm__(".symver dlsym, dlsym@" OLDEST);
__asm__(".symver dlopen, dlopen@" OLDEST);
__asm__(".symver dladdr, dladdr@" OLDEST);
#endif

void *
asy_dl_any(const char *symbol)
{
    return dlsym(RTLD_DEFAULT, symbol);
}

void *
asy_dl_next(const char *symbol)
{
    return dlsym(RTLD_NEXT, symbol);
}

void *
asy_dl_open(const char *path, void **start, const char *symbol)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    *start = library != NULL ? dlsym(library, symbol) : NULL;
    return library;
}

const char *
asy_dl_file(const void *address)
{
    Dl_info info;

    return dladdr(address, &info) != 0 ? info.dli_fname : NULL;
}
