/*
 * dewpoint(temp, humidity): the dew point in degrees Celsius, of air at temp
 * degrees Celsius and humidity percent of relative humidity.
 *
 * Magnus formula over water with the constants of D. Sonntag, "Important new
 * values of the physical constants of 1986, vapour pressure formulations based
 * on the ITS-90, and psychrometer formulae", Zeitschrift fuer Meteorologie 70
 * (1990), pages 340-344: b = 17.62, c = 243.12 degrees Celsius, for -45 to 60 degrees.
 *
 * A humidity that is not above 0 has no dew point: the result is null.
 *
 * examples/udf/dewpoint-go does the same operations in the same order, so that
 * both give the same bits.
 */
#include "leat.h"

LEAT_MODULE("{\"abi\": 1, \"name\": \"dewpoint\", \"version\": \"1.2.0\", \"functions\": ["
            "{\"id\": 0, \"name\": \"dewpoint\", \"kind\": \"scalar\", \"nulls\": \"propagate\", "
            "\"args\": [{\"name\": \"temp\", \"type\": \"double\"}, {\"name\": \"humidity\", \"type\": \"double\"}], "
            "\"result\": {\"type\": \"double\"}}]}")

/* Each operation is rounded by itself. */
#pragma STDC FP_CONTRACT OFF

typedef union {
    double value;
    uint64_t bits;
} double_bits;

/*
 * The natural logarithm of a positive, finite x by the method of FreeBSD's
 * e_log.c (Sun Microsystems, 1993): x = 2^k * (1+f) with 1+f between sqrt(2)/2
 * and sqrt(2), s = f/(2+f), log(1+f) = f - f*f/2 + s*(f*f/2 + R(s*s)).
 */
static double ln(double x) {
    double_bits u = {x};
    int64_t k = 0;
    if (u.bits < 0x0010000000000000ull) { /* subnormal: times 2^54 */
        u.value = x * 18014398509481984.0;
        k = -54;
    }
    k += (int64_t)(u.bits >> 52) - 1022;
    u.bits = (u.bits & 0x000fffffffffffffull) | 0x3fe0000000000000ull; /* 1/2 <= value < 1 */
    if (u.value < 0.70710678118654752440) {
        u.value = u.value * 2;
        k--;
    }
    double f = u.value - 1, s = f / (2 + f), s2 = s * s, s4 = s2 * s2, n = (double)k;
    double t1 = s2 * (6.666666666666735130e-01 + s4 * (2.857142874366239149e-01 + s4 * (1.818357216161805012e-01 + s4 * 1.479819860511658591e-01)));
    double t2 = s4 * (3.999999999940941908e-01 + s4 * (2.222219843214978396e-01 + s4 * 1.531383769920937332e-01));
    double half = 0.5 * f * f;
    return n * 6.93147180369123816490e-01 - ((half - (s * (half + (t1 + t2)) + n * 1.90821492927058770002e-10)) - f);
}

static int64_t leat_function(uint32_t id, leat_input in) {
    static const char unknown[] = "there is one function, with id 0";
    static const char memory[] = "out of memory";
    const double b = 17.62, c = 243.12;
    const double *temp = leat_doubles(in, 0), *humidity = leat_doubles(in, 1);
    double *dew = leat_result_doubles(in);
    if (id != 0) return leat_fail(unknown, sizeof unknown - 1);
    if (dew == 0) return leat_fail(memory, sizeof memory - 1);
    for (uint32_t i = 0; i < leat_rows(in); i++) {
        double h = humidity[i];
        if (!(h > 0) || h > 1.7976931348623157e308) {
            dew[i] = 0;
            leat_set_null(i);
            continue;
        }
        double gamma = (ln(h) - 4.605170185988091) + (b * temp[i]) / (c + temp[i]); /* ln(h/100) */
        dew[i] = (c * gamma) / (b - gamma);
    }
    return leat_done(in);
}
