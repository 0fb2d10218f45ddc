#pragma once

#include <stddef.h>

// hiredis's reply reader behind one callback, the same over hiredis 0.14 and 1.x: their structs differ, so no hiredis
// type may reach Swift.

enum {
    ARGUS_REDIS_NULL = 0,
    ARGUS_REDIS_INTEGER = 1,
    ARGUS_REDIS_STRING = 2,
    ARGUS_REDIS_ARRAY = 3, // `integer` values follow, each visited in turn (preorder)
    ARGUS_REDIS_ERROR = 4,
};

typedef struct argus_redis_reader argus_redis_reader;

/// `bytes` is valid during the call only.
typedef void (*argus_redis_visitor)(void *context, int kind, const char *bytes, size_t length, long long integer);

/// NULL when memory is out.
argus_redis_reader *argus_redis_reader_create(argus_redis_visitor visitor, void *context);
void argus_redis_reader_free(argus_redis_reader *reader);

/// 0, or -1 when the reader has failed before or memory is out.
int argus_redis_reader_feed(argus_redis_reader *reader, const void *bytes, size_t length);

/// 1: one whole reply was visited. 0: more bytes are needed (a part of a reply may have been visited). -1: not RESP.
int argus_redis_reader_next(argus_redis_reader *reader);

const char *argus_redis_reader_error(const argus_redis_reader *reader);
