#include "CHiredis.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

struct argus_redis_reader {
    redisReader *reader;
    redisReplyObjectFunctions functions;
    argus_redis_visitor visitor;
    void *context;
};

// hiredis takes NULL for "out of memory"; the tree it thinks it builds is never looked at.
#define VISITED ((void *)1)

static void *visit(const redisReadTask *task, int kind, const char *bytes, size_t length, long long integer) {
    const argus_redis_reader *self = task->privdata;
    self->visitor(self->context, kind, bytes, length, integer);
    return VISITED;
}

static void *create_string(const redisReadTask *task, char *bytes, size_t length) {
    return visit(task, task->type == REDIS_REPLY_ERROR ? ARGUS_REDIS_ERROR : ARGUS_REDIS_STRING, bytes, length, 0);
}

static void *create_integer(const redisReadTask *task, long long value) {
    return visit(task, ARGUS_REDIS_INTEGER, NULL, 0, value);
}

static void *create_null(const redisReadTask *task) {
    return visit(task, ARGUS_REDIS_NULL, NULL, 0, 0);
}

#if HIREDIS_MAJOR >= 1
static void *create_array(const redisReadTask *task, size_t count) {
    return visit(task, ARGUS_REDIS_ARRAY, NULL, 0, (long long)count);
}

static void *create_double(const redisReadTask *task, double value, char *bytes, size_t length) {
    (void)value;
    return visit(task, ARGUS_REDIS_STRING, bytes, length, 0);
}

static void *create_bool(const redisReadTask *task, int value) {
    return visit(task, ARGUS_REDIS_INTEGER, NULL, 0, value);
}
#else
static void *create_array(const redisReadTask *task, int count) {
    return visit(task, ARGUS_REDIS_ARRAY, NULL, 0, count);
}
#endif

static void free_object(void *object) {
    (void)object;
}

argus_redis_reader *argus_redis_reader_create(argus_redis_visitor visitor, void *context) {
    argus_redis_reader *self = calloc(1, sizeof(*self));
    if (self == NULL) return NULL;
    self->visitor = visitor;
    self->context = context;
    self->functions.createString = create_string;
    self->functions.createArray = create_array;
    self->functions.createInteger = create_integer;
    self->functions.createNil = create_null;
    self->functions.freeObject = free_object;
#if HIREDIS_MAJOR >= 1
    self->functions.createDouble = create_double;
    self->functions.createBool = create_bool;
#endif
    self->reader = redisReaderCreateWithFunctions(&self->functions);
    if (self->reader == NULL) {
        free(self);
        return NULL;
    }
    self->reader->privdata = self;
    return self;
}

void argus_redis_reader_free(argus_redis_reader *self) {
    if (self == NULL) return;
    redisReaderFree(self->reader);
    free(self);
}

int argus_redis_reader_feed(argus_redis_reader *self, const void *bytes, size_t length) {
    return redisReaderFeed(self->reader, bytes, length) == REDIS_OK ? 0 : -1;
}

int argus_redis_reader_next(argus_redis_reader *self) {
    void *reply = NULL;
    if (redisReaderGetReply(self->reader, &reply) != REDIS_OK) return -1;
    return reply == NULL ? 0 : 1;
}

const char *argus_redis_reader_error(const argus_redis_reader *self) {
    return self->reader->errstr;
}
