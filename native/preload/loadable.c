// loadable.c: judge a program file by its ELF headers.
#include "preload/loadable.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#else
#error "which ELF machine is this?"
#endif

#define PATH_ROOM 1024
#define SCRIPT_DEPTH 4 // the kernel follows five
#define HEADERS_MAX 64
#define DYNAMIC_MAX 512

typedef struct {
    int fd;
    Elf64_Ehdr elf;
    Elf64_Phdr heads[HEADERS_MAX];
} image;

static char own_library[PATH_ROOM];
static char own_loader[PATH_ROOM];

static int
note_loader(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_INTERP && info->dlpi_phdr[i].p_memsz <= sizeof own_loader) {
            memcpy(own_loader, (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr),
                   info->dlpi_phdr[i].p_memsz);
        }
    }
    return 1; // the first is the program itself
}

void
asy_loadable_init(const char *library_path)
{
    size_t len = strlen(library_path);

    if (len < sizeof own_library) {
        memcpy(own_library, library_path, len + 1);
    }
    dl_iterate_phdr(note_loader, NULL);
    own_loader[sizeof own_loader - 1] = '\0';
}

static bool
same_file(const char *a, const char *b)
{
    struct statx x, y;

    if (strcmp(a, b) == 0) {
        return true;
    }
    return statx(AT_FDCWD, a, 0, STATX_INO, &x) == 0 && statx(AT_FDCWD, b, 0, STATX_INO, &y) == 0 &&
           x.stx_ino == y.stx_ino && x.stx_dev_major == y.stx_dev_major && x.stx_dev_minor == y.stx_dev_minor;
}

// Read exactly `len` bytes, or say no.
static bool
read_at(const image *im, void *out, size_t len, uint64_t offset)
{
    return offset < (uint64_t)1 << 62 && pread(im->fd, out, len, (off_t)offset) == (ssize_t)len;
}

static bool
kind_fits(image *im)
{
    const Elf64_Ehdr *e = &im->elf;

    return e->e_ident[EI_CLASS] == ELFCLASS64 && e->e_ident[EI_DATA] == ELFDATA2LSB && e->e_machine == OWN_MACHINE &&
           e->e_phentsize == sizeof(Elf64_Phdr) && e->e_phnum <= HEADERS_MAX &&
           read_at(im, im->heads, e->e_phnum * sizeof(Elf64_Phdr), e->e_phoff);
}

static const Elf64_Phdr *
head_of_type(const image *im, uint32_t type)
{
    for (int i = 0; i < im->elf.e_phnum; i++) {
        if (im->heads[i].p_type == type) {
            return &im->heads[i];
        }
    }
    return NULL;
}

// 0, or why it does not.
static uint64_t
loader_problem(const image *im)
{
    const Elf64_Phdr *ph = head_of_type(im, PT_INTERP);
    char loader[PATH_ROOM];

    if (ph == NULL || ph->p_filesz == 0 || ph->p_filesz > sizeof loader ||
        !read_at(im, loader, ph->p_filesz, ph->p_offset)) {
        return ASY_REFUSED_STATIC;
    }
    loader[ph->p_filesz - 1] = '\0';
    return own_loader[0] == '\0' || same_file(loader, own_loader) ? 0 : ASY_REFUSED_LOADER;
}

// File offset of an address in a loadable segment; 0 if there is none.
static uint64_t
offset_of(const image *im, uint64_t address)
{
    for (int i = 0; i < im->elf.e_phnum; i++) {
        const Elf64_Phdr *ph = &im->heads[i];

        if (ph->p_type == PT_LOAD && address >= ph->p_vaddr && address - ph->p_vaddr < ph->p_filesz) {
            return ph->p_offset + (address - ph->p_vaddr);
        }
    }
    return 0;
}

static bool
is_sanitizer(const image *im, uint64_t name_offset)
{
    static const char *const names[] = {"libasan.so", "libhwasan.so", "libclang_rt.asan"};
    char name[20] = "";
    ssize_t n = pread(im->fd, name, sizeof name - 1, (off_t)name_offset);

    for (size_t i = 0; n > 0 && i < sizeof names / sizeof *names; i++) {
        if (strncmp(name, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

static bool
needs_sanitizer(const image *im)
{
    const Elf64_Phdr *ph = head_of_type(im, PT_DYNAMIC);
    uint64_t count = ph != NULL ? ph->p_filesz / sizeof(Elf64_Dyn) : 0;
    uint64_t strings = 0;
    Elf64_Dyn d;

    for (uint64_t i = 0; i < count && i < DYNAMIC_MAX; i++) {
        if (read_at(im, &d, sizeof d, ph->p_offset + i * sizeof d) && d.d_tag == DT_STRTAB) {
            strings = offset_of(im, d.d_un.d_ptr);
            break;
        }
    }
    for (uint64_t i = 0; strings != 0 && i < count && i < DYNAMIC_MAX; i++) {
        if (!read_at(im, &d, sizeof d, ph->p_offset + i * sizeof d) || d.d_tag == DT_NULL) {
            break;
        }
        if (d.d_tag == DT_NEEDED && is_sanitizer(im, strings + d.d_un.d_val)) {
            return true;
        }
    }
    return false;
}

static uint64_t
elf_problem(int fd)
{
    image im = {.fd = fd};
    uint64_t why;

    if (!read_at(&im, &im.elf, sizeof im.elf, 0) || !kind_fits(&im)) {
        return ASY_REFUSED_MACHINE;
    }
    why = loader_problem(&im);
    return why == 0 && needs_sanitizer(&im) ? ASY_REFUSED_SANITIZER : why;
}

static bool
gains_privileges(int fd)
{
    struct statx x;

    return statx(fd, "", AT_EMPTY_PATH, STATX_MODE, &x) == 0 && (x.stx_mode & (S_ISUID | S_ISGID)) != 0;
}

// "#! /path argument" → path, in place. NULL: none.
static const char *
script_interpreter(char *line)
{
    char *at = line + 2;
    char *end;

    at += strspn(at, " \t");
    end = at + strcspn(at, " \t\r\n");
    if (end == at) {
        return NULL;
    }
    *end = '\0';
    return at;
}

static uint64_t path_problem(const char *path, int depth);

static uint64_t
fd_problem(int fd, int depth)
{
    char start[260] = "";
    ssize_t n = pread(fd, start, sizeof start - 1, 0);

    if (n < 4) {
        return 0; // nothing that runs
    }
    if (gains_privileges(fd)) {
        return ASY_REFUSED_PRIVILEGES;
    }
    if (memcmp(start, ELFMAG, SELFMAG) == 0) {
        return elf_problem(fd);
    }
    if (start[0] == '#' && start[1] == '!') {
        const char *path = script_interpreter(start);

        return path == NULL ? 0 : depth < SCRIPT_DEPTH ? path_problem(path, depth + 1) : ASY_REFUSED_STATIC;
    }
    return 0;
}

static uint64_t
path_problem(const char *path, int depth)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t why;

    if (fd < 0) {
        return 0; // starting it fails as well, or it may be run but not read
    }
    why = fd_problem(fd, depth);
    close(fd);
    return why;
}

// Behind a chroot our own file is not there, and the loader would complain about that.
static bool
library_there(void)
{
    return own_library[0] != '\0' && access(own_library, R_OK) == 0;
}

uint64_t
asy_loadable_path(const char *path)
{
    return library_there() ? path_problem(path, 0) : ASY_REFUSED_HIDDEN;
}

uint64_t
asy_loadable_fd(int fd)
{
    return library_there() ? fd_problem(fd, 0) : ASY_REFUSED_HIDDEN;
}
