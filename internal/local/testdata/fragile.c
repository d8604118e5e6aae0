/*
 * fragile(x): x + 1, and a trap where x is below 0. A test's function, built with
 *   clang --target=wasm32 -std=c11 -O2 -nostdlib -ffreestanding -I udf-sdk/c -c internal/local/testdata/fragile.c -o fragile.o
 *   wasm-ld --no-entry --strip-all --initial-memory=131072 -z stack-size=16384 fragile.o -o internal/local/testdata/fragile.wasm
 */
#include "leat.h"

LEAT_MODULE("{\"abi\": 1, \"name\": \"fragile\", \"version\": \"0.1.0\", \"functions\": ["
            "{\"id\": 0, \"name\": \"fragile\", \"kind\": \"scalar\", \"nulls\": \"propagate\", "
            "\"args\": [{\"name\": \"x\", \"type\": \"double\"}], \"result\": {\"type\": \"double\"}}]}")

static int64_t leat_function(uint32_t id, leat_input in) {
    const double *x = leat_doubles(in, 0);
    double *y = leat_result_doubles(in);
    (void)id;
    for (uint32_t i = 0; i < leat_rows(in); i++) {
        if (x[i] < 0)
            __builtin_trap();
        y[i] = x[i] + 1;
    }
    return leat_done(in);
}
