// profile.c: a recording's file to a profile in memory.
#include "record/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "record/builder.h"
#include "record/reader.h"

void
asy_profile_free(asy_profile *p)
{
    asy_builder_profile *l = (asy_builder_profile *)p;

    if (p == NULL) {
        return;
    }
    for (uint32_t i = 0; i < p->thread_count; i++) {
        free(p->threads[i].nodes);
    }
    free(p->funcs);
    free(p->threads);
    free(p->processes);
    free((void *)p->notes);
    asy_edges_free(p->edges);
    asy_text_pool_free(&l->texts);
    free(l);
}

static asy_status
build(const asy_reader_source *source, asy_builder *b, asy_reader_result *result)
{
    asy_reader_handler handler = asy_builder_handler(b);
    asy_status st = asy_reader_run(source, &handler, result);

    if (st == ASY_OK) {
        st = asy_builder_finish(b);
    }
    if (b->why != NULL) {
        result->why = b->why;
    }
    if (result->why == NULL && st == ASY_ENOMEM) {
        result->why = "there is not enough memory for it";
    }
    return st;
}

static asy_status
load(const asy_reader_source *source, asy_profile **out, const char **problem)
{
    static _Thread_local char last_problem[ASY_BUILDER_PROBLEM_BYTES]; // of a recording that gives no profile to own it
    asy_builder_profile *l = calloc(1, sizeof *l);
    asy_builder b = {.l = l};
    asy_reader_result result = {.why = "there is not enough memory for it"};
    asy_status st = ASY_ENOMEM;
    char *said = last_problem;

    if (l != NULL) {
        l->p.command = l->p.directory = l->p.script = l->p.assay_version = "";
        st = build(source, &b, &result);
        l->p.complete = result.complete;
        l->p.cut = result.cut;
        l->p.cut_at = result.complete ? 0 : result.at;
        free(b.node_cap);
    }
    if (st == ASY_OK) {
        *out = &l->p;
        said = l->problem;
    } else {
        asy_profile_free(l != NULL ? &l->p : NULL);
    }
    if (problem != NULL && result.why != NULL) {
        (void)snprintf(said, ASY_BUILDER_PROBLEM_BYTES, "%s, at byte %llu", result.why, (unsigned long long)result.at);
        *problem = said;
    }
    return st;
}

asy_status
asy_profile_load_bytes(const void *bytes, size_t len, asy_profile **out, const char **problem)
{
    asy_reader_source source = {.bytes = bytes != NULL ? bytes : "", .len = bytes != NULL ? len : 0, .fd = -1};

    *out = NULL;
    if (problem != NULL) {
        *problem = NULL;
    }
    return load(&source, out, problem);
}

asy_status
asy_profile_load_file(const char *path, asy_profile **out, const char **problem)
{
    // A FIFO that nobody writes to is empty, not waited for.
    asy_reader_source source = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    int error = errno;
    asy_status st;

    *out = NULL;
    if (problem != NULL) {
        *problem = NULL;
    }
    if (source.fd < 0) {
        st = error == ENOENT || error == ENOTDIR ? ASY_ENOENT
             : error == EACCES || error == EPERM ? ASY_EPERM
             : error == ENOMEM                   ? ASY_ENOMEM
                                                 : ASY_EIO;
        if (problem != NULL) {
            *problem = asy_status_text(st);
        }
        return st;
    }
    (void)fcntl(source.fd, F_SETFL, 0);
    st = load(&source, out, problem);
    (void)close(source.fd);
    return st;
}
