/*
 * leat.h: the face of ABI version 1 for scalar functions in C.
 *
 * Include it in the one .c file of a module. It needs no C library. The file
 * says what it is with LEAT_MODULE and defines leat_function:
 *
 *     LEAT_MODULE("{\"abi\":1, ...}")
 *
 *     static int64_t leat_function(uint32_t id, leat_input in) {
 *         const double *x = leat_doubles(in, 0);
 *         double *y = leat_result_doubles(in);
 *         for (uint32_t i = 0; i < leat_rows(in); i++) y[i] = 2 * x[i];
 *         return leat_done(in);
 *     }
 *
 * A result of strings or bytes is not covered here; lay the frame by hand as docs/format/abi.md draws it.
 */
#ifndef LEAT_H
#define LEAT_H

#include <stddef.h>
#include <stdint.h>

#define LEAT_EXPORT(name) __attribute__((export_name(#name))) extern
#define LEAT_IMPORT(name) __attribute__((import_module("leat"), import_name(#name))) extern

enum { LEAT_BOOL = 1, LEAT_INT, LEAT_DOUBLE, LEAT_STRING, LEAT_BYTES, LEAT_TIMESTAMP };
enum { LEAT_DEBUG, LEAT_INFO, LEAT_WARNING, LEAT_ERROR };

/* What the host offers. A module imports only what it uses. */
LEAT_IMPORT(log) void leat_log(uint32_t level, const char *text, uint32_t length);
LEAT_IMPORT(metric_add) void leat_metric_add(const char *name, uint32_t length, double value);
LEAT_IMPORT(event_time) int64_t leat_event_time(void); /* of the batch, microseconds */

/* The fixed parts of a frame. */
typedef struct {
    uint32_t magic;
    uint16_t operation, columns;
    uint32_t rows, length;
    int64_t event_time;
    uint32_t groups, flags, timers, zero;
} leat_header;

typedef struct {
    uint8_t type, flags;
    uint16_t role;
    uint32_t bitmap, values, values_length, bytes, bytes_length;
} leat_column;

_Static_assert(sizeof(leat_header) == 40, "the header has 40 bytes");
_Static_assert(sizeof(leat_column) == 24, "a column descriptor has 24 bytes");

typedef const uint8_t *leat_input; /* the input frame */

typedef struct {
    const char *text;
    uint32_t length;
} leat_string;

static inline const leat_header *leat_head(leat_input in) { return (const leat_header *)in; }
static inline uint32_t leat_rows(leat_input in) { return leat_head(in)->rows; }
static inline const leat_column *leat_col(leat_input in, uint32_t c) { return (const leat_column *)(in + 40) + c; }

/* Values of an argument. Below a null stands zero. */
static inline const void *leat_values(leat_input in, uint32_t c) { return in + leat_col(in, c)->values; }
static inline const double *leat_doubles(leat_input in, uint32_t c) { return (const double *)leat_values(in, c); }
static inline const int64_t *leat_ints(leat_input in, uint32_t c) { return (const int64_t *)leat_values(in, c); }
static inline const uint8_t *leat_bools(leat_input in, uint32_t c) { return (const uint8_t *)leat_values(in, c); }

static inline leat_string leat_text(leat_input in, uint32_t c, uint32_t row) {
    const uint32_t *offsets = (const uint32_t *)leat_values(in, c);
    leat_string s = {(const char *)in + leat_col(in, c)->bytes + offsets[row], offsets[row + 1] - offsets[row]};
    return s;
}

/* Only functions with "nulls": "call" ever see a null. */
static inline int leat_is_null(leat_input in, uint32_t c, uint32_t row) {
    uint32_t bitmap = leat_col(in, c)->bitmap;
    return bitmap != 0 && !(in[bitmap + (row >> 3)] >> (row & 7) & 1);
}

/* A region of memory that only grows. It grows in place when it is the last. */
typedef struct {
    uint8_t *at;
    uint32_t size;
} leat_region;

