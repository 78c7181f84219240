// status.h: the one error type of the native rooms.
#ifndef ASY_CORE_STATUS_H
#define ASY_CORE_STATUS_H

typedef enum {
    ASY_OK = 0,
    ASY_ENOMEM,   // no memory, or address space refused
    ASY_EINVAL,   // a caller's argument is out of its range
    ASY_ECORRUPT, // untrusted bytes are not what they must be
    ASY_EVERSION, // well-formed, but of a version that we do not read
    ASY_EIO,      // read or write failed
    ASY_ENOSPC,   // disk full or file-size limit reached
    ASY_EPERM,    // not allowed
    ASY_ENOENT,   // no such file, process or object
    ASY_EGONE,    // the target has exited
    ASY_ELIMIT,   // a stated limit of ours is reached
} asy_status;

// A short lower-case phrase, static storage.
const char *asy_status_text(asy_status st);

#endif
