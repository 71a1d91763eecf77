/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict text to number conversions. All share one digit reader with overflow checks; the C
 * library's strtol family is not used, as it skips blanks, takes signs and wraps silently.
 * Forms follow Go where a caller of runc may rely on them (strconv.ParseBool, time.ParseDuration,
 * docker's go-units for sizes).
 */
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

/* Reads digits at *s up to the first other character and moves *s there. */
static int scan_digits(const char **s, unsigned int base, uint64_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;

	for (; *p >= '0' && *p < (char)('0' + base); p++)
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return -ERANGE;
	if (p == *s)
		return -EINVAL;
	*s = p;
	*ret = v;
	return 0;
}

/* Whole string in base; -EINVAL goes before -ERANGE, so "99999999999999999999x" is bad text. */
static int parse_number(const char *s, unsigned int base, uint64_t max, uint64_t *ret)
{
	const char *digits = base == 8 ? "01234567" : "0123456789";
	uint64_t v;
	int rc;

	if (!*s || s[strspn(s, digits)])
		return -EINVAL;
	rc = scan_digits(&s, base, &v);
	if (rc < 0)
		return rc;
	if (v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_u64(const char *s, uint64_t *ret)
{
	return parse_number(s, 10, UINT64_MAX, ret);
}

int parse_i64(const char *s, int64_t *ret)
{
	bool negative = *s == '-';
	uint64_t v;
	int rc;

	rc = parse_number(s + negative, 10, (uint64_t)INT64_MAX + negative, &v);
	if (rc < 0)
		return rc;
	*ret = negative ? (int64_t)-v : (int64_t)v;
	return 0;
}

int parse_u32(const char *s, uint32_t *ret)
{
	uint64_t v;
	int rc = parse_number(s, 10, UINT32_MAX, &v);

	if (rc == 0)
		*ret = (uint32_t)v;
	return rc;
}

int parse_octal(const char *s, uint32_t *ret)
{
	uint64_t v;
	int rc = parse_number(s, 8, UINT32_MAX, &v);

	if (rc == 0)
		*ret = (uint32_t)v;
	return rc;
}

int parse_bool(const char *s, bool *ret)
{
	static const char *const words[2][6] = {
		{"0", "f", "F", "false", "FALSE", "False"},
		{"1", "t", "T", "true", "TRUE", "True"},
	};

	for (int value = 0; value < 2; value++)
		for (size_t i = 0; i < ARRAY_SIZE(words[value]); i++)
			if (strcmp(s, words[value][i]) == 0) {
				*ret = value;
				return 0;
			}
	return -EINVAL;
}

/* A decimal number kept as text behind its point, so that nothing is lost to floating point. */
struct decimal {
	uint64_t whole;
	const char *fraction; /* digits behind the point */
	size_t n_fraction;
};

/* Reads "digits", "digits.digits", ".digits" or "digits." at *s and moves *s behind it. */
static int scan_decimal(const char **s, struct decimal *ret)
{
	struct decimal d = {0};
	const char *p = *s;
	int rc;

	rc = scan_digits(&p, 10, &d.whole);
	if (rc == -ERANGE)
		return rc;
	if (*p == '.') {
		d.fraction = ++p;
		d.n_fraction = strspn(p, "0123456789");
		p += d.n_fraction;
	}
	if (rc < 0 && d.n_fraction == 0)
		return -EINVAL;
	*s = p;
	*ret = d;
	return 0;
}

/* d times unit, rounded down. */
static int scale_decimal(const struct decimal *d, uint64_t unit, uint64_t max, uint64_t *ret)
{
	uint64_t v, part = 0;

	/*
	 * From the last digit to the first: part = (part + digit * unit) / 10. Units are at most
	 * 2^50, far from overflow; 20 digits are more than any unit can tell apart.
	 */
	for (size_t i = d->n_fraction < 20 ? d->n_fraction : 20; i > 0; i--)
		part = (part + (uint64_t)(d->fraction[i - 1] - '0') * unit) / 10;
	if (__builtin_mul_overflow(d->whole, unit, &v) || __builtin_add_overflow(v, part, &v) ||
	    v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_size(const char *s, int64_t *ret)
{
	static const char units[] = "kmgtp";
	struct decimal d;
	const char *u;
	uint64_t v;
	int rc, shift = 0;

	if (strcmp(s, "-1") == 0) {
		*ret = -1;
		return 0;
	}
	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	rc = scan_decimal(&s, &d);
	if (rc < 0)
		return rc;
	if (*s && (u = strchr(units, tolower((unsigned char)*s)))) {
		shift = 10 * (int)(u - units + 1);
		s++;
		if (strcasecmp(s, "ib") == 0)
			s += 2;
	}
	if (*s == 'b' || *s == 'B')
		s++;
	if (*s)
		return -EINVAL;
	rc = scale_decimal(&d, UINT64_C(1) << shift, INT64_MAX, &v);
	if (rc < 0)
		return rc;
	*ret = (int64_t)v;
	return 0;
}

/* Both micro signs, U+00B5 and U+03BC, as Go takes them; longer names before their prefixes. */
static const struct {
	const char *name;
	uint64_t ns;
} duration_units[] = {
	{"ns", 1},
	{"us", 1000},
	{"\xc2\xb5s", 1000},
	{"\xce\xbcs", 1000},
	{"ms", 1000000},
	{"s", 1000000000},
	{"m", UINT64_C(60) * 1000000000},
	{"h", UINT64_C(3600) * 1000000000},
};

static int scan_duration_unit(const char **s, uint64_t *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++) {
		size_t len = strlen(duration_units[i].name);

		if (strncmp(*s, duration_units[i].name, len) == 0) {
			*s += len;
			*ret = duration_units[i].ns;
			return 0;
		}
	}
	return -EINVAL;
}

int parse_duration_ns(const char *s, uint64_t *ret)
{
	uint64_t total = 0;

	if (*s == '+')
		s++;
	if (strcmp(s, "0") == 0) {
		*ret = 0;
		return 0;
	}
	if (!*s)
		return -EINVAL;
	while (*s) {
		struct decimal d;
		uint64_t unit = 0, part = 0;
		int rc;

		rc = scan_decimal(&s, &d);
		if (rc == 0)
			rc = scan_duration_unit(&s, &unit);
		if (rc == 0)
			rc = scale_decimal(&d, unit, INT64_MAX, &part);
		if (rc < 0)
			return rc;
		total += part;
		if (total > INT64_MAX)
			return -ERANGE;
	}
	*ret = total;
	return 0;
}

/* Names that sigabbrev_np does not know. */
static const struct {
	const char *name;
	int sig;
} signal_aliases[] = {
	{"IOT", SIGIOT},
	{"CLD", SIGCHLD},
	{"IO", SIGIO},
	{"POLL", SIGPOLL},
};

/*
 * As glibc, and so the programs of most containers, count them; the C library of this program may
 * keep more of the kernel's 32 to 64 for itself.
 */
enum { RTMIN = 34, RTMAX = 64 };

static int parse_realtime_signal(const char *s)
{
	int base = 0, sign = 0;
	uint32_t n = 0;

	if (strncasecmp(s, "RTMIN", 5) == 0) {
		base = RTMIN;
		sign = 1;
	} else if (strncasecmp(s, "RTMAX", 5) == 0) {
		base = RTMAX;
		sign = -1;
	} else {
		return -EINVAL;
	}
	s += 5;
	if (*s && (*s != (sign > 0 ? '+' : '-') || parse_u32(s + 1, &n) < 0))
		return -EINVAL;
	if (n > RTMAX - RTMIN)
		return -EINVAL;
	return base + sign * (int)n;
}

int parse_signal(const char *s)
{
	uint32_t n;

	if (isdigit((unsigned char)*s))
		return parse_u32(s, &n) == 0 && n < NSIG ? (int)n : -EINVAL;
	if (strncasecmp(s, "SIG", 3) == 0)
		s += 3;
	for (int sig = 1; sig < NSIG; sig++) {
		const char *name = sigabbrev_np(sig);

		if (name && strcasecmp(s, name) == 0)
			return sig;
	}
	for (size_t i = 0; i < ARRAY_SIZE(signal_aliases); i++)
		if (strcasecmp(s, signal_aliases[i].name) == 0)
			return signal_aliases[i].sig;
	return parse_realtime_signal(s);
}

int parse_user(const char *s, uint32_t *ret_uid, uint32_t *ret_gid)
{
	uint64_t uid, gid = 0;
	const char *colon;
	int rc;

	rc = scan_digits(&s, 10, &uid);
	if (rc < 0)
		return rc;
	colon = *s == ':' ? s : NULL;
	if (colon)
		rc = parse_number(colon + 1, 10, UINT32_MAX - 1, &gid);
	else if (*s)
		rc = -EINVAL;
	if (rc < 0)
		return rc;
	/* 2^32 - 1 is (uid_t)-1, "no change" to setresuid(2). */
	if (uid > UINT32_MAX - 1)
		return -ERANGE;
	*ret_uid = (uint32_t)uid;
	if (colon)
		*ret_gid = (uint32_t)gid;
	return 0;
}

int parse_cpu_list(const char *s, uint64_t *set, size_t n_bits)
{
	for (;;) {
		uint64_t first, last;
		int rc = scan_digits(&s, 10, &first);

		if (rc < 0)
			return rc;
		last = first;
		if (*s == '-') {
			s++;
			rc = scan_digits(&s, 10, &last);
			if (rc < 0)
				return rc;
		}
		if (last < first)
			return -EINVAL;
		if (last >= n_bits)
			return -ERANGE;
		for (uint64_t i = first; i <= last; i++)
			set[i / 64] |= UINT64_C(1) << (i % 64);
		if (!*s)
			return 0;
		if (*s++ != ',')
			return -EINVAL;
	}
}