static inline uint8_t *leat_grow(leat_region *r, uint32_t size) {
    if (size <= r->size) return r->at;
    uint32_t end = (uint32_t)__builtin_wasm_memory_size(0) << 16;
    int last = r->at != 0 && (uint32_t)(uintptr_t)r->at + r->size == end;
    uint32_t pages = (size - (last ? r->size : 0) + 65535) >> 16;
    if (size > 0x7fff0000u || __builtin_wasm_memory_grow(0, pages) == (size_t)-1) return 0;
    if (!last) {
        r->at = (uint8_t *)(uintptr_t)end;
        r->size = 0;
    }
    r->size += pages << 16;
    return r->at;
}

static leat_region leat_in, leat_out;

static inline uint32_t leat_align(uint32_t n) { return (n + 7) & ~7u; }
static inline uint32_t leat_bitmap_bytes(uint32_t rows) { return leat_align((rows + 7) / 8); }

/* Begins the output frame and returns its values, or 0 when there is no memory. */
static inline void *leat_result(leat_input in, uint8_t type, uint32_t width) {
    uint32_t rows = leat_rows(in), bitmap = leat_bitmap_bytes(rows);
    uint32_t length = 64 + bitmap + leat_align(rows * width);
    uint8_t *f = leat_grow(&leat_out, length);
    if (f == 0) return 0;
    *(leat_header *)f = (leat_header){.magic = 0x3146544C, .columns = 1, .rows = rows, .length = length};
    *(leat_column *)(f + 40) = (leat_column){.type = type, .values = 64 + bitmap, .values_length = rows * width};
    for (uint32_t i = 0; i < bitmap; i += 8) *(uint64_t *)(f + 64 + i) = ~0ull;
    if (rows * width % 8) *(uint64_t *)(f + length - 8) = 0;
    return f + 64 + bitmap;
}

static inline double *leat_result_doubles(leat_input in) { return (double *)leat_result(in, LEAT_DOUBLE, 8); }
static inline int64_t *leat_result_ints(leat_input in) { return (int64_t *)leat_result(in, LEAT_INT, 8); }
static inline int64_t *leat_result_timestamps(leat_input in) { return (int64_t *)leat_result(in, LEAT_TIMESTAMP, 8); }
static inline uint8_t *leat_result_bools(leat_input in) { return (uint8_t *)leat_result(in, LEAT_BOOL, 1); }

/* Makes a row of the result null. */
static inline void leat_set_null(uint32_t row) {
    leat_column *c = (leat_column *)(leat_out.at + 40);
    c->flags = 1;
    c->bitmap = 64;
    leat_out.at[64 + (row >> 3)] &= (uint8_t)~(1u << (row & 7));
}

static inline int64_t leat_pack(const void *p, uint32_t length) {
    return (int64_t)((uint64_t)(uint32_t)(uintptr_t)p << 32 | length);
}

/* Ends the output frame; the value is what leat_function returns. */
static inline int64_t leat_done(leat_input in) {
    (void)in;
    return leat_pack(leat_out.at, ((leat_header *)leat_out.at)->length);
}

/* Ends the call with an error; text must outlive it. */
static inline int64_t leat_fail(const char *text, uint32_t length) { return ~leat_pack(text, length); }

static int64_t leat_function(uint32_t id, leat_input in);

/* Defines the module's exports. json is a string literal. */
#define LEAT_MODULE(json)                                                                                  \
    static const char leat_manifest[] = json;                                                              \
    LEAT_EXPORT(leat_abi_v1) int32_t leat_abi_v1(void) { return 1; }                                       \
    LEAT_EXPORT(leat_describe) int64_t leat_describe(void) {                                               \
        return leat_pack(leat_manifest, sizeof leat_manifest - 1);                                         \
    }                                                                                                      \
    LEAT_EXPORT(leat_reserve) uint8_t *leat_reserve(uint32_t size) { return leat_grow(&leat_in, size); }   \
    LEAT_EXPORT(leat_call) int64_t leat_call(uint32_t function, uint32_t length) {                         \
        (void)length;                                                                                      \
        return leat_function(function, leat_in.at);                                                        \
    }

#endif
